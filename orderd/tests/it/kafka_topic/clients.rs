//! What holds for either client, on every line of brokers that it can speak to.

use std::collections::BTreeMap;

use bytes::Bytes;
use orderd::topic::Bounds;
use orderd::topic::Message;
use orderd::topic::OpenSource as _;
use orderd::topic::Record;
use orderd::topic::Source;
use orderd::topic::TopicError;
use orderd::topic::kafka::Client;
use orderd::topic::kafka::KafkaSettings;
use orderd::topic::kafka::Share;

use crate::kafka_topic::DEADLINE;
use crate::kafka_topic::FETCH_WAIT;
use crate::kafka_topic::Fixture;
use crate::kafka_topic::assert_ascending;
use crate::kafka_topic::now;
use crate::kafka_topic::read;
use crate::kafka_topic::record;
use crate::kafka_topic::settings;
use crate::servers;

/// A client and the brokers that it is tried on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    client: Client,
    brokers: fn() -> String,
}

/// `rdkafka` only where it is built in: `make test` has all features.
pub(super) const CASES: &[Case] = &[
    Case { client: Client::Kafka, brokers: servers::brokers },
    #[cfg(feature = "rdkafka")]
    Case { client: Client::Rdkafka, brokers: servers::brokers },
    #[cfg(feature = "rdkafka")]
    Case { client: Client::Rdkafka, brokers: servers::brokers_4 },
];

impl Case {
    pub(super) fn settings(self, topic: &str, partitions: i32) -> KafkaSettings {
        let settings = settings(topic, partitions);
        KafkaSettings { client: self.client, brokers: (self.brokers)(), ..settings }
    }
}

/// A source that has been told its partitions: a member of a group has to wait for that.
pub(super) fn joined(fixture: &Fixture) -> Box<dyn Source> {
    let mut source = fixture.source();
    let deadline = now() + DEADLINE;
    while source.standing().unwrap().obstacle.is_some() {
        assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
        assert!(now() < deadline, "the group assigns nothing");
    }
    source
}

/// Issue: the topic is made if it is missing, on 3.9 and on 4.x, with either client.
#[test]
fn a_missing_topic_is_made_by_either_client() {
    for case in CASES {
        let topic = servers::unique_topic("either-made");
        let fixture = Fixture::settled(case.settings(&topic, 3));
        let bounds = joined(&fixture).bounds().unwrap();
        let empty = |partition| Bounds { partition, earliest: 0, end: 0 };
        assert_eq!(bounds, [empty(0), empty(1), empty(2)], "{case:?}");
        let other = Fixture::new(case.settings(&topic, 5));
        let mut sink = other.sink();
        sink.append(&[record("k", "v")]).unwrap();
        let bounds = joined(&fixture).bounds().unwrap();
        assert_eq!(bounds.iter().map(|b| b.end).sum::<i64>(), 1, "{case:?}");
        assert_eq!(bounds.len(), 3, "{case:?}");
    }
}

fn by_key(messages: &[Message]) -> BTreeMap<Bytes, Vec<(i32, Bytes)>> {
    let mut by_key: BTreeMap<Bytes, Vec<(i32, Bytes)>> = BTreeMap::new();
    for message in messages {
        let versions = by_key.entry(message.key.clone()).or_default();
        versions.push((message.partition, message.value.clone()));
    }
    by_key
}

/// Design: what a sink acknowledged is in the topic, each key in one partition and in order: and in
/// the same partition whichever client sent it.
#[test]
fn what_either_client_appends_it_reads_in_order_by_key() {
    let records: Vec<Record> =
        (0..3000).map(|n| record(&format!("key-{}", n % 100), format!("{n}"))).collect();
    let mut seen: Vec<BTreeMap<Bytes, Vec<(i32, Bytes)>>> = Vec::new();
    for case in CASES {
        let fixture = Fixture::settled(case.settings(&servers::unique_topic("either-order"), 3));
        let mut sink = fixture.sink();
        for some in records.chunks(500) {
            sink.append(some).unwrap();
        }
        let mut source = joined(&fixture);
        source.seek(&[(0, 0), (1, 0), (2, 0)]);
        let messages = read(&mut *source, 3000);
        assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
        assert_ascending(&messages);
        assert_eq!(fixture.kafka.skipped(), 0);
        seen.push(by_key(&messages));
    }
    assert_eq!(seen[0].len(), 100);
    for versions in seen[0].values() {
        assert_eq!(versions.len(), 30);
    }
    for other in &seen[1..] {
        assert_eq!(&seen[0], other);
    }
}

/// Trait `Source`: what was handed out comes again only after a seek, and from where that says;
/// partitions that are not wanted are not read.
#[test]
fn either_client_reads_from_where_it_is_told() {
    for case in CASES {
        let fixture = Fixture::settled(case.settings(&servers::unique_topic("either-seek"), 1));
        let records: Vec<Record> = (0..50).map(|n| record("", format!("{n}"))).collect();
        fixture.sink().append(&records).unwrap();
        let mut source = joined(&fixture);
        source.seek(&[(0, 10)]);
        let messages = read(&mut *source, 40);
        assert_eq!(messages[0].offset, 10, "{case:?}");
        source.seek(&[]);
        assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
        for start in [49, 0, 25] {
            source.seek(&[(0, start)]);
            let messages = read(&mut *source, 50 - usize::try_from(start).unwrap());
            assert_eq!(messages[0].offset, start, "{case:?}");
            assert_ascending(&messages);
        }
        // Its own position again: nothing is handed out twice.
        source.seek(&[(0, 50)]);
        assert_eq!(source.fetch(FETCH_WAIT).unwrap(), []);
        // Beyond the log there is nothing to read, and neither client goes elsewhere by itself.
        source.seek(&[(0, 1000)]);
        let deadline = now() + DEADLINE;
        let error = loop {
            match source.fetch(FETCH_WAIT) {
                Ok(messages) => assert_eq!(messages, [], "{case:?}"),
                Err(error) => break error,
            }
            assert!(now() < deadline, "{case:?} has no objection");
        };
        assert!(matches!(error, TopicError::Outage { .. }), "{error:?}");
    }
}

