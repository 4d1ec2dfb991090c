//! The command line: every setting with its flag, its environment variable and its default.
//!
//! It says what was asked for; whether that makes sense together is decided by [`crate::app`], which
//! knows what the parts can do. A command with many settings has a module of its name.

mod brokers;
mod dead_letters;
mod http;
mod positions;
mod produce;
mod serve;
mod values;

use crate::cli::values::log_filter;
use crate::cli::values::secret;
use clap::Args;
use clap::CommandFactory as _;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
pub use clap_complete::Shell;
use secrecy::SecretString;
use std::path::PathBuf;

use crate::cli::dead_letters::EXAMPLES as DEAD_LETTERS_EXAMPLES;

pub use crate::cli::brokers::Kafka;
pub use crate::cli::dead_letters::{DeadLetters, DeadLettersAction, StateName, Which};
pub use crate::cli::http::HttpLimits;
pub use crate::cli::positions::{Positions, PositionsAction};
pub use crate::cli::produce::{Produce, TemplateName};
pub use crate::cli::serve::{HttpServer, Serve, Validation};

/// Takes orders from a Kafka topic, saves them in PostgreSQL and serves them over HTTP from a
/// cache.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    /// What is logged to standard error: a level, or a filter such as `info,orderd::ingest=debug`.
    #[arg(long, env = "ORDERD_LOG", default_value = "info", global = true, value_name = "FILTER",
        value_parser = log_filter)]
    pub log: String,

    /// How a line of the log is written.
    #[arg(
        long,
        env = "ORDERD_LOG_FORMAT",
        default_value = "text",
        global = true,
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,

    /// A TOML file of settings, by their flags: `cache-capacity = 5000`. Without it orderd.toml is
    /// read if it is there.
    #[arg(long, env = "ORDERD_CONFIG", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `orderd` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon until SIGINT or SIGTERM.
    ///
    /// Without --database-url orders are kept in one file in the data folder; without
    /// --kafka-brokers they come through a topic in the same file.
    #[command(after_help = "Examples:\n  \
        orderd serve --demo\n  \
        orderd serve --database-url postgresql://orders:secret@localhost/orders \
        --kafka-brokers localhost:9092\n  \
        orderd serve --config orders.toml --print-config\n\n\
        A flag wins over its variable, that over a line of the file .env, that over the TOML \
        file.")]
    Serve(Serve),
    /// Check the settings of `serve` without starting it: exit status 0 if they are right.
    ///
    /// Servers are not asked. With --print-config the settings are printed too.
    #[command(after_help = "Examples:\n  \
        orderd check-config\n  \
        orderd check-config --config orders.toml --print-config")]
    CheckConfig(Serve),
    /// Produce orders, to Kafka or to a running daemon, and print the id of each.
    #[command(after_help = "Examples:\n  \
        orderd produce --url http://127.0.0.1:8081 --interval 2s\n  \
        orderd produce --kafka-brokers localhost:9092 --count 10000 --rate 500 --bad 0.01 \
        --seed 7")]
    Produce(Produce),
    /// Bring the schema of the database up to date and exit.
    #[command(after_help = "Example:\n  \
        orderd migrate --database-url postgresql://orders:secret@localhost/orders")]
    Migrate(Migrate),
    /// Show or move the positions that ingest goes on from.
    ///
    /// Needed when a topic was cut or made anew, so that a stored position lies beyond its end. A
    /// running daemon notices within a minute. The embedded store can only be opened while no
    /// daemon has it open.
    #[command(after_help = "Examples:\n  \
        orderd positions list --database-url postgresql://orders:secret@localhost/orders\n  \
        orderd positions set --partition 2 --offset 0")]
    Positions(Positions),
    /// Ask a running daemon whether it is ready: exit status 0 if it is.
    #[command(after_help = "Example:\n  \
        orderd health --url http://127.0.0.1:8081")]
    Health {
        /// The daemon.
        #[arg(
            long,
            env = "ORDERD_URL",
            default_value = "http://127.0.0.1:8081",
            value_name = "URL"
        )]
        url: String,
    },
    /// List, show, replay or drop what can't be saved as an order.
    ///
    /// A replay decodes the stored bytes again with the rules of --validation and saves the order;
    /// running daemons learn of it. The embedded store can only be opened while no daemon has it
    /// open; a daemon that runs replays and drops over HTTP.
    #[command(after_help = DEAD_LETTERS_EXAMPLES)]
    DeadLetters(DeadLetters),
    /// Print a script that completes commands and flags in a shell.
    #[command(after_help = "Examples:\n  \
        orderd completions bash > /etc/bash_completion.d/orderd\n  \
        orderd completions zsh > ~/.zfunc/_orderd")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Where orders and positions are kept.
#[derive(Clone, Debug, Args)]
pub struct Kept {
    /// The PostgreSQL database, instead of the embedded store.
    #[arg(long, global = true, env = "DATABASE_URL", value_name = "URL", hide_env_values = true,
        value_parser = secret)]
    pub database_url: Option<SecretString>,

    /// The folder of the embedded store.
    #[arg(
        long,
        global = true,
        env = "ORDERD_DATA_DIR",
        default_value = "data",
        value_name = "FOLDER"
    )]
    pub data_dir: PathBuf,
}

/// The settings of `orderd migrate`.
#[derive(Clone, Debug, Args)]
pub struct Migrate {
    /// The PostgreSQL database.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true,
        value_parser = secret)]
    pub database_url: SecretString,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one object a line, with the fields of the event and of its request.
    Json,
}

/// The script that completes the commands and flags of `orderd` in this shell. In one piece, since
/// its generator panics when what it writes to is closed.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "orderd", &mut script);
    script
}
