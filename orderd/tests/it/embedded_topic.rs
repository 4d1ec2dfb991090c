//! The topic in the embedded database.

use orderd::embedded::Embedded;
use orderd::embedded::EmbeddedTopic;
use orderd::topic::Bounds;
use orderd::topic::Message;
use orderd::topic::OpenSink;
use orderd::topic::OpenSource;
use orderd::topic::Record;
use orderd::topic::Sink;
use orderd::topic::Source;
use orderd::topic::TopicError;
use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

/// Longer than any wait of a passing test: it ends a failing one.
const LONG: Duration = Duration::from_secs(20);

fn record(text: &str) -> Record {
    Record { key: format!("key {text}").into(), value: format!("value {text}").into() }
}

fn records(numbers: std::ops::Range<i64>) -> Vec<Record> {
    numbers.map(|number| record(&number.to_string())).collect()
}

fn source(topic: &EmbeddedTopic) -> Box<dyn Source> {
    OpenSource::open(topic).unwrap()
}

fn sink(topic: &EmbeddedTopic) -> Box<dyn Sink> {
    OpenSink::open(topic).unwrap()
}

fn offsets(messages: &[Message]) -> Vec<i64> {
    messages.iter().map(|message| message.offset).collect()
}

/// Everything from the source's position on.
fn drain(source: &mut dyn Source) -> Vec<Message> {
    let mut all = Vec::new();
    loop {
        let some = source.fetch(Duration::ZERO).unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

/// Row 1: what was appended comes out in order, once, from where it is asked for.
#[test]
fn messages_come_in_the_order_of_their_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let topic = Embedded::open(folder.path()).unwrap().topic("orders", 1);
    let mut source = source(&topic);
    assert_eq!(source.bounds().unwrap(), [Bounds { partition: 0, earliest: 0, end: 0 }]);
    let mut sink = sink(&topic);
    sink.append(&records(0..700)).unwrap();
    sink.append(&records(700..1200)).unwrap();

    source.seek(&[(0, 0)]);
    let messages = drain(&mut *source);
    assert_eq!(offsets(&messages), (0..1200).collect::<Vec<_>>());
    for message in &messages {
        let expected = record(&message.offset.to_string());
        assert_eq!((&message.key, &message.value), (&expected.key, &expected.value));
        assert_eq!(message.partition, 0);
    }
    assert!(source.fetch(Duration::ZERO).unwrap().is_empty());
    source.seek(&[(0, 1195)]);
    assert_eq!(offsets(&source.fetch(Duration::ZERO).unwrap()), [1195, 1196, 1197, 1198, 1199]);
    assert_eq!(source.bounds().unwrap(), [Bounds { partition: 0, earliest: 0, end: 1200 }]);
}

/// Design: a fetch waits for the next append of the same process, and not longer.
#[test]
fn an_append_ends_a_wait() {
    let folder = tempfile::tempdir().unwrap();
    let topic = Embedded::open(folder.path()).unwrap().topic("orders", 1);
    let (fetched, results) = mpsc::channel();
    std::thread::scope(|scope| {
        let reader = topic.clone();
        scope.spawn(move || {
            let mut source = source(&reader);
            source.seek(&[(0, 0)]);
            for _ in 0..2 {
                // An append that was read before it was announced ends the wait after it early.
                let mut fetch = || source.fetch(LONG).unwrap();
                let messages = Some(fetch()).filter(|m| !m.is_empty()).unwrap_or_else(fetch);
                fetched.send(messages).unwrap();
            }
        });
        let mut sink = sink(&topic);
        for number in 0..2 {
            sink.append(&records(number..number + 1)).unwrap();
            // Half of what an unanswered wait would take.
            let messages = results.recv_timeout(LONG / 2).unwrap();
            assert_eq!(offsets(&messages), [number]);
        }
    });
}

/// Row 4: acknowledged messages outlive the process, and offsets go on where they were.
#[test]
fn everything_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    sink(&Embedded::open(folder.path()).unwrap().topic("orders", 1))
        .append(&records(0..3))
        .unwrap();
    let topic = Embedded::open(folder.path()).unwrap().topic("orders", 1);
    sink(&topic).append(&records(3..5)).unwrap();
    let mut source = source(&topic);
    source.seek(&[(0, 1)]);
    let messages = drain(&mut *source);
    assert_eq!(offsets(&messages), [1, 2, 3, 4]);
    assert_eq!(messages[3].value, record("4").value);
}

