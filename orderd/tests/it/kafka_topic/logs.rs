//! Logs with holes: trimmed, compacted, and with the marks of transactions.

use bytes::Bytes;
use kafka::client::Compression;
use kafka_protocol::messages::DeleteRecordsRequest;
use kafka_protocol::messages::delete_records_request::DeleteRecordsPartition;
use kafka_protocol::messages::delete_records_request::DeleteRecordsTopic;
use orderd::topic::Bounds;
use orderd::topic::Message;
use orderd::topic::Record;
use orderd::topic::TopicError;

use crate::kafka_topic::DEADLINE;
use crate::kafka_topic::FETCH_WAIT;
use crate::kafka_topic::Fixture;
use crate::kafka_topic::broker::End;
use crate::kafka_topic::broker::Transactional;
use crate::kafka_topic::broker::ask;
use crate::kafka_topic::broker::client_of;
use crate::kafka_topic::broker::make_topic;
use crate::kafka_topic::broker::name;
use crate::kafka_topic::broker::produce;
use crate::kafka_topic::now;
use crate::kafka_topic::read;
use crate::kafka_topic::record;
use crate::kafka_topic::settings;
use crate::servers;

/// Design: positions are the owner's. One that the log has left behind is an error that the owner
/// sees, and the bounds tell where the log starts.
#[test]
fn a_position_before_the_start_of_the_log_is_an_outage() {
    let topic = servers::unique_topic("trimmed");
    let fixture = Fixture::settled(settings(&topic, 1));
    let records: Vec<Record> = (0..100).map(|n| record("", format!("{n}"))).collect();
    fixture.sink().append(&records).unwrap();
    let partition = DeleteRecordsPartition::default().with_offset(60);
    let trimmed = DeleteRecordsTopic::default().with_name(name(&topic));
    let question = DeleteRecordsRequest::default()
        .with_topics(vec![trimmed.with_partitions(vec![partition])])
        .with_timeout_ms(10_000);
    assert_eq!(ask(&question, 0).topics[0].partitions[0].error_code, 0);

    let mut source = fixture.source();
    let bounds = source.bounds().unwrap();
    assert_eq!(bounds, [Bounds { partition: 0, earliest: 60, end: 100 }]);
    source.seek(&[(0, 20)]);
    let error = source.fetch(FETCH_WAIT).unwrap_err();
    assert!(matches!(error, TopicError::Outage { .. }), "{error:?}");
    assert!(error.to_string().contains("OffsetOutOfRange"), "{error}");
    let mut source = fixture.source();
    source.seek(&[(0, 60)]);
    assert_eq!(read(&mut *source, 40)[0].offset, 60);
}

/// Design: gap checks stop where the log itself has a gap, and count it.
#[test]
fn gaps_that_compaction_leaves_are_passed_over_and_counted() {
    let topic = servers::unique_topic("compacted");
    let eager = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "50"),
        ("min.cleanable.dirty.ratio", "0.0"),
        ("delete.retention.ms", "0"),
    ];
    make_topic(&topic, 1, &eager);
    let fixture = Fixture::settled(settings(&topic, 1));
    let mut source = fixture.source();
    let mut client = client_of(&topic);
    let deadline = now() + DEADLINE;
    let mut sent = 0;
    loop {
        // Always the same key; each message may close the segment before it.
        produce(&mut client, &topic, Compression::NONE, &[format!("k{sent}")]);
        sent += 1;
        source.seek(&[(0, 0)]);
        let before = fixture.kafka.skipped();
        let messages = source.fetch(FETCH_WAIT).unwrap();
        if let Some(first) = messages.first().filter(|first| first.offset > 0) {
            let skipped = fixture.kafka.skipped() - before;
            assert_eq!(i64::try_from(skipped).unwrap(), first.offset);
            let last = messages.last().unwrap();
            assert!(last.offset < sent);
            assert_eq!(last.value, format!("k{}", last.offset));
            return;
        }
        assert!(now() < deadline, "the broker has compacted nothing in time");
        // The wait of a fetch at the end of the log is the pause between two messages.
        source.seek(&[(0, sent)]);
        assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
    }
}

/// The marks at the end of transactions take offsets and are no messages: they are passed with the
/// next message, and a fetch at one of them is a wait and not a loop.
#[test]
fn the_marks_of_transactions_are_passed_over() {
    let topic = servers::unique_topic("transactions");
    let fixture = Fixture::settled(settings(&topic, 1));
    let mut source = fixture.source();
    source.seek(&[(0, 0)]);
    let mut producer = Transactional::new(&topic);
    producer.send(&["a", "b"], End::Committed);
    let places = |messages: &[Message]| -> Vec<(i64, Bytes)> {
        messages.iter().map(|message| (message.offset, message.value.clone())).collect()
    };
    let place = |offset, value: &'static str| (offset, Bytes::from_static(value.as_bytes()));
    assert_eq!(places(&read(&mut *source, 2)), [place(0, "a"), place(1, "b")]);
    // The log ends with the mark.
    let start = now();
    for _ in 0..5 {
        assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
    }
    assert!(start.elapsed() > 2 * FETCH_WAIT, "{:?}", start.elapsed());
    assert_eq!(source.bounds().unwrap()[0].end, 3);
    // The broker sends what follows the mark twice; it is handed out once.
    producer.send(&["c", "d"], End::Committed);
    assert_eq!(places(&read(&mut *source, 2)), [place(3, "c"), place(4, "d")]);
    assert_eq!(fixture.kafka.skipped(), 1);
    // The client's version of the protocol can't tell what was rolled back: it is read as well.
    producer.send(&["rolled back"], End::Aborted);
    assert_eq!(places(&read(&mut *source, 1)), [place(6, "rolled back")]);
    assert_eq!(fixture.kafka.skipped(), 2);
}
