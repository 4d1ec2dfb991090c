//! Settings as they are shown to people: each value with its place, and the table of all of them.
//!
//! What is printed by `--print-config` is itself a TOML file of settings, so that it can be kept
//! and given back by `--config`. Secrets are left out of it, and of everything else here.

use crate::cli::Cli;
use crate::settings;
use clap::Arg;
use clap::CommandFactory as _;
use std::fmt;
use std::fmt::Write as _;

/// One setting of a command.
#[derive(Debug)]
pub struct Shown {
    flag: String,
    value: Value,
    place: String,
}

#[derive(Debug)]
enum Value {
    /// It has none.
    Unset,
    /// It has one that is nobody's business.
    Secret,
    /// It has this one, as TOML.
    Toml(String),
}

impl Shown {
    /// The setting `argument` with its values and the place they come from.
    pub(crate) fn new(argument: &Arg, values: Vec<String>, place: String) -> Self {
        let flag = argument.get_long().unwrap_or_default().to_owned();
        let value = if values.is_empty() {
            Value::Unset
        } else if argument.is_hide_env_values_set() {
            Value::Secret
        } else if argument.get_value_delimiter().is_some() {
            Value::Toml(toml::Value::from(values).to_string())
        } else {
            Value::Toml(in_toml(values.concat()))
        };
        Self { flag, value, place }
    }
}

/// A number or truth value without quotes, anything else with.
fn in_toml(text: String) -> String {
    let plain = text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
        || text.parse::<bool>().is_ok();
    if plain { text } else { toml::Value::from(text).to_string() }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flag, value, place } = self;
        let line = match value {
            Value::Unset => return write!(f, "# {flag} is not set"),
            Value::Secret => return write!(f, "# {flag} is set, by {place}"),
            Value::Toml(value) => format!("{flag} = {value}"),
        };
        write!(f, "{line:<48} # {place}")
    }
}

/// The settings of `orderd serve` as a table in Markdown, in the order of its help.
pub fn table() -> String {
    let mut table = "| flag | variable | default | what it is |\n|---|---|---|---|\n".to_owned();
    let command = Cli::command();
    let serve = command.find_subcommand("serve");
    let all = serve.into_iter().chain([&command]).flat_map(settings::settings_of);
    for argument in all {
        let flag = argument.get_long().unwrap_or_default();
        let variable = argument.get_env().unwrap_or_default().to_string_lossy();
        let defaults: Vec<_> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = match defaults.join(",") {
            default if !default.is_empty() => format!("`{default}`"),
            _ if argument.get_action().takes_values() => "none".to_owned(),
            _ => "off".to_owned(),
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.replace('|', "\\|").replace('\n', " ");
        // Writing to a text doesn't fail.
        let _ = writeln!(table, "| `--{flag}` | `{variable}` | {default} | {help} |");
    }
    table
}
