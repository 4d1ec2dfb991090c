//! The settings from all their places: flags, the environment, `.env`, one TOML file, defaults.
//!
//! The command line of [`crate::cli`] says which settings there are; this module only puts values
//! beneath it. What a file gives becomes the *default* of its argument before the arguments are
//! read, so that a flag wins over a variable, a variable over `.env`, `.env` over the TOML file and
//! that over what is built in, and so that a value is checked the same way wherever it stands.
//!
//! A name that is no setting is refused with the nearest one, in a file and in a variable that
//! begins with `ORDERD_`: a misspelt setting that is passed over is found on the day it is needed.
//! A secret's value is never printed, wherever it came from.

pub mod files;
pub mod shown;

use crate::cli::Cli;
use crate::settings::files::FileError;
use crate::settings::files::Given;
use crate::settings::shown::Shown;
use clap::Arg;
use clap::ArgMatches;
use clap::Command;
use clap::CommandFactory as _;
use clap::FromArgMatches as _;
use clap::Id;
use clap::error::ContextKind;
use clap::parser::ValueSource;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The command line can't be read, or asks for help. `place` is the file or variable that the
    /// value comes from, if it isn't a flag.
    #[error("{error}")]
    Arguments {
        /// What the reader of the command line says.
        #[source]
        error: Box<clap::Error>,
        /// Where the value stands.
        place: Option<String>,
    },
    /// A file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A variable that is meant for `orderd` is no setting.
    #[error("the variable {name} is no setting{}", files::nearest_of(.nearest.as_deref()))]
    Variable {
        /// The variable.
        name: String,
        /// The setting whose name is nearest.
        nearest: Option<String>,
    },
}

impl SettingsError {
    /// Tells the user, on standard output for what was asked for and on standard error otherwise.
    /// Returns the exit status: 0 for help, 2 for what has to be typed otherwise.
    pub fn tell(&self) -> u8 {
        // There is nobody left to tell when the stream is closed.
        let Self::Arguments { error, place } = self else {
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr().lock(),
                format_args!("orderd: {self}\n"),
            );
            return 2;
        };
        let _ = error.print();
        if let Some(place) = place {
            let line = format_args!("\nThe value is from {place}.\n");
            let _ = std::io::Write::write_fmt(&mut std::io::stderr().lock(), line);
        }
        u8::try_from(error.exit_code()).unwrap_or(2)
    }
}

/// What was asked for, and where each setting of it comes from.
#[derive(Debug)]
pub struct Settings {
    /// The command and its settings.
    pub cli: Cli,
    /// The settings of the command as they are shown, secrets hidden.
    pub shown: Vec<Shown>,
}

/// Reads `arguments`, the environment, and the files `.env` and `orderd.toml` in `folder`, or the
/// file of `--config`.
///
/// # Errors
/// Any [`SettingsError`].
pub fn read(arguments: &[OsString], folder: &Path) -> Result<Settings, SettingsError> {
    let command = Cli::command();
    refuse_unknown_variables(&command)?;
    let given = files::read(&command, folder, config_path(&command, arguments))?;
    let command = beneath(command, &given);
    let matches = command
        .clone()
        .try_get_matches_from(arguments)
        .map_err(|error| with_place(&command, &given, arguments, error))?;
    let cli = Cli::from_arg_matches(&matches)
        .map_err(|error| SettingsError::Arguments { error: Box::new(error), place: None })?;
    let shown = of_command(&command, &matches, &given);
    Ok(Settings { cli, shown })
}

/// The settings of a command: what can be given otherwise than by a flag.
pub fn settings_of(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| argument.get_env().is_some())
}

/// The file that `--config` or its variable names. What else the command line says, right or wrong,
/// is not looked at.
fn config_path(command: &Command, arguments: &[OsString]) -> Option<PathBuf> {
    let matches = command.clone().ignore_errors(true).try_get_matches_from(arguments).ok()?;
    matches.get_one::<PathBuf>("config").cloned()
}

