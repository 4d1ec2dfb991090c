//! Which client library a source or sink is opened with.
//!
//! Asked at every opening and not once for all: brokers are upgraded, and topics meet a new
//! compression, while the daemon runs.

use crate::topic::TopicError;
use crate::topic::kafka::Client;
use crate::topic::kafka::Shared;
use crate::topic::kafka::create;
use crate::topic::kafka::probe::Unfit;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// The client to open with.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    /// The crate `kafka`, which begins at this broker.
    Kafka { bootstrap: String },
    #[cfg(feature = "rdkafka")]
    Rdkafka,
}

/// What earlier openings have found out.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// A compression was met that the crate `kafka` can't read.
    beyond_kafka: AtomicBool,
    /// What was logged last.
    told: Mutex<Option<&'static str>>,
}

impl Memory {
    fn tell(&self, shared: &Shared, client: &'static str, why: &'static str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.replace(client) != Some(client) {
            tracing::info!(topic = shared.settings.topic, client, why, "client for Kafka");
        }
    }
}

impl Shared {
    /// Notes that the topic holds messages that the crate `kafka` can't read. Returns whether the
    /// next opening will take a client that can.
    pub(super) fn met_other_compression(&self) -> bool {
        self.choice.beyond_kafka.store(true, Ordering::Relaxed);
        cfg!(feature = "rdkafka") && self.settings.client == Client::Auto
    }
}

/// Chooses the client. For the crate `kafka` the topic is there afterwards, and its brokers have
/// answered.
///
/// # Errors
/// As [`crate::topic::OpenSource::open`].
pub(super) fn choose(shared: &Shared) -> Result<Choice, TopicError> {
    let settings = &shared.settings;
    let memory = &shared.choice;
    #[cfg(feature = "rdkafka")]
    {
        let why = match settings.client {
            Client::Rdkafka => Some("--kafka-client asks for it"),
            Client::Kafka => None,
            Client::Auto if settings.security.is_asked() => Some("TLS or SASL is asked for"),
            Client::Auto if memory.beyond_kafka.load(Ordering::Relaxed) => {
                Some("the topic holds messages compressed with lz4 or zstd")
            }
            Client::Auto => None,
        };
        if let Some(why) = why {
            memory.tell(shared, "rdkafka", why);
            return Ok(Choice::Rdkafka);
        }
    }
    match create::prepare(shared) {
        Ok(bootstrap) => {
            let why = match settings.client {
                Client::Kafka => "--kafka-client asks for it",
                Client::Auto | Client::Rdkafka => "every broker speaks its protocol",
            };
            memory.tell(shared, "kafka", why);
            Ok(Choice::Kafka { bootstrap })
        }
        #[cfg(feature = "rdkafka")]
        Err(Unfit::Young { .. }) if settings.client == Client::Auto => {
            memory.tell(shared, "rdkafka", "a broker is Kafka 4.0 or later");
            Ok(Choice::Rdkafka)
        }
        Err(unfit) => Err(unfit.into_error()),
    }
}

impl Unfit {
    /// The same for the operator.
    pub(super) fn into_error(self) -> TopicError {
        match self {
            Self::Young { address } => {
                let remedy = if cfg!(feature = "rdkafka") {
                    "use --kafka-client rdkafka (ORDERD_KAFKA_CLIENT)"
                } else {
                    "this orderd was built without the client `rdkafka` (cargo feature `rdkafka`)"
                };
                TopicError::Configuration(format!(
                    "the broker {address} of --kafka-brokers (KAFKA_BROKERS) is Kafka 4.0 or \
                     later, and the client `kafka` reads brokers up to 3.9: {remedy}"
                ))
            }
            Self::Topic(error) => error,
        }
    }
}
