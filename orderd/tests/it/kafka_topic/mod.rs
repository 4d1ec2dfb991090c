//! `orderd`'s source and sink on the real broker.

mod broker;
mod clients;
#[cfg(feature = "rdkafka")]
mod compression;
mod logs;
mod losses;
mod outages;
mod reading;
#[cfg(feature = "rdkafka")]
mod secure;
mod writing;

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use orderd::clock::Clock;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::Message;
use orderd::topic::OpenSink;
use orderd::topic::OpenSource;
use orderd::topic::Record;
use orderd::topic::Sink;
use orderd::topic::Source;
use orderd::topic::kafka::Client;
use orderd::topic::kafka::KafkaSettings;
use orderd::topic::kafka::KafkaTopic;
use orderd::topic::kafka::Security;

use crate::servers;

/// How long anything that needs several steps of the broker may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

pub(super) const FETCH_WAIT: Duration = Duration::from_millis(200);

/// A topic with the threads that belong to it.
pub(super) struct Fixture {
    crew: Crew,
    kafka: KafkaTopic,
}

impl Fixture {
    fn new(settings: KafkaSettings) -> Self {
        let crew = Crew::new(StopToken::new());
        let kafka = KafkaTopic::start(&crew, Clock::system(), settings).unwrap();
        Self { crew, kafka }
    }

    /// With the topic there in every respect.
    fn settled(settings: KafkaSettings) -> Self {
        let fixture = Self::new(settings);
        fixture.settle();
        fixture
    }

    /// Waits until the topic is there in every respect: for a moment after it was made a leader may
    /// say that it is none, which is an outage.
    fn settle(&self) {
        let deadline = now() + DEADLINE;
        while let Err(error) = OpenSource::open(&self.kafka).and_then(|mut s| s.bounds()) {
            assert!(now() < deadline, "the topic isn't there: {error}");
        }
    }

    fn source(&self) -> Box<dyn Source> {
        OpenSource::open(&self.kafka).unwrap()
    }

    fn sink(&self) -> Box<dyn Sink> {
        OpenSink::open(&self.kafka).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let late = self.crew.stop_and_join(Duration::from_secs(10));
        assert!(std::thread::panicking() || late.is_empty(), "still running: {late:?}");
    }
}

/// For the pure-Rust client on the broker of 3.9.
pub(super) fn settings(topic: &str, partitions: i32) -> KafkaSettings {
    KafkaSettings {
        brokers: servers::brokers(),
        topic: topic.to_owned(),
        group: format!("{topic}-group"),
        partitions,
        message_bytes_max: 16 << 20,
        client: Client::Kafka,
        security: Security::default(),
        share: None,
    }
}

#[expect(clippy::disallowed_methods, reason = "a test measures real time against its deadline")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Fetches until there are `count` messages.
pub(super) fn read(source: &mut dyn Source, count: usize) -> Vec<Message> {
    let deadline = now() + DEADLINE;
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.extend(source.fetch(FETCH_WAIT).unwrap());
        assert!(now() < deadline, "{} of {count} messages came in time", messages.len());
    }
    messages
}

pub(super) fn record(key: &str, value: impl Into<Bytes>) -> Record {
    Record { key: Bytes::copy_from_slice(key.as_bytes()), value: value.into() }
}

/// Trait `Source`: messages of a partition come in ascending offsets, here without gaps.
pub(super) fn assert_ascending(messages: &[Message]) {
    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    for message in messages {
        let next = next.entry(message.partition).or_insert(message.offset);
        assert_eq!(message.offset, *next, "in partition {}", message.partition);
        *next += 1;
    }
}
