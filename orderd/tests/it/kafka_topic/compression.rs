//! Every compression that a producer may use, read by either client as far as it can.

use orderd::topic::Source;
use orderd::topic::kafka::Client;
use orderd::topic::kafka::KafkaSettings;
use rdkafka::ClientConfig;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer as _;

use crate::kafka_topic::DEADLINE;
use crate::kafka_topic::FETCH_WAIT;
use crate::kafka_topic::Fixture;
use crate::kafka_topic::assert_ascending;
use crate::kafka_topic::broker::make_topic;
use crate::kafka_topic::clients::joined;
use crate::kafka_topic::now;
use crate::kafka_topic::read;
use crate::kafka_topic::settings;
use crate::servers;

/// All, in the order of their first versions.
const KINDS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

fn value(kind: &str, number: usize) -> String {
    format!("{kind} {number} {}", "filler ".repeat(40))
}

/// Sends messages as another producer would, in one batch of this compression.
fn produce(brokers: &str, topic: &str, partition: i32, kind: &str, count: usize) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("compression.type", kind).set("linger.ms", "50");
    let producer: BaseProducer = config.create().unwrap();
    for number in 0..count {
        let value = value(kind, number);
        let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
}

fn check(source: &mut dyn Source, kinds: &[&str], count: usize) {
    let messages = read(source, kinds.len() * count);
    assert_ascending(&messages);
    let sent = kinds.iter().flat_map(|kind| (0..count).map(move |number| value(kind, number)));
    assert!(messages.iter().map(|message| &message.value[..]).eq(sent.map(String::into_bytes)));
}

/// Issue: both clients read the compressions that they can, mixed in one partition, on both lines
/// of brokers.
#[test]
fn either_client_reads_the_compressions_that_it_can() {
    let all = &KINDS[..];
    for (client, brokers, kinds) in [
        (Client::Kafka, servers::brokers(), &KINDS[..3]),
        (Client::Rdkafka, servers::brokers(), all),
        (Client::Rdkafka, servers::brokers_4(), all),
    ] {
        let topic = servers::unique_topic("compressions");
        let settings = KafkaSettings { client, brokers: brokers.clone(), ..settings(&topic, 1) };
        let fixture = Fixture::settled(settings);
        let mut source = joined(&fixture);
        for kind in kinds {
            produce(&brokers, &topic, 0, kind, 50);
        }
        source.seek(&[(0, 0)]);
        check(&mut *source, kinds, 50);
        assert_eq!(fixture.kafka.skipped(), 0);
    }
}

/// Issue: with the client `kafka` one partition with lz4 or zstd stops no other, what lies before
/// is read, nothing is passed over, and the topic's state says what to do.
#[test]
fn a_partition_that_cannot_be_decompressed_stops_alone() {
    for kind in ["lz4", "zstd"] {
        let topic = servers::unique_topic(kind);
        make_topic(&topic, 2, &[]);
        let fixture = Fixture::settled(settings(&topic, 2));
        let brokers = servers::brokers();
        produce(&brokers, &topic, 0, "gzip", 10);
        produce(&brokers, &topic, 0, kind, 10);
        produce(&brokers, &topic, 0, "none", 10);
        produce(&brokers, &topic, 1, "none", 10);
        let mut source = fixture.source();
        source.seek(&[(0, 0), (1, 0)]);
        let mut messages = Vec::new();
        let deadline = now() + DEADLINE;
        while source.standing().unwrap().obstacle.is_none() || messages.len() < 20 {
            messages.extend(source.fetch(FETCH_WAIT).unwrap());
            assert!(now() < deadline, "{kind}: {} of 20 messages came", messages.len());
        }
        messages.sort_by_key(|message| (message.partition, message.offset));
        let places: Vec<_> = messages.iter().map(|m| (m.partition, m.offset)).collect();
        let expected = (0..10).map(|n| (0, n)).chain((0..10).map(|n| (1, n)));
        assert_eq!(places, expected.collect::<Vec<_>>(), "{kind}");
        let obstacle = source.standing().unwrap().obstacle.unwrap();
        assert!(obstacle.contains("[0]") && obstacle.contains("rdkafka"), "{obstacle}");
        produce(&brokers, &topic, 1, "none", 10);
        let more = read(&mut *source, 10);
        assert!(more.iter().all(|message| message.partition == 1 && message.offset >= 10));
        assert_eq!(fixture.kafka.skipped(), 0);
    }
}

/// Design: with `auto`, lz4 or zstd met means `rdkafka` from the next opening on.
#[test]
fn auto_changes_the_client_when_it_meets_a_compression() {
    for kind in ["lz4", "zstd"] {
        let topic = servers::unique_topic("auto-compression");
        let fixture =
            Fixture::settled(KafkaSettings { client: Client::Auto, ..settings(&topic, 1) });
        let mut source = fixture.source();
        assert_eq!(source.standing().unwrap().obstacle, None, "not a member of a group");
        produce(&servers::brokers(), &topic, 0, kind, 10);
        source.seek(&[(0, 0)]);
        let deadline = now() + DEADLINE;
        let error = loop {
            match source.fetch(FETCH_WAIT) {
                Ok(messages) => assert_eq!(messages, []),
                Err(error) => break error,
            }
            assert!(now() < deadline, "{kind} isn't met");
        };
        assert!(error.to_string().contains("rdkafka"), "{error}");
        let mut source = joined(&fixture);
        source.seek(&[(0, 0)]);
        check(&mut *source, &[kind], 10);
    }
}
