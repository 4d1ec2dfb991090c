//! The settings of the producer.

use crate::cli::brokers::Kafka;
use crate::cli::values::duration;
use crate::cli::values::rate;
use crate::cli::values::secret;
use crate::cli::values::share;
use crate::generate::Template;
use clap::ArgGroup;
use clap::Args;
use clap::ValueEnum;
use secrecy::SecretString;
use std::time::Duration;

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
