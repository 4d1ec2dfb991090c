//! The command line: every setting with its flag, its environment variable and its default.
//!
//! It says what was asked for; whether that makes sense
//! together is decided by [`crate::app`], which knows what the parts can do.

mod brokers;
mod dead_letters;
mod http;
mod positions;
mod values;

use crate::cli::values::address;
use crate::cli::values::bytes;
use crate::cli::values::duration;
use crate::cli::values::host_name;
use crate::cli::values::log_filter;
use crate::cli::values::origin;
use crate::cli::values::rate;
use crate::cli::values::secret;
use crate::cli::values::share;
use crate::generate::Template;
use crate::order::validate::Profile;
use crate::topic::kafka::Share;
use clap::ArgGroup;
use clap::Args;
use clap::CommandFactory as _;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap::builder::BoolishValueParser;
use clap::builder::NonEmptyStringValueParser;
pub use clap_complete::Shell;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::dead_letters::EXAMPLES as DEAD_LETTERS_EXAMPLES;

pub use crate::cli::brokers::Kafka;
pub use crate::cli::dead_letters::{DeadLetters, DeadLettersAction, StateName, Which};
pub use crate::cli::http::HttpLimits;
pub use crate::cli::positions::{Positions, PositionsAction};

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

/// The settings of `orderd serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// The address to serve HTTP on; port 0 takes a free one.
    #[arg(long, env = "ORDERD_LISTEN", default_value = "127.0.0.1:8081", value_name = "ADDRESS",
        value_parser = address)]
    pub listen: SocketAddr,

    /// The folder of the embedded store and topic.
    #[arg(long, env = "ORDERD_DATA_DIR", default_value = "data", value_name = "FOLDER")]
    pub data_dir: PathBuf,

    /// The PostgreSQL database to keep orders in, instead of the embedded store.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true,
        value_parser = secret)]
    pub database_url: Option<SecretString>,

    /// How orders come in by Kafka, instead of the embedded topic.
    #[command(flatten)]
    pub kafka: Kafka,

    /// The consumer group that positions and offsets are kept for.
    #[arg(long, env = "KAFKA_GROUP", default_value = "orderd", value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new())]
    pub kafka_group: String,

    /// The topic that dead letters are copied to, such as orders_dlq: on Kafka if orders come from
    /// there, else in the data folder. They are kept in the database in either case.
    #[arg(long, env = "ORDERD_DEAD_LETTER_TOPIC", value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new())]
    pub dead_letter_topic: Option<String>,

    /// Read only every n-th partition: instance i of n, from 0, written i/n. Without it the client
    /// `rdkafka` shares the partitions among all members of the group, and `kafka` reads them all.
    #[arg(long, env = "ORDERD_INSTANCE", value_name = "I/N", allow_hyphen_values = true,
        value_parser = brokers::share)]
    pub instance: Option<Share>,

    /// How many orders the cache holds.
    #[arg(
        long,
        env = "ORDERD_CACHE_CAPACITY",
        default_value_t = 10_000,
        value_name = "COUNT",
        allow_negative_numbers = true
    )]
    pub cache_capacity: usize,

    /// How many bytes the orders in the cache have together, as they are served. An order that is
    /// larger than that by itself is never cached.
    #[arg(long, env = "ORDERD_CACHE_BYTES", default_value = "256MiB", value_name = "BYTES",
        allow_hyphen_values = true, value_parser = bytes)]
    pub cache_bytes: u64,

    /// How many of the newest orders are cached after a start.
    #[arg(
        long,
        env = "ORDERD_WARM_ORDERS",
        default_value_t = 1000,
        value_name = "COUNT",
        allow_negative_numbers = true
    )]
    pub warm_orders: usize,

    /// How many threads warm the cache; they share the connections of the database threads.
    #[arg(
        long,
        env = "ORDERD_WARM_THREADS",
        default_value_t = 50,
        value_name = "COUNT",
        allow_negative_numbers = true
    )]
    pub warm_threads: usize,

    /// The file that keeps the ids of the cached orders over a restart; they are warmed first.
    /// Without it `hot-set` in the data folder, if that is in use.
    #[arg(long, env = "ORDERD_HOT_SET_FILE", value_name = "FILE")]
    pub hot_set_file: Option<PathBuf>,

    /// How many threads, each with a connection of its own, read from the database.
    #[arg(long, env = "ORDERD_DATABASE_THREADS", default_value_t = 4, value_name = "COUNT",
        allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub database_threads: u16,

    /// The rules that orders must pass.
    #[arg(long, env = "ORDERD_VALIDATION", default_value = "lenient", value_name = "PROFILE")]
    pub validation: Validation,

    /// The server that runs the HTTP handlers. tiny_http is for closed networks only.
    #[arg(long, env = "ORDERD_HTTP_SERVER", default_value = "axum", value_name = "NAME")]
    pub http_server: HttpServer,

    /// What clients may cost the daemon.
    #[command(flatten)]
    pub http_limits: HttpLimits,

    /// How long a stop may take: the batch in hand is saved and requests are answered meanwhile.
    #[arg(long, env = "ORDERD_SHUTDOWN_DEADLINE", default_value = "5s", value_name = "TIME",
        allow_hyphen_values = true, value_parser = duration)]
    pub shutdown_deadline: Duration,

    /// Accept orders by POST /orders from whoever has this token. Off without it.
    #[arg(long, env = "ORDERD_WRITE_TOKEN", value_name = "TOKEN", hide_env_values = true,
        value_parser = secret)]
    pub write_token: Option<SecretString>,

    /// The names under which browsers reach the daemon, separated by commas. Orders are accepted
    /// only from requests to one of these, to localhost or to an address.
    #[arg(long, env = "ORDERD_PUBLIC_HOSTS", value_delimiter = ',', value_name = "NAMES",
        value_parser = host_name)]
    pub public_hosts: Vec<String>,

    /// The sites whose pages may read orders, separated by commas, such as
    /// `https://shop.example.com`. No other site's may, and none without it; writing is never
    /// shared.
    #[arg(long, env = "ORDERD_CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGINS",
        value_parser = origin)]
    pub cors_origins: Vec<String>,

    /// Make, send and return random orders on POST /random/{n}, for those who may write. A demo
    /// does.
    #[arg(long, env = "ORDERD_RANDOM", value_parser = BoolishValueParser::new())]
    pub random: bool,

    /// Produce orders in the daemon itself, and accept POST /orders without a token.
    #[arg(long, env = "ORDERD_DEMO", value_parser = BoolishValueParser::new())]
    pub demo: bool,

    /// The pause between two orders of the demo.
    #[arg(long, env = "ORDERD_DEMO_INTERVAL", default_value = "2s", value_name = "TIME",
        allow_hyphen_values = true, value_parser = duration)]
    pub demo_interval: Duration,

    /// Print every setting with where its value comes from, as a TOML file, and exit.
    #[arg(long)]
    pub print_config: bool,
}

