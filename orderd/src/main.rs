//! The program: parses, runs, and turns the outcome into an exit code; nothing else.

use clap::Parser as _;
use orderd::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    match orderd::run::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            orderd::run::tell(&error);
            ExitCode::FAILURE
        }
    }
}