/// The command with what the files give as the defaults of its arguments. A group of which one must
/// be given is content with a file's.
fn beneath(command: Command, given: &Given) -> Command {
    let of = |argument: &Arg| argument.get_env().and_then(|_| given.of(argument));
    let content: Vec<_> = command
        .get_groups()
        .filter(|group| {
            let mut members = group.get_args().filter_map(|id| find_argument(&command, id));
            members.any(|argument| of(argument).is_some())
        })
        .map(|group| group.get_id().clone())
        .collect();
    let command = command.mut_args(|argument| match of(&argument) {
        Some(value) => argument.required(false).default_value(value.text.clone()),
        None => argument,
    });
    let command = content
        .into_iter()
        .fold(command, |command, id| command.mut_group(id, |group| group.required(false)));
    command.mut_subcommands(|command| beneath(command, given))
}

fn find_argument<'c>(command: &'c Command, id: &Id) -> Option<&'c Arg> {
    command.get_arguments().find(|argument| argument.get_id() == id)
}

/// The command that was chosen, with its settings.
fn of_command(command: &Command, matches: &ArgMatches, given: &Given) -> Vec<Shown> {
    let mut shown: Vec<_> = settings_of(command)
        .filter(|argument| argument.get_id() != "config")
        .map(|argument| {
            let id = argument.get_id().as_str();
            let place = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => "the command line".to_owned(),
                Some(ValueSource::EnvVariable) => variable_place(argument),
                Some(_) => {
                    given.of(argument).map_or_else(|| "default".to_owned(), |v| v.place.clone())
                }
                None => "default".to_owned(),
            };
            let raw = matches.get_raw(id).into_iter().flatten();
            let values = raw.map(|value| value.to_string_lossy().into_owned()).collect();
            Shown::new(argument, values, place)
        })
        .collect();
    if let Some((name, matches)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        shown.extend(of_command(command, matches, given));
    }
    shown
}

fn variable_place(argument: &Arg) -> String {
    let name = argument.get_env().unwrap_or_default().to_string_lossy();
    format!("the variable {name}")
}

/// Says where a refused value stands, if it is not on the command line itself.
fn with_place(
    command: &Command,
    given: &Given,
    arguments: &[OsString],
    error: clap::Error,
) -> SettingsError {
    let flag = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let flag = flag.split([' ', '=']).next().unwrap_or_default().to_owned();
    let typed = arguments.iter().any(|argument| {
        let argument = argument.to_string_lossy();
        argument == flag || argument.starts_with(&format!("{flag}="))
    });
    let argument = (!typed).then(|| find_setting(command, flag.trim_start_matches('-'))).flatten();
    let place = argument.and_then(|argument| {
        let in_variable = argument.get_env().is_some_and(|name| std::env::var_os(name).is_some());
        let in_file = || given.of(argument).map(|value| value.place.clone());
        if in_variable { Some(variable_place(argument)) } else { in_file() }
    });
    SettingsError::Arguments { error: Box::new(error), place }
}

/// The setting of that flag, in whichever command.
pub(crate) fn find_setting<'c>(command: &'c Command, flag: &str) -> Option<&'c Arg> {
    settings_of(command)
        .find(|argument| argument.get_long() == Some(flag))
        .or_else(|| command.get_subcommands().find_map(|subcommand| find_setting(subcommand, flag)))
}

/// Variables that begin with `ORDERD_` and are not settings: those of the tests, and of a build
/// that is made to be killed.
const FOREIGN: &[&str] = &["ORDERD_TEST_", "ORDERD_CRASH_", "ORDERD_DRILL"];

fn refuse_unknown_variables(command: &Command) -> Result<(), SettingsError> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| name.starts_with("ORDERD_")) {
        let foreign = FOREIGN.iter().any(|prefix| name.starts_with(prefix));
        if !foreign && !files::variables(command).contains(&name) {
            let nearest = files::nearest(&name, &files::variables(command));
            return Err(SettingsError::Variable { name, nearest });
        }
    }
    Ok(())
}
