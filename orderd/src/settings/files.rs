//! The values of settings in files: `.env`, which holds variables, and one TOML file, which holds
//! flags without their dashes.
//!
//! Both are flat and hold what a person wrote, so each name is checked against the settings there
//! are. `.env` may also hold variables of other programs; only those that begin with `ORDERD_` are
//! claimed. Nothing here is ever put into the environment of the process.

use crate::settings;
use clap::Arg;
use clap::Command;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use toml::Value;

/// The TOML file that is read if no other is named and it is there.
pub const CONFIG_FILE: &str = "orderd.toml";

/// How alike a name must be to be offered for one that is unknown, from 0 to 1.
const LIKENESS_MIN: f64 = 0.8;

/// Why a file of settings can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It can't be read.
    #[error("the settings in {file} can't be read")]
    Read {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// It isn't in its format.
    #[error("the settings in {file} are not in its format: {reason}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// A name in it is no setting.
    #[error("{file} has {name}, which is no setting{}", nearest_of(.nearest.as_deref()))]
    Unknown {
        /// The file.
        file: String,
        /// The name.
        name: String,
        /// The setting whose name is nearest.
        nearest: Option<String>,
    },
    /// A value in it is no text, number, truth value or list of these.
    #[error("{name} in {file} is {kind}: a setting is a text, a number, true or false, or a list")]
    Kind {
        /// The file.
        file: String,
        /// The setting.
        name: String,
        /// What it is instead.
        kind: &'static str,
    },
}

/// The end of a sentence about an unknown name.
pub(crate) fn nearest_of(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; the nearest is {name}")).unwrap_or_default()
}

/// A value of a file.
#[derive(Debug)]
pub struct GivenValue {
    /// The flag, without dashes before it.
    flag: String,
    /// The value as it would stand behind the flag.
    pub text: String,
    /// Where it stands.
    pub place: String,
}

/// The values of all files, each setting once.
#[derive(Debug, Default)]
pub struct Given(Vec<GivenValue>);

impl Given {
    /// The value of this setting.
    pub fn of(&self, argument: &Arg) -> Option<&GivenValue> {
        let flag = argument.get_long()?;
        self.0.iter().find(|value| value.flag == flag)
    }

    /// Of two values of one setting the first one counts.
    fn add(&mut self, value: GivenValue) {
        if !self.0.iter().any(|given| given.flag == value.flag) {
            self.0.push(value);
        }
    }
}

/// Reads `.env` in `folder` and the TOML file: the one that is named, which must be there, or
/// [`CONFIG_FILE`] in `folder` if it is.
///
/// # Errors
/// Any [`FileError`].
pub fn read(command: &Command, folder: &Path, named: Option<PathBuf>) -> Result<Given, FileError> {
    let mut given = Given::default();
    read_env(command, &folder.join(".env"), &mut given)?;
    let usual = folder.join(CONFIG_FILE);
    match named {
        Some(path) => read_toml(command, &path, &mut given)?,
        None if usual.exists() => read_toml(command, &usual, &mut given)?,
        None => {}
    }
    Ok(given)
}

/// All variables that are settings.
pub(crate) fn variables(command: &Command) -> BTreeSet<String> {
    all(command, &|argument| Some(argument.get_env()?.to_str()?.to_owned()))
}

fn flags(command: &Command) -> BTreeSet<String> {
    let mut flags = all(command, &|argument| argument.get_long().map(str::to_owned));
    // A file that names the next file is a riddle.
    flags.remove("config");
    flags
}

fn all(command: &Command, name: &dyn Fn(&Arg) -> Option<String>) -> BTreeSet<String> {
    let mut found: BTreeSet<_> = settings::settings_of(command).filter_map(name).collect();
    for subcommand in command.get_subcommands() {
        found.extend(all(subcommand, name));
    }
    found
}

/// The name among `names` that is most like `name`, if any is like it at all.
pub(crate) fn nearest(name: &str, names: &BTreeSet<String>) -> Option<String> {
    let likeness = names.iter().map(|known| (strsim::jaro_winkler(name, known), known));
    let best = likeness.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 >= LIKENESS_MIN).then(|| best.1.clone())
}

fn read_env(command: &Command, path: &Path, given: &mut Given) -> Result<(), FileError> {
    if !path.exists() {
        return Ok(());
    }
    let file = path.display().to_string();
    let known = variables(command);
    let lines = dotenvy::from_path_iter(path).map_err(|error| env_error(&file, error))?;
    for line in lines {
        let (name, text) = line.map_err(|error| env_error(&file, error))?;
        if !known.contains(&name) {
            if name.starts_with("ORDERD_") {
                let nearest = nearest(&name, &known);
                return Err(FileError::Unknown { file, name, nearest });
            }
            continue;
        }
        // Several commands have the same variable for flags of different names.
        for flag in all(command, &|argument| {
            let own = argument.get_env().is_some_and(|variable| variable == name.as_str());
            own.then(|| argument.get_long().map(str::to_owned)).flatten()
        }) {
            given.add(GivenValue { flag, text: text.clone(), place: file.clone() });
        }
    }
    Ok(())
}

/// A line of `.env` may hold a secret, so it isn't repeated.
fn env_error(file: &str, error: dotenvy::Error) -> FileError {
    let file = file.to_owned();
    match error {
        dotenvy::Error::Io(error) => FileError::Read { file, error },
        _ => FileError::Format { file, reason: "each line is NAME=value".to_owned() },
    }
}

fn read_toml(command: &Command, path: &Path, given: &mut Given) -> Result<(), FileError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| FileError::Read { file: file.clone(), error })?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        FileError::Format {
            file: file.clone(),
            reason: format!("line {line}: {}", error.message()),
        }
    })?;
    let known = flags(command);
    for (name, value) in table {
        let flag = name.replace('_', "-");
        if !known.contains(&flag) {
            let nearest = nearest(&flag, &known);
            return Err(FileError::Unknown { file, name, nearest });
        }
        let text = match text_of(&value) {
            Ok(text) => text,
            Err(kind) => return Err(FileError::Kind { file, name, kind }),
        };
        given.add(GivenValue { flag, text, place: file.clone() });
    }
    Ok(())
}

/// The value as it would stand behind its flag, or what it is instead.
fn text_of(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::Array(values) => {
            let texts: Result<Vec<_>, _> = values.iter().map(text_of).collect();
            Ok(texts?.join(","))
        }
        Value::Datetime(_) => Err("a date"),
        Value::Table(_) => Err("a table"),
    }
}
