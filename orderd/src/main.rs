//! The program: reads its settings, runs, and turns the outcome into an exit code; nothing else.

use orderd::settings;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let settings = match settings::read(&arguments, ".".as_ref()) {
        Ok(settings) => settings,
        Err(error) => return ExitCode::from(error.tell()),
    };
    match orderd::run::run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            orderd::run::tell(&error);
            ExitCode::FAILURE
        }
    }
}