/// Design: 10 000 messages are kept behind the saved position, and offsets never begin again.
#[test]
fn the_log_is_trimmed_behind_the_saved_position() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Embedded::open(folder.path()).unwrap();
    let topic = embedded.topic("orders", 1);
    let (mut source, mut sink) = (source(&topic), sink(&topic));
    for chunk in 0..25 {
        sink.append(&records(chunk * 500..(chunk + 1) * 500)).unwrap();
    }
    let bounds = |source: &mut dyn Source| source.bounds().unwrap()[0];
    assert_eq!(bounds(&mut *source).earliest, 0, "nothing is saved, so nothing is trimmed");

    source.saved(&[(0, 12_400)]);
    for number in 12_500..12_510 {
        sink.append(&records(number..number + 1)).unwrap();
    }
    let trimmed = bounds(&mut *source);
    assert_eq!(trimmed.end, 12_510);
    assert!((1_400..=2_400).contains(&trimmed.earliest), "{trimmed:?}");
    source.seek(&[(0, 0)]);
    let messages = drain(&mut *source);
    assert_eq!(offsets(&messages), (trimmed.earliest..12_510).collect::<Vec<_>>());

    // A position of some other log says nothing about this one.
    source.saved(&[(0, i64::MAX)]);
    sink.append(&records(12_510..12_511)).unwrap();
    let trimmed = bounds(&mut *source);
    assert!(trimmed.end - trimmed.earliest >= 10_000, "{trimmed:?}");

    drop((source, sink, topic, embedded));
    let topic = Embedded::open(folder.path()).unwrap().topic("orders", 1);
    assert_eq!(OpenSource::open(&topic).unwrap().bounds().unwrap(), [trimmed]);
}

/// Row 2: the topic is made with its partitions; a key keeps to one of them, in order.
#[test]
fn a_key_keeps_to_its_partition() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Embedded::open(folder.path()).unwrap();
    let topic = embedded.topic("orders", 3);
    let mut sink = sink(&topic);
    for round in 0..20 {
        let keyed =
            (0..40).map(|key: u8| Record { key: vec![key].into(), value: vec![key, round].into() });
        sink.append(&keyed.collect::<Vec<_>>()).unwrap();
    }
    let mut source = source(&topic);
    source.seek(&[(0, 0), (1, 0), (2, 0)]);
    let messages = drain(&mut *source);
    assert_eq!(messages.len(), 800);
    for key in 0..40 {
        let of_key: Vec<_> = messages.iter().filter(|message| message.key[..] == [key]).collect();
        let partitions: BTreeSet<_> = of_key.iter().map(|message| message.partition).collect();
        assert_eq!(partitions.len(), 1);
        let rounds: Vec<u8> = of_key.iter().map(|message| message.value[1]).collect();
        assert_eq!(rounds, (0..20).collect::<Vec<_>>());
    }
    let used: BTreeSet<_> = messages.iter().map(|message| message.partition).collect();
    assert_eq!(used, BTreeSet::from([0, 1, 2]));
    // Asked for fewer, it keeps what it has; another topic is apart.
    assert_eq!(OpenSource::open(&embedded.topic("orders", 1)).unwrap().bounds().unwrap().len(), 3);
    let other = OpenSource::open(&embedded.topic("orders_dlq", 1)).unwrap().bounds().unwrap();
    assert_eq!(other, [Bounds { partition: 0, earliest: 0, end: 0 }]);
}

/// Issue: a record that is too large is refused by its number, and nothing is appended.
#[test]
fn a_record_that_is_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let topic = Embedded::open(folder.path()).unwrap().topic("orders", 1);
    let mut sink = sink(&topic);
    let huge = Record { key: "k".into(), value: vec![b'x'; 1024 * 1024].into() };
    let refused = sink.append(&[record("a"), huge]);
    assert!(matches!(refused, Err(TopicError::Rejected { index: 1, .. })), "{refused:?}");
    assert_eq!(source(&topic).bounds().unwrap()[0].end, 0);
}
