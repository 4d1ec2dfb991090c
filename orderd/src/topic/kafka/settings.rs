//! Which topic of which Kafka, through which client, and whether these settings can be right.

use crate::topic::TopicError;
use secrecy::SecretString;
use std::path::PathBuf;

/// The longest name that a broker takes for a topic.
const TOPIC_NAME_MAX: usize = 249;

/// Which topic, and how it is used.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port` of at least one broker, separated by commas (`--kafka-brokers`).
    pub brokers: String,
    /// The topic's name (`--kafka-topic`).
    pub topic: String,
    /// The group under which progress is shown to lag tools (`--kafka-group`).
    pub group: String,
    /// How many partitions the topic gets if it has to be made.
    pub partitions: i32,
    /// The largest message, in bytes, that is read or written. Bounds the memory of one fetch.
    pub message_bytes_max: i32,
    /// Which client library speaks to the brokers (`--kafka-client`).
    pub client: Client,
    /// How the brokers are connected to.
    pub security: Security,
    /// Which share of the partitions is read, if that is fixed (`--instance`).
    pub share: Option<Share>,
}

/// The client libraries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Client {
    /// `kafka` if the brokers and the settings allow it, else `rdkafka`.
    #[default]
    Auto,
    /// Pure Rust, for brokers up to 3.9, without TLS, SASL, lz4 and zstd.
    Kafka,
    /// librdkafka, for all brokers, with consumer groups.
    Rdkafka,
}

/// How the brokers are connected to.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// Whether connections are encrypted (`--kafka-tls`).
    pub tls: Option<Tls>,
    /// Who connects (`--kafka-sasl-mechanism`).
    pub sasl: Option<Sasl>,
}

impl Security {
    /// Whether anything is asked for that a plain connection doesn't give.
    pub fn is_asked(&self) -> bool {
        self.tls.is_some() || self.sasl.is_some()
    }
}

/// Encrypted connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The authorities that a broker's certificate may come from, as PEM (`--kafka-ca-file`); the
    /// system's without it.
    pub ca_file: Option<PathBuf>,
}

/// Who connects.
#[derive(Clone, Debug)]
pub struct Sasl {
    /// How the password is proved: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The user (`--kafka-user`).
    pub user: String,
    /// The password (`--kafka-password`).
    pub password: SecretString,
}

/// One of several instances that share the partitions by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which instance this is, from 0.
    pub instance: u16,
    /// How many there are.
    pub count: u16,
}

impl Share {
    /// Whether this instance reads the partition.
    pub fn has(self, partition: i32) -> bool {
        partition.rem_euclid(i32::from(self.count.max(1))) == i32::from(self.instance)
    }
}

impl KafkaSettings {
    /// Whether this instance reads the partition as far as that is fixed by a setting.
    pub(in crate::topic) fn reads(&self, partition: i32) -> bool {
        self.share.is_none_or(|share| share.has(partition))
    }

    /// The brokers, one by one, after a look at all other settings.
    pub(super) fn check(&self) -> Result<Vec<String>, TopicError> {
        let brokers = parse_brokers(&self.brokers)?;
        check_topic(self)?;
        check_client(self)?;
        Ok(brokers)
    }
}

fn parse_brokers(brokers: &str) -> Result<Vec<String>, TopicError> {
    let mut parsed = Vec::new();
    for broker in brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()) {
        let port = broker.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none_or(|port| port == 0) {
            return Err(TopicError::Configuration(format!(
                "the broker `{broker}` of --kafka-brokers (KAFKA_BROKERS) is not host:port"
            )));
        }
        parsed.push(broker.to_owned());
    }
    if parsed.is_empty() {
        let sentence = "--kafka-brokers (KAFKA_BROKERS) names no broker: give host:port";
        return Err(TopicError::Configuration(sentence.to_owned()));
    }
    Ok(parsed)
}

fn check_topic(settings: &KafkaSettings) -> Result<(), TopicError> {
    let topic = settings.topic.as_str();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let sentence = if topic.is_empty()
        || topic.len() > TOPIC_NAME_MAX
        || matches!(topic, "." | "..")
        || !topic.chars().all(legal)
    {
        format!(
            "--kafka-topic `{topic}` is no name for a topic: use up to {TOPIC_NAME_MAX} letters, \
             digits, dots, underscores and hyphens"
        )
    } else if settings.group.is_empty() {
        "--kafka-group is empty: name the group that progress is shown under".to_owned()
    } else if settings.partitions < 1 {
        format!("a topic can't be made with {} partitions: ask for 1 or more", settings.partitions)
    } else if settings.message_bytes_max < 1 {
        "the largest message has to be allowed 1 byte or more".to_owned()
    } else {
        return Ok(());
    };
    Err(TopicError::Configuration(sentence))
}

fn check_client(settings: &KafkaSettings) -> Result<(), TopicError> {
    let secured = settings.security.is_asked();
    let lacking = !cfg!(feature = "rdkafka");
    let sentence = match settings.client {
        Client::Kafka if secured => {
            "the client `kafka` (--kafka-client) has neither TLS nor SASL: use `rdkafka` or `auto`"
        }
        Client::Rdkafka if lacking => {
            "--kafka-client asks for `rdkafka`, and this orderd was built without it (cargo \
             feature `rdkafka`)"
        }
        Client::Auto if secured && lacking => {
            "--kafka-tls and --kafka-sasl-mechanism need the client `rdkafka`, and this orderd was \
             built without it (cargo feature `rdkafka`)"
        }
        Client::Auto | Client::Kafka | Client::Rdkafka => return Ok(()),
    };
    Err(TopicError::Configuration(sentence.to_owned()))
}

#[cfg(test)]
mod tests {
    use crate::topic::TopicError;
    use crate::topic::kafka::settings::Share;
    use crate::topic::kafka::settings::parse_brokers;

    /// Issue: `--kafka-brokers` names any number of brokers.
    #[test]
    fn brokers_are_host_and_port_separated_by_commas() {
        assert_eq!(parse_brokers("a:1, [::1]:2,,b.c:3").unwrap(), ["a:1", "[::1]:2", "b.c:3"]);
    }

    /// Issue: a malformed setting is one sentence that names the thing and the setting.
    #[test]
    fn a_malformed_broker_is_named_with_its_setting() {
        for wrong in ["", ",", "a", "a:", ":1", "a:x", "a:0", "a:70000", "ok:1,bad"] {
            let Err(TopicError::Configuration(sentence)) = parse_brokers(wrong) else {
                panic!("{wrong} was taken");
            };
            assert!(sentence.contains("--kafka-brokers"), "{sentence}");
        }
    }

    /// Issue: instances share the partitions; each has exactly one reader.
    #[test]
    fn each_partition_belongs_to_one_instance() {
        for count in 1..5 {
            for partition in 0..20 {
                let owners =
                    (0..count).filter(|&instance| Share { instance, count }.has(partition));
                assert_eq!(owners.count(), 1, "partition {partition} of {count} instances");
            }
        }
    }
}
