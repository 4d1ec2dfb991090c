//! What is in the log is read, all of it, from where it was asked for.

use bytes::Bytes;
use kafka::client::Compression;
use kafka::client::FetchGroupOffset;
use kafka::client::GroupOffsetStorage;
use orderd::topic::Record;
use orderd::topic::kafka::KafkaSettings;

use crate::kafka_topic::DEADLINE;
use crate::kafka_topic::FETCH_WAIT;
use crate::kafka_topic::Fixture;
use crate::kafka_topic::assert_ascending;
use crate::kafka_topic::broker::client_of;
use crate::kafka_topic::broker::make_topic;
use crate::kafka_topic::broker::produce;
use crate::kafka_topic::now;
use crate::kafka_topic::read;
use crate::kafka_topic::record;
use crate::kafka_topic::settings;
use crate::servers;

/// Issue, point 3: gaps are checked. The client alone loses half of such a partition.
#[test]
fn mixed_compression_loses_nothing() {
    let topic = servers::unique_topic("mixed");
    let fixture = Fixture::settled(settings(&topic, 1));
    let mut source = fixture.source();
    let mut client = client_of(&topic);
    let sent: Vec<String> =
        (0..1000).map(|n| format!("{n} {}", "filler ".repeat(n % 70))).collect();
    let kinds = [Compression::NONE, Compression::GZIP, Compression::NONE, Compression::SNAPPY];
    for (block, values) in sent.chunks(10).enumerate() {
        produce(&mut client, &topic, kinds[block % kinds.len()], values);
    }
    source.seek(&[(0, 0)]);
    let messages = read(&mut *source, 1000);
    assert!(
        messages.iter().map(|message| &message.value[..]).eq(sent.iter().map(String::as_bytes))
    );
    assert_ascending(&messages);
    // From every offset, also from the middle of a compressed set.
    for start in [1, 5, 10, 15, 19, 20, 38, 997, 999] {
        source.seek(&[(0, start)]);
        let some = read(&mut *source, 1);
        assert_eq!(some[0].offset, start);
        assert_ascending(&some);
    }
    assert_eq!(fixture.kafka.skipped(), 0);
}

/// Design: a batch's position counts messages, so a new source goes on exactly where it says.
#[test]
fn a_source_resumes_at_its_positions() {
    let fixture = Fixture::settled(settings(&servers::unique_topic("resumed"), 2));
    let records: Vec<Record> = (0..100).map(|n| record("", format!("{n}"))).collect();
    fixture.sink().append(&records).unwrap();
    let mut source = fixture.source();
    source.seek(&[(0, 10), (1, 49)]);
    let mut messages = read(&mut *source, 41);
    messages.sort_by_key(|message| (message.partition, message.offset));
    let places: Vec<(i32, i64)> = messages.iter().map(|m| (m.partition, m.offset)).collect();
    let expected: Vec<(i32, i64)> = (10..50).map(|n| (0, n)).chain([(1, 49)]).collect();
    assert_eq!(places, expected);
    // Only what was asked for last is read, and again only after a seek.
    assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
    source.seek(&[(1, 49)]);
    assert_eq!(read(&mut *source, 1), messages[40..]);
    assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
}

/// Larger than one fetch: read all the same, up to the setting. Beyond the setting the partition
/// waits, the others go on, and nothing is passed over.
#[test]
fn a_large_message_is_read_up_to_the_setting_and_never_holds_up_other_partitions() {
    let topic = servers::unique_topic("large");
    make_topic(&topic, 2, &[("max.message.bytes", "9000000")]);
    let fixture = Fixture::settled(settings(&topic, 2));
    let large = Bytes::from(vec![7; 5 << 20]);
    // Without keys the records take turns: the large one goes to partition 1.
    let records = [record("", large.clone()), record("", "a"), record("", "b"), record("", "c")];
    fixture.sink().append(&records).unwrap();
    let mut source = fixture.source();
    source.seek(&[(0, 0), (1, 0)]);
    let messages = read(&mut *source, 4);
    assert!(messages.iter().any(|m| (m.partition, m.offset, &m.value) == (1, 0, &large)));

    let narrow = settings(&topic, 2);
    let narrow = Fixture::new(KafkaSettings { message_bytes_max: 2 << 20, ..narrow });
    let mut source = narrow.source();
    source.seek(&[(0, 0), (1, 0)]);
    let messages = read(&mut *source, 2);
    assert!(messages.iter().map(|m| &m.value[..]).eq([&b"a"[..], b"c"]), "{messages:?}");
    let start = now();
    for _ in 0..5 {
        assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
    }
    // A broker answers at once for the partition that waits: asked each time, the loop would spin.
    assert!(start.elapsed() > 2 * FETCH_WAIT, "{:?}", start.elapsed());
    fixture.sink().append(&[record("", "d"), record("", "e")]).unwrap();
    assert_eq!(read(&mut *source, 1)[0].value, "e");
    assert_eq!(narrow.kafka.skipped(), 0);
}

/// Design: the group offset is committed after the store, so that the usual lag tools work.
#[test]
fn saved_positions_are_the_groups_offsets() {
    let topic = servers::unique_topic("lag");
    let fixture = Fixture::settled(settings(&topic, 2));
    let records: Vec<Record> = (0..20).map(|n| record("", format!("{n}"))).collect();
    fixture.sink().append(&records).unwrap();
    let mut source = fixture.source();
    source.saved(&[(0, 3), (1, 4)]);
    source.saved(&[(1, 9)]);
    let mut client = client_of(&topic);
    client.set_group_offset_storage(Some(GroupOffsetStorage::Kafka));
    let group = settings(&topic, 2).group;
    let deadline = now() + DEADLINE;
    loop {
        let wanted = [FetchGroupOffset::new(&topic, 0), FetchGroupOffset::new(&topic, 1)];
        let offsets = client.fetch_group_offsets(&group, wanted).unwrap();
        let mut offsets: Vec<(i32, i64)> =
            offsets[&topic].iter().map(|at| (at.partition, at.offset)).collect();
        offsets.sort_unstable();
        if offsets == [(0, 3), (1, 9)] {
            return;
        }
        assert!(now() < deadline, "the group's offsets are {offsets:?}");
        // The topic has nothing beyond its end: a fetch there is a pause.
        source.seek(&[(0, 10), (1, 10)]);
        assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
    }
}
