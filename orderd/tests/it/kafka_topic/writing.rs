//! The topic is made, and takes what it is given.

use std::collections::BTreeMap;

use bytes::Bytes;
use orderd::topic::Bounds;
use orderd::topic::Record;
use orderd::topic::Sink;
use orderd::topic::TopicError;
use orderd::topic::kafka::KafkaSettings;

use crate::kafka_topic::FETCH_WAIT;
use crate::kafka_topic::Fixture;
use crate::kafka_topic::assert_ascending;
use crate::kafka_topic::broker::make_topic;
use crate::kafka_topic::read;
use crate::kafka_topic::record;
use crate::kafka_topic::settings;
use crate::servers;

/// Issue, point 3: the topic is made if it is missing, with the partitions that were asked for; one
/// that exists is taken as it is.
#[test]
fn a_missing_topic_is_made_with_its_partitions() {
    let topic = servers::unique_topic("made");
    let three = Fixture::settled(settings(&topic, 3));
    let empty = |partition| Bounds { partition, earliest: 0, end: 0 };
    assert_eq!(three.source().bounds().unwrap(), [empty(0), empty(1), empty(2)]);
    let other = Fixture::new(settings(&topic, 5));
    assert_eq!(other.source().bounds().unwrap().len(), 3);
}

/// Design: what a sink acknowledged is in the topic, each key in one partition and in order.
#[test]
fn what_a_sink_appends_a_source_reads_in_order_by_key() {
    let fixture = Fixture::settled(settings(&servers::unique_topic("order"), 3));
    let records: Vec<Record> =
        (0..3000).map(|n| record(&format!("key-{}", n % 100), format!("{n}"))).collect();
    let mut sink = fixture.sink();
    for some in records.chunks(500) {
        sink.append(some).unwrap();
    }
    let mut source = fixture.source();
    let bounds = source.bounds().unwrap();
    assert_eq!(bounds.iter().map(|bounds| bounds.end).sum::<i64>(), 3000);
    assert!(bounds.iter().all(|bounds| bounds.end > 0), "all in one partition: {bounds:?}");
    source.seek(&[(0, 0), (1, 0), (2, 0)]);
    let messages = read(&mut *source, 3000);
    assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
    assert_ascending(&messages);
    let mut by_key: BTreeMap<Bytes, Vec<(i32, Bytes)>> = BTreeMap::new();
    for message in messages {
        by_key.entry(message.key).or_default().push((message.partition, message.value));
    }
    for (key, values) in &by_key {
        let sent = records.iter().filter(|record| record.key == key);
        assert!(sent.map(|record| &record.value).eq(values.iter().map(|(_, value)| value)));
        assert!(values.iter().all(|(partition, _)| *partition == values[0].0), "{key:?}");
    }
    assert_eq!(by_key.len(), 100);
    assert_eq!(fixture.kafka.skipped(), 0);
}

/// Issue: bad input never stops the daemon. A record that the topic can't take is named by its
/// index; many that are small are taken, although all together are larger than a batch may be.
#[test]
fn a_record_that_is_too_large_is_rejected_alone() {
    let topic = servers::unique_topic("oversize");
    let fixture =
        Fixture::settled(KafkaSettings { message_bytes_max: 4 << 20, ..settings(&topic, 1) });
    let mut sink = fixture.sink();
    let small = |n: usize| record("k", format!("{n:0>10000}"));
    let rejected = |records: &[Record], sink: &mut dyn Sink| match sink.append(records) {
        Err(TopicError::Rejected { index, .. }) => index,
        other => panic!("{other:?}"),
    };
    // Larger than the setting: found before anything is sent.
    let records = [small(0), record("k", vec![0; 5 << 20]), small(1)];
    assert_eq!(rejected(&records, &mut *sink), 1);
    assert_eq!(fixture.source().bounds().unwrap()[0].end, 0);
    // Larger than the broker's own limit of 1 MiB: only the broker knows.
    let records = [small(0), small(1), record("k", vec![0; 2 << 20])];
    assert_eq!(rejected(&records, &mut *sink), 2);
    // The same sink goes on.
    let before = fixture.source().bounds().unwrap()[0].end;
    let records: Vec<Record> = (0..500).map(small).collect();
    sink.append(&records).unwrap();
    let mut source = fixture.source();
    assert_eq!(source.bounds().unwrap()[0].end, before + 500);
    source.seek(&[(0, before)]);
    let messages = read(&mut *source, 500);
    assert!(messages.iter().map(|m| &m.value).eq(records.iter().map(|r| &r.value)));
}

/// A broker stores what one request brings as one batch and refuses it as a whole: each record is
/// then sent alone, and only the one that is too large is named.
#[test]
fn a_batch_that_the_broker_refuses_is_sent_one_by_one() {
    let topic = servers::unique_topic("narrow");
    make_topic(&topic, 1, &[("max.message.bytes", "20000")]);
    let fixture = Fixture::settled(settings(&topic, 1));
    let records: Vec<Record> = (0..20).map(|n| record("k", format!("{n:0>10000}"))).collect();
    fixture.sink().append(&records).unwrap();
    let mut source = fixture.source();
    source.seek(&[(0, 0)]);
    let messages = read(&mut *source, 20);
    assert!(messages.iter().map(|m| &m.value).eq(records.iter().map(|r| &r.value)));
    let mixed = [records[0].clone(), record("k", vec![0; 30_000]), records[1].clone()];
    let error = fixture.sink().append(&mixed).unwrap_err();
    assert!(matches!(error, TopicError::Rejected { index: 1, .. }), "{error:?}");
}
