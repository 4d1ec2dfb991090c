//! What the documents say about the program is so.

use clap::CommandFactory as _;
use orderd::cli::Cli;
use orderd::settings::shown;

const SETTINGS: &str = include_str!("../../../docs/configuration.md");

/// Issue: the table of settings is generated from the code. `make readme` writes it anew.
#[test]
fn the_table_of_settings_is_that_of_the_code() {
    let table = shown::table();
    assert!(table.lines().count() >= 18, "{table}");
    if std::env::var_os("ORDERD_TEST_WRITE_README").is_some() {
        let header = table.lines().next().unwrap();
        let (before, after) = SETTINGS.split_once(header).unwrap();
        let (_, after) = after.split_once("\n\n").unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        std::fs::write(path, format!("{before}{table}\n{after}")).unwrap();
        return;
    }
    assert!(SETTINGS.contains(&format!("\n\n{table}\n")), "`make readme` writes the table anew");
}

/// House rule: every setting says what it does, and every command has an example.
#[test]
fn every_setting_and_command_explains_itself() {
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name} doesn't say what it does");
        assert!(command.get_after_help().is_some(), "{name} has no example");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{name} {argument} has no help");
        }
    }
}
