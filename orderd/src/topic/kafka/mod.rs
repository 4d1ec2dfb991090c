//! A topic on Apache Kafka, up to 3.9, through the pure-Rust crate `kafka`.
//!
//! That client speaks the protocol of 2015, never reconnects, and loses messages in its `Consumer`.
//! So only its `KafkaClient` is used, positions are the caller's, every fetch is checked for gaps,
//! and any error means that the whole source or sink is dropped and opened again. What it can't do,
//! or can't do within a deadline, goes over a plain socket with the codec `kafka-protocol`: asking
//! who is there, making the topic, and committing group offsets.
//!
//! Invariants:
//! * Nothing is read or written before every broker concerned has answered on a plain socket, and
//!   is old enough for the client. A silent broker costs `probe::WAIT` and not the client's 120 s.
//! * No message is passed over unless no size of fetch shows it; then it is counted and logged.
//!
//! What remains of the client's faults, for the owner's supervision:
//! * A broker that falls silent in the middle of a fetch or a produce holds the caller for up to
//!   120 s. Looking up a host's name takes as long as the system's resolver does.
//! * It can panic: on a topic's partition numbers that aren't dense, on a negative or absurd length
//!   in an answer, on an answer about a topic that wasn't asked for, and (with debug assertions) on
//!   a message with trailing bytes. The owner catches panics and opens again.
//! * It can't tell what a transaction rolled back: such messages are read like all others.
//! * A topic with messages compressed by lz4 or zstd can't be read.

mod create;
mod group_offsets;
mod partition;
mod probe;
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
use kafka::client::KafkaClient;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

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
}

/// Opens sources and sinks on one topic of Kafka.
#[derive(Clone, Debug)]
pub struct KafkaTopic(Arc<Shared>);

/// What all sources and sinks of one topic share.
#[derive(Debug)]
struct Shared {
    settings: KafkaSettings,
    brokers: Vec<String>,
    clock: Clock,
    stop: StopToken,
    offsets: group_offsets::Mailbox,
    skipped: AtomicU64,
}

impl KafkaTopic {
    /// Checks the settings and starts the thread that commits group offsets, as a member of `crew`.
    /// Reaches no broker yet.
    ///
    /// # Errors
    /// `Configuration` if a setting can't be right; `Outage` if the system has no thread left.
    pub fn start(crew: &Crew, clock: Clock, settings: KafkaSettings) -> Result<Self, TopicError> {
        let brokers = parse_brokers(&settings.brokers)?;
        check(&settings)?;
        let shared = Arc::new(Shared {
            brokers,
            clock,
            stop: crew.stop_token().clone(),
            offsets: group_offsets::Mailbox::default(),
            skipped: AtomicU64::new(0),
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
        let client = self.0.client()?;
        Ok(Box::new(source::KafkaSource::new(client, Arc::clone(&self.0))))
    }

    fn name(&self) -> String {
        format!("kafka://{}/{}", self.0.brokers.join(","), self.0.settings.topic)
    }
}

impl OpenSink for KafkaTopic {
    fn open(&self) -> Result<Box<dyn Sink>, TopicError> {
        let client = self.0.client()?;
        Ok(Box::new(sink::KafkaSink::new(client, Arc::clone(&self.0))))
    }
}

impl Shared {
    /// A client that knows every partition's leader, after each of these has answered.
    fn client(&self) -> Result<KafkaClient, TopicError> {
        let bootstrap = create::prepare(self)?;
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

    fn outage(&self, detail: impl Display) -> TopicError {
        TopicError::Outage { topic: self.settings.topic.clone(), detail: detail.to_string() }
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

fn check(settings: &KafkaSettings) -> Result<(), TopicError> {
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

#[cfg(test)]
mod tests {
    use crate::topic::TopicError;
    use crate::topic::kafka::parse_brokers;

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
}
