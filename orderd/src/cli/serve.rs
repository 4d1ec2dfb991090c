//! The settings of the daemon.

use crate::cli::brokers;
use crate::cli::brokers::Kafka;
use crate::cli::http::HttpLimits;
use crate::cli::values::address;
use crate::cli::values::bytes;
use crate::cli::values::duration;
use crate::cli::values::host_name;
use crate::cli::values::origin;
use crate::cli::values::secret;
use crate::order::validate::Profile;
use crate::topic::kafka::Share;
use clap::Args;
use clap::ValueEnum;
use clap::builder::BoolishValueParser;
use clap::builder::NonEmptyStringValueParser;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