/// Issue: bad input never stops the daemon: a record that the topic can't take is named by its
/// index, and the sink goes on.
#[test]
fn either_client_rejects_what_is_too_large_alone() {
    for case in CASES {
        let topic = servers::unique_topic("either-large");
        let settings = KafkaSettings { message_bytes_max: 4 << 20, ..case.settings(&topic, 1) };
        let fixture = Fixture::settled(settings);
        let mut sink = fixture.sink();
        let small = |n: usize| record("k", format!("{n:0>10000}"));
        for large in [5 << 20, 2 << 20] {
            let records = [small(0), record("k", vec![0; large]), small(1)];
            match sink.append(&records) {
                Err(TopicError::Rejected { index: 1, .. }) => {}
                other => panic!("{case:?}, {large} bytes: {other:?}"),
            }
        }
        let mut source = joined(&fixture);
        let before = source.bounds().unwrap()[0].end;
        let records: Vec<Record> = (0..500).map(small).collect();
        sink.append(&records).unwrap();
        source.seek(&[(0, before)]);
        let messages = read(&mut *source, 500);
        assert!(messages.iter().map(|m| &m.value).eq(records.iter().map(|r| &r.value)));
    }
}

/// Issue: `--instance i/n` shares the partitions, whichever client reads them.
#[test]
fn instances_share_the_partitions_by_their_numbers() {
    for case in CASES {
        let topic = servers::unique_topic("either-share");
        let partitions = |instance| {
            let share = Some(Share { instance, count: 2 });
            let fixture = Fixture::new(KafkaSettings { share, ..case.settings(&topic, 5) });
            fixture.settle();
            let bounds = fixture.source().bounds().unwrap();
            bounds.iter().map(|bounds| bounds.partition).collect::<Vec<_>>()
        };
        assert_eq!(partitions(0), [0, 2, 4], "{case:?}");
        assert_eq!(partitions(1), [1, 3], "{case:?}");
    }
}

/// Design: `auto` asks the broker. Only a member of a group waits for its partitions at first.
#[cfg(feature = "rdkafka")]
#[test]
fn auto_takes_the_client_that_fits_the_broker() {
    let topic = servers::unique_topic("auto");
    for (brokers, is_member) in [(servers::brokers(), false), (servers::brokers_4(), true)] {
        let settings = KafkaSettings { client: Client::Auto, brokers, ..settings(&topic, 1) };
        let fixture = Fixture::settled(settings);
        let waits = fixture.source().standing().unwrap().obstacle.is_some();
        assert_eq!(waits, is_member);
        fixture.sink().append(&[record("k", "v")]).unwrap();
    }
}

/// Issue: a 4.x broker and the client `kafka` are one sentence that says so and what to do.
#[test]
fn the_old_client_on_a_real_broker_of_4_is_a_configuration_error() {
    let settings = KafkaSettings {
        brokers: servers::brokers_4(),
        ..settings(&servers::unique_topic("young"), 1)
    };
    let error = Fixture::new(settings).kafka.open().err().unwrap();
    assert!(matches!(error, TopicError::Configuration(_)), "{error:?}");
    let sentence = error.to_string();
    assert!(sentence.contains("4.0 or later") && sentence.contains("rdkafka"), "{sentence}");
}

/// Design: the group's offsets are committed after the store, so that the usual lag tools work.
#[cfg(feature = "rdkafka")]
#[test]
fn the_groups_offsets_are_what_was_saved() {
    use rdkafka::ClientConfig;
    use rdkafka::TopicPartitionList;
    use rdkafka::consumer::BaseConsumer;
    use rdkafka::consumer::Consumer as _;
    for case in CASES {
        let topic = servers::unique_topic("either-lag");
        let settings = case.settings(&topic, 2);
        let mut tool = ClientConfig::new();
        tool.set("bootstrap.servers", &settings.brokers).set("group.id", &settings.group);
        let tool: BaseConsumer = tool.create().unwrap();
        let fixture = Fixture::settled(settings);
        let mut source = joined(&fixture);
        source.saved(&[(0, 3), (1, 4)]);
        source.saved(&[(1, 9)]);
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_range(&topic, 0, 1);
        let deadline = now() + DEADLINE;
        loop {
            source.fetch(FETCH_WAIT).unwrap();
            let found = tool.committed_offsets(wanted.clone(), DEADLINE).map(|found| {
                let elements = found.elements();
                elements.iter().map(|element| element.offset().to_raw()).collect::<Vec<_>>()
            });
            if found == Ok(vec![Some(3), Some(9)]) {
                break;
            }
            assert!(now() < deadline, "{case:?}: the group's offsets are {found:?}");
        }
    }
}