/// The settings of `orderd produce`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("target")
    .args(["url", "kafka_brokers", "list_damage"])
    .required(true))]
pub struct Produce {
    /// A running daemon to send orders to, such as http://127.0.0.1:8081.
    #[arg(long, env = "ORDERD_URL", value_name = "URL")]
    pub url: Option<String>,

    /// The token that the daemon wants.
    #[arg(long, env = "ORDERD_WRITE_TOKEN", value_name = "TOKEN", hide_env_values = true,
        value_parser = secret)]
    pub token: Option<SecretString>,

    /// The Kafka to send orders to.
    #[command(flatten)]
    pub kafka: Kafka,

    /// The pause between two orders.
    #[arg(long, default_value = "2s", value_name = "TIME", allow_hyphen_values = true,
        value_parser = duration, conflicts_with = "rate")]
    pub interval: Duration,

    /// How many orders a second; 0 is as fast as they are taken.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = rate)]
    pub rate: Option<f64>,

    /// How many orders; without an end if not given.
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    pub count: Option<u64>,

    /// The seed of the orders; the same seed gives the same orders. Drawn if it is 0 or not given.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub seed: Option<u64>,

    /// The share of messages that are damaged on purpose, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", allow_negative_numbers = true,
        value_parser = share)]
    pub bad: f64,

    /// Print the kinds of damage that --bad does, one a line: name, code and description, separated
    /// by tabs.
    #[arg(long)]
    pub list_damage: bool,

    /// What the orders are made from.
    #[arg(long, default_value = "random", value_name = "TEMPLATE")]
    pub template: TemplateName,
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

/// The rules that orders must pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Validation {
    /// What every known producer sends.
    Lenient,
    /// Adds consistency and formats.
    Strict,
}

impl From<Validation> for Profile {
    fn from(validation: Validation) -> Self {
        match validation {
            Validation::Lenient => Self::Lenient,
            Validation::Strict => Self::Strict,
        }
    }
}

/// The servers that can run the HTTP handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HttpServer {
    /// Survives hostile clients.
    Axum,
    /// Blocking threads and no async, for closed networks.
    #[value(name = "tiny_http")]
    TinyHttp,
}

/// What produced orders are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TemplateName {
    /// The sample order with new ids and times.
    #[value(name = "model.json")]
    Model,
    /// Everything made up.
    Random,
}

impl From<TemplateName> for Template {
    fn from(name: TemplateName) -> Self {
        match name {
            TemplateName::Model => Self::Model,
            TemplateName::Random => Self::Random,
        }
    }
}

/// The script that completes the commands and flags of `orderd` in this shell. In one piece, since
/// its generator panics when what it writes to is closed.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "orderd", &mut script);
    script
}
