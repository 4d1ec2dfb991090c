//! A topic on Apache Kafka, through whichever of two client libraries fits the brokers.
//!
//! This folder is the topic itself, the choice between the clients (`choice`), and the source and
//! sink of the pure-Rust crate `kafka`, for brokers up to 3.9. The other client, `rdkafka`, has a
//! folder of its own.
//!
//! The crate `kafka` speaks the protocol of 2015, never reconnects, and loses messages in its
//! `Consumer`. So only its `KafkaClient` is used, positions are the caller's, every fetch is
//! checked for gaps, and any error means that the whole source or sink is dropped and opened again.
//! What it can't do, or can't do within a deadline, goes over a plain socket with the codec
//! `kafka-protocol`: asking who is there, making the topic, and committing group offsets.
//!
//! Invariants:
//! * Nothing is read or written with the crate `kafka` before every broker concerned has answered
//!   on a plain socket, and is old enough for it. A silent broker costs `probe::WAIT` and not the
//!   client's 120 s.
//! * No message is passed over unless no size of fetch shows it; then it is counted and logged.
//!
//! What remains of that crate's faults, for the owner's supervision:
//! * A broker that falls silent in the middle of a fetch or a produce holds the caller for up to
//!   120 s. Looking up a host's name takes as long as the system's resolver does.
//! * It can panic: on a topic's partition numbers that aren't dense, on a negative or absurd length
//!   in an answer, on an answer about a topic that wasn't asked for, and (with debug assertions) on
//!   a message with trailing bytes. The owner catches panics and opens again.
//! * It can't tell what a transaction rolled back: such messages are read like all others.
//! * A partition with messages compressed by lz4 or zstd can't be read.

mod choice;
mod create;
mod group_offsets;
mod partition;
mod probe;
mod settings;
mod sink;
mod source;
mod window;
mod wire;

use crate::clock::Clock;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use crate::topic::OpenSink;
use crate::topic::OpenSource;
use crate::topic::Sink;
use crate::topic::Source;
use crate::topic::TopicError;
use crate::topic::kafka::choice::Choice;
use kafka::client::KafkaClient;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

pub use settings::Client;
pub use settings::KafkaSettings;
pub use settings::Sasl;
pub use settings::Security;
pub use settings::Share;
pub use settings::Tls;

/// Opens sources and sinks on one topic of Kafka.
#[derive(Clone, Debug)]
pub struct KafkaTopic(Arc<Shared>);

/// What all sources and sinks of one topic share.
#[derive(Debug)]
pub(in crate::topic) struct Shared {
    pub(in crate::topic) settings: KafkaSettings,
    brokers: Vec<String>,
    pub(in crate::topic) clock: Clock,
    pub(in crate::topic) stop: StopToken,
    offsets: group_offsets::Mailbox,
    skipped: AtomicU64,
    choice: choice::Memory,
}

impl KafkaTopic {
    /// Checks the settings and starts the thread that commits group offsets, as a member of `crew`.
    /// Reaches no broker yet.
    ///
    /// # Errors
    /// `Configuration` if a setting can't be right; `Outage` if the system has no thread left.
    pub fn start(crew: &Crew, clock: Clock, settings: KafkaSettings) -> Result<Self, TopicError> {
        let brokers = settings.check()?;
        let shared = Arc::new(Shared {
            brokers,
            clock,
            stop: crew.stop_token().clone(),
            offsets: group_offsets::Mailbox::default(),
            skipped: AtomicU64::new(0),
            choice: choice::Memory::default(),
            settings,
        });
        let committed = Arc::clone(&shared);
        crew.spawn_restarting("kafka-group-offsets", move |stop| {
            group_offsets::run(&committed, stop);
        })
        .map_err(|error| shared.outage(format_args!("no thread for group offsets: {error}")))?;
        Ok(Self(shared))
    }

    /// How many offsets all sources of this topic have passed over because the log has no message
    /// there any more (compaction, control records of transactions).
    pub fn skipped(&self) -> u64 {
        self.0.skipped.load(Ordering::Relaxed)
    }
}

impl OpenSource for KafkaTopic {
    fn open(&self) -> Result<Box<dyn Source>, TopicError> {
        match choice::choose(&self.0)? {
            Choice::Kafka { bootstrap } => {
                let client = self.0.client(bootstrap)?;
                Ok(Box::new(source::KafkaSource::new(client, Arc::clone(&self.0))))
            }
            #[cfg(feature = "rdkafka")]
            Choice::Rdkafka => crate::topic::rdkafka::source(&self.0),
        }
    }

    fn name(&self) -> String {
        format!("kafka://{}/{}", self.0.brokers.join(","), self.0.settings.topic)
    }
}

impl OpenSink for KafkaTopic {
    fn open(&self) -> Result<Box<dyn Sink>, TopicError> {
        match choice::choose(&self.0)? {
            Choice::Kafka { bootstrap } => {
                let client = self.0.client(bootstrap)?;
                Ok(Box::new(sink::KafkaSink::new(client, Arc::clone(&self.0))))
            }
            #[cfg(feature = "rdkafka")]
            Choice::Rdkafka => crate::topic::rdkafka::sink(&self.0),
        }
    }
}

impl Shared {
    /// A client that knows every partition's leader, after each of these has answered.
    fn client(&self, bootstrap: String) -> Result<KafkaClient, TopicError> {
        // Only a broker that answered a moment ago: the client would wait 120 s for a silent one.
        let mut client = KafkaClient::new(vec![bootstrap]);
        client.set_client_id("orderd".to_owned());
        // Without it a fetch of a few bytes waits for more although some are there.
        client.set_fetch_min_bytes(1);
        self.load_metadata(&mut client)?;
        Ok(client)
    }

    /// Reads again which partitions there are, and fails if one of them has no leader: the client
    /// leaves such partitions out of its requests without a word.
    fn load_metadata(&self, client: &mut KafkaClient) -> Result<(), TopicError> {
        let topic = self.settings.topic.as_str();
        client.load_metadata(&[topic]).map_err(|error| self.outage(error))?;
        let topics = client.topics();
        let partitions = topics.partitions(topic).filter(|all| !all.is_empty());
        let partitions = partitions.ok_or_else(|| self.outage("it has no partition yet"))?;
        match partitions.iter().find(|partition| !partition.is_available()) {
            Some(partition) => {
                Err(self.outage(format_args!("partition {} has no leader", partition.id())))
            }
            None => Ok(()),
        }
    }

    /// Notes that the log has no message at so many offsets that were passed over.
    pub(in crate::topic) fn skip(&self, partition: i32, offset: i64, missing: u64) {
        self.skipped.fetch_add(missing, Ordering::Relaxed);
        tracing::warn!(partition, offset, missing, "the log has no messages at these offsets");
    }

    pub(in crate::topic) fn outage(&self, detail: impl Display) -> TopicError {
        TopicError::Outage { topic: self.settings.topic.clone(), detail: detail.to_string() }
    }
}
