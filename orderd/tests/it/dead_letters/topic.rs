//! The topic of dead letters, and the alarm, on a daemon that runs.

use crate::daemon::PATIENCE;
use crate::daemon::wait_until;
use crate::dead_letters::Place;
use crate::dead_letters::damaged;
use crate::dead_letters::last;
use crate::servers;
use crate::workload;
use bytes::Bytes;
use orderd::clock::Clock;
use orderd::dead_letters::Envelope;
use orderd::embedded::Embedded;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::Message;
use orderd::topic::OpenSource;
use orderd::topic::Record;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// How many letters these messages are about: each is published at least once.
fn letters_of(messages: &[Message]) -> usize {
    let offset = |message: &Message| Envelope::parse(&message.value).unwrap().origin.offset;
    messages.iter().map(offset).collect::<BTreeSet<_>>().len()
}

/// The messages that a topic has, once `count` letters are there or `wait_max` is over.
fn messages(topic: &dyn OpenSource, wait_max: Duration, count: usize) -> Vec<Message> {
    let mut source = topic.open().unwrap();
    let bounds = source.bounds().unwrap();
    source.seek(&bounds.iter().map(|b| (b.partition, b.earliest)).collect::<Vec<_>>());
    let (clock, mut found) = (Clock::system(), Vec::new());
    let started = clock.now();
    loop {
        found.extend(source.fetch(Duration::from_millis(200)).unwrap());
        if letters_of(&found) >= count || clock.now() - started >= wait_max {
            return found;
        }
    }
}

/// Each letter is there with the bytes of its message; `damaged` lies at the offset of its place.
fn check(found: &[Message], damaged: &[Bytes]) {
    let mut by_offset = BTreeMap::new();
    for message in found {
        let envelope = Envelope::parse(&message.value).unwrap();
        assert!(!envelope.origin.topic.is_empty());
        assert!(!envelope.reason.is_empty() && !envelope.code.is_empty());
        assert_eq!(message.key, envelope.order_uid.clone().unwrap_or_default());
        let bytes = envelope.bytes().unwrap();
        by_offset.entry(envelope.origin.offset).or_insert(bytes);
    }
    assert_eq!(by_offset.len(), damaged.len(), "every letter is published");
    for (bytes, (offset, found)) in damaged.iter().zip(&by_offset) {
        let is_part = bytes.windows(found.len().max(1)).any(|part| part == found);
        assert!(found == bytes || is_part, "the letter at {offset}");
    }
}

/// Row 6: the topic is fed from the table after the commit, and goes on after a kill; the embedded
/// topic beside the embedded store. Issue: most of the batch is poison, which is counted.
#[test]
fn letters_are_published_to_the_embedded_topic_and_counted() {
    let [place, _] = Place::both();
    let broken: Vec<Bytes> = damaged().into_iter().map(|(_, bytes)| bytes).collect();
    place.append(&[&broken[..], &[last()]].concat());
    let arguments = ["--dead-letter-topic", "orders_dlq"];
    let daemon = place.start(&arguments);
    wait_until("the last is served", || daemon.get("/orders/last").status == 200);
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.contains("\norderd_ingest_poisoned_batches_total 1\n"), "{metrics}");
    daemon.kill();
    // The topic can be read while no daemon has the file.
    wait_until("kill after kill every letter is published", || {
        let daemon = place.start(&arguments);
        daemon.wait_ready();
        daemon.kill();
        let embedded = Embedded::open(place.folder.path()).unwrap();
        let found = messages(&embedded.topic("orders_dlq", 1), Duration::ZERO, 50);
        letters_of(&found) >= 50
    });
    let embedded = Embedded::open(place.folder.path()).unwrap();
    check(&messages(&embedded.topic("orders_dlq", 1), PATIENCE, 50), &broken);
}

/// Row 6: the same on the real PostgreSQL and the real Kafka, with a kill in between; a
/// letter that is larger than the topic takes is published without its bytes.
#[test]
fn letters_are_published_to_kafka() {
    let database = servers::database();
    let (topic, letters) = (servers::unique_topic("letters"), servers::unique_topic("dlq"));
    let crew = Crew::new(StopToken::new());
    let broken: Vec<Bytes> = damaged().into_iter().map(|(_, bytes)| bytes).collect();
    let orders = workload::kafka(&crew, &topic, 1);
    let record = |value: &Bytes| Record { key: Bytes::new(), value: value.clone() };
    let mut sink = orderd::topic::OpenSink::open(&orders).unwrap();
    sink.append(&broken[..25].iter().map(record).collect::<Vec<_>>()).unwrap();
    let brokers = servers::brokers();
    let arguments = [
        "--database-url",
        database.url(),
        "--kafka-brokers",
        &brokers,
        "--kafka-topic",
        &topic,
        "--dead-letter-topic",
        &letters,
    ];
    let first = crate::daemon::Daemon::start(&arguments);
    first.wait_ready();
    let published = workload::kafka(&crew, &letters, 1);
    assert!(letters_of(&messages(&published, PATIENCE, 25)) >= 25);
    first.kill();
    sink.append(&broken[25..].iter().map(record).collect::<Vec<_>>()).unwrap();
    // In base64 it is larger than the megabyte that the broker takes.
    let large = Bytes::from(vec![b'x'; 900_000]);
    sink.append(&[record(&large)]).unwrap();
    let second = crate::daemon::Daemon::start(&arguments);
    second.wait_ready();
    let mut found = messages(&published, PATIENCE, 51);
    let is_large =
        |message: &Message| Envelope::parse(&message.value).unwrap().payload_bytes == 900_000;
    let shortened = found.iter().position(is_large).unwrap();
    let envelope = Envelope::parse(&found.remove(shortened).value).unwrap();
    assert_eq!((envelope.bytes(), &*envelope.code), (None, "syntax"));
    check(&found, &broken);
    let (status, _) = second.interrupt();
    assert_eq!(status.code(), Some(0));
    let _ = crew.stop_and_join(Duration::from_secs(5));
}
