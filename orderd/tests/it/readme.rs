//! What the documents say about the program is so.

use clap::CommandFactory as _;
use orderd::cli::Cli;
use orderd::settings::shown;

const README: &str = include_str!("../../../README.md");

/// Between these two lines the README has the table of settings, and nothing else.
const BEGIN: &str = "\n<!-- Settings, from the code: `make readme` writes them. -->\n\n";
const END: &str = "\n<!-- End of the settings. -->\n";

/// Issue: the README's table of settings is generated from the code. `make readme` writes it anew.
#[test]
fn the_table_of_settings_is_that_of_the_code() {
    let table = shown::table();
    assert!(table.lines().count() >= 18, "{table}");
    let (before, rest) = README.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("ORDERD_TEST_WRITE_README").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
        std::fs::write(path, [before, BEGIN, &table, END, after].concat()).unwrap();
        return;
    }
    assert_eq!(written, table, "`make readme` writes the table anew");
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
