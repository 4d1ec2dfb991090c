//! What the README says about the program is so.

use clap::CommandFactory as _;
use orderd::cli::Cli;

const README: &str = include_str!("../../../README.md");

/// Issue: settings by flag and environment variable. The README's table has each, with its default.
#[test]
fn every_setting_is_in_the_readme() {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    let mut checked = 0;
    for argument in serve.get_arguments() {
        let (Some(flag), Some(variable)) = (argument.get_long(), argument.get_env()) else {
            continue;
        };
        let row = format!("| `--{flag}` | `{}` |", variable.to_str().unwrap());
        // The pause of the demo is for those who read the help.
        if flag == "demo-interval" {
            continue;
        }
        let line = README.lines().find(|line| line.starts_with(&row));
        let line = line.unwrap_or_else(|| panic!("the README has no row for --{flag}: {row}"));
        for default in argument.get_default_values() {
            let default = default.to_str().unwrap();
            assert!(line.contains(default) || default == "false", "{default} isn't in: {line}");
        }
        checked += 1;
    }
    assert!(checked >= 15, "only {checked} settings were found");
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
