//! The settings that say where Kafka is and how it is spoken to.

use crate::cli::values::secret;
use crate::topic::kafka::Client;
use crate::topic::kafka::Sasl;
use crate::topic::kafka::Security;
use crate::topic::kafka::Share;
use crate::topic::kafka::Tls;
use clap::Args;
use clap::ValueEnum;
use clap::builder::BoolishValueParser;
use clap::builder::NonEmptyStringValueParser;
use secrecy::SecretString;
use std::path::PathBuf;

/// Where Kafka is.
#[derive(Clone, Debug, Args)]
pub struct Kafka {
    /// The brokers to begin with, `host:port`, separated by commas.
    #[arg(long, env = "KAFKA_BROKERS", value_delimiter = ',', value_name = "BROKERS")]
    pub kafka_brokers: Vec<String>,

    /// The topic of the orders.
    #[arg(long, env = "KAFKA_TOPIC", default_value = "orders", value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new())]
    pub kafka_topic: String,

    /// How many partitions the topic gets if it has to be made.
    #[arg(long, env = "KAFKA_PARTITIONS", default_value_t = 1, value_name = "COUNT",
        allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub kafka_partitions: i32,

    /// The client library: kafka for brokers up to 3.9, rdkafka for all, auto asks the broker.
    #[arg(long, env = "ORDERD_KAFKA_CLIENT", default_value = "auto", value_name = "NAME")]
    pub kafka_client: KafkaClient,

    /// Connect to the brokers with TLS.
    #[arg(long, env = "KAFKA_TLS", value_parser = BoolishValueParser::new())]
    pub kafka_tls: bool,

    /// The authorities that may have signed a broker's certificate, as PEM; the system's without
    /// it.
    #[arg(long, env = "KAFKA_CA_FILE", value_name = "FILE", requires = "kafka_tls")]
    pub kafka_ca_file: Option<PathBuf>,

    /// Prove to the brokers who connects, in this way. PLAIN shows the password to whoever listens,
    /// unless there is TLS.
    #[arg(long, env = "KAFKA_SASL_MECHANISM", value_name = "NAME",
        requires_all = ["kafka_user", "kafka_password"])]
    pub kafka_sasl_mechanism: Option<Mechanism>,

    /// The user that connects.
    #[arg(long, env = "KAFKA_USER", value_name = "NAME", requires = "kafka_sasl_mechanism",
        value_parser = NonEmptyStringValueParser::new())]
    pub kafka_user: Option<String>,

    /// The user's password. Better given by its variable: everybody sees a command line.
    #[arg(long, env = "KAFKA_PASSWORD", value_name = "PASSWORD", hide_env_values = true,
        requires = "kafka_sasl_mechanism", value_parser = secret)]
    pub kafka_password: Option<SecretString>,
}

impl Kafka {
    /// How the brokers are connected to.
    pub fn security(&self) -> Security {
        let tls = self.kafka_tls.then(|| Tls { ca_file: self.kafka_ca_file.clone() });
        let user = self.kafka_user.as_ref().zip(self.kafka_password.as_ref());
        let sasl = self.kafka_sasl_mechanism.zip(user).map(|(mechanism, (user, password))| Sasl {
            mechanism: mechanism.as_str().to_owned(),
            user: user.clone(),
            password: password.clone(),
        });
        Security { tls, sasl }
    }
}

/// The client libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KafkaClient {
    /// `kafka` if the brokers and the settings allow it, else `rdkafka`.
    Auto,
    /// Pure Rust.
    Kafka,
    /// librdkafka.
    Rdkafka,
}

impl From<KafkaClient> for Client {
    fn from(client: KafkaClient) -> Self {
        match client {
            KafkaClient::Auto => Self::Auto,
            KafkaClient::Kafka => Self::Kafka,
            KafkaClient::Rdkafka => Self::Rdkafka,
        }
    }
}

/// The ways of proving who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mechanism {
    /// The password itself.
    #[value(name = "PLAIN")]
    Plain,
    /// A proof of the password by SHA-256.
    #[value(name = "SCRAM-SHA-256")]
    ScramSha256,
    /// A proof of the password by SHA-512.
    #[value(name = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Mechanism {
    fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// An instance's number and how many there are, such as `0/3`.
pub(super) fn share(text: &str) -> Result<Share, String> {
    let share = text
        .split_once('/')
        .and_then(|(instance, count)| Some((instance.parse().ok()?, count.parse().ok()?)))
        .map(|(instance, count)| Share { instance, count });
    share.filter(|share| share.instance < share.count).ok_or_else(|| {
        "an instance is its number from 0, a slash and how many there are: 0/3, 1/3 or 2/3"
            .to_owned()
    })
}
