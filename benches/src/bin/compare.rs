//! The peer benchmark: `cargo run --release -p benches --features compare -- --help`.

use benches::compare::cli::Options;
use clap::Parser;
use std::io;

fn main() -> io::Result<()> {
    Options::parse().run(io::stdout().lock(), io::stderr().lock())
}
