//! The two silent losses of the crate `kafka`'s own `Consumer`, on the real broker, each beside the
//! source that doesn't have it: the reason why the source is built on the crate's low-level client.

use std::time::Duration;

use kafka::client::Compression;
use kafka::client::FetchGroupOffset;
use kafka::client::FetchOffset;
use kafka::client::GroupOffsetStorage;
use kafka::consumer::Consumer;
use kafka_protocol::messages::DeleteRecordsRequest;
use kafka_protocol::messages::IncrementalAlterConfigsRequest;
use kafka_protocol::messages::delete_records_request::DeleteRecordsPartition;
use kafka_protocol::messages::delete_records_request::DeleteRecordsTopic;
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use kafka_protocol::protocol::StrBytes;
use orderd::topic::Record;

use crate::kafka_topic::FETCH_WAIT;
use crate::kafka_topic::Fixture;
use crate::kafka_topic::broker::ask;
use crate::kafka_topic::broker::client_of;
use crate::kafka_topic::broker::make_topic;
use crate::kafka_topic::broker::name;
use crate::kafka_topic::broker::produce;
use crate::kafka_topic::read;
use crate::kafka_topic::record;
use crate::kafka_topic::settings;
use crate::servers;

/// How many polls without a message mean that there is none.
const QUIET_POLLS: usize = 5;

fn consumer(topics: &[String], group: &str) -> Consumer {
    let mut builder = Consumer::from_hosts(vec![servers::brokers()])
        .with_group(group.to_owned())
        .with_fallback_offset(FetchOffset::Earliest)
        .with_offset_storage(Some(GroupOffsetStorage::Kafka))
        .with_fetch_max_wait_time(Duration::from_millis(50))
        .with_fetch_min_bytes(1);
    for topic in topics {
        builder = builder.with_topic(topic.clone());
    }
    builder.create().unwrap()
}

/// Polls, as the crate's documentation shows it, until nothing more comes.
fn drain(consumer: &mut Consumer) -> Vec<String> {
    let mut values = Vec::new();
    let mut quiet = 0;
    while quiet < QUIET_POLLS {
        let sets = consumer.poll().unwrap();
        quiet = if sets.is_empty() { quiet + 1 } else { 0 };
        for set in sets.iter() {
            let text = |message: &kafka::consumer::Message<'_>| {
                String::from_utf8(message.value.to_vec()).unwrap()
            };
            values.extend(set.messages().iter().map(text));
            consumer.consume_messageset(set).unwrap();
        }
    }
    values
}

/// Facts, L1: where plain and compressed messages alternate, the crate's `Consumer` loses plain
/// ones and says nothing. The source has them all, in order.
#[test]
fn the_consumer_loses_messages_where_compressions_are_mixed_and_the_source_does_not() {
    let topic = servers::unique_topic("lost-mixed");
    let fixture = Fixture::settled(settings(&topic, 1));
    let mut source = fixture.source();
    let mut client = client_of(&topic);
    let sent: Vec<String> = (0..200).map(|n| format!("{n} {}", "filler ".repeat(20))).collect();
    for (block, values) in sent.chunks(10).enumerate() {
        let compression = if block % 2 == 0 { Compression::NONE } else { Compression::GZIP };
        produce(&mut client, &topic, compression, values);
    }
    let read_by_it = drain(&mut consumer(std::slice::from_ref(&topic), &format!("{topic}-group")));
    let lost = sent.iter().filter(|value| !read_by_it.contains(value)).count();
    assert!(lost > 0, "the crate has learnt to read mixed compression");
    eprintln!("the consumer lost {lost} of {} messages", sent.len());

    source.seek(&[(0, 0)]);
    let messages = read(&mut *source, sent.len());
    assert!(messages.iter().map(|m| &m.value[..]).eq(sent.iter().map(String::as_bytes)));
}

/// Lets the broker serve this topic to clients of 2015, or refuse it to them.
fn allow_old_clients(topic: &str, allowed: &str) {
    let config = AlterableConfig::default()
        .with_name(StrBytes::from_static_str("message.downconversion.enable"))
        .with_value(Some(StrBytes::from_string(allowed.to_owned())));
    let resource = AlterConfigsResource::default()
        // A topic.
        .with_resource_type(2)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configs(vec![config]);
    let question = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    assert_eq!(ask(&question, 0).responses[0].error_code, 0);
}

/// One run of the crate's `Consumer` over several topics, of which one has an error for a while.
/// Returns how many messages of the others it never showed, and whether it committed past them.
fn consume_through_an_error(run: usize) -> (usize, bool) {
    let prefix = servers::unique_topic(&format!("lost-partial-{run}"));
    let topics: Vec<String> = (0..7).map(|n| format!("{prefix}-{n}")).collect();
    let (ill, well) = topics.split_first().unwrap();
    let send = |topic: &String, value: String| {
        produce(&mut client_of(topic), topic, Compression::NONE, &[value]);
    };
    for topic in &topics {
        make_topic(topic, 1, &[]);
        Fixture::new(settings(topic, 1)).settle();
        send(topic, format!("{topic} first"));
    }
    allow_old_clients(ill, "false");
    let mut consumer = consumer(&topics, &prefix);
    let mut errors = 0;
    for _ in 0..QUIET_POLLS {
        errors += usize::from(consumer.poll().is_err());
    }
    assert!(errors > 0, "the broker shows the topic that it should refuse");
    allow_old_clients(ill, "true");
    for topic in well {
        send(topic, format!("{topic} second"));
    }
    let seen = drain(&mut consumer);
    consumer.commit_consumed().unwrap();
    let lost: Vec<&String> =
        well.iter().filter(|topic| !seen.contains(&format!("{topic} first"))).collect();
    let committed = lost.iter().all(|topic| {
        let mut client = client_of(topic);
        client.set_group_offset_storage(Some(GroupOffsetStorage::Kafka));
        let wanted = [FetchGroupOffset::new(topic, 0)];
        client.fetch_group_offsets(&prefix, wanted).unwrap()[*topic][0].offset > 1
    });
    (lost.len(), committed)
}

/// Facts, L2: an error of one partition makes the crate's `Consumer` pass over what it had fetched
/// from others, and then commit past it. Which ones depends on the order of a hash map, so that a
/// run may be lucky.
#[test]
fn the_consumer_loses_messages_beside_an_error_of_another_partition() {
    for run in 0..20 {
        let (lost, committed) = consume_through_an_error(run);
        eprintln!("run {run}: the consumer lost {lost} of 6 messages");
        if lost > 0 {
            assert!(committed, "what was lost isn't committed past");
            return;
        }
    }
    panic!("the crate has learnt to keep what it fetched beside an error");
}

/// The defence against L2: an error of one partition is an error of the fetch, which hands out
/// nothing; and a source that is opened again from the same positions has everything.
#[test]
fn a_source_loses_nothing_beside_an_error_of_another_partition() {
    let topic = servers::unique_topic("kept-partial");
    let fixture = Fixture::new(settings(&topic, 4));
    // Without keys the records take turns.
    fixture.settle();
    let records: Vec<Record> = (0..80).map(|n| record("", format!("{n}"))).collect();
    fixture.sink().append(&records).unwrap();
    let partition = DeleteRecordsPartition::default().with_partition_index(2).with_offset(15);
    let trimmed =
        DeleteRecordsTopic::default().with_name(name(&topic)).with_partitions(vec![partition]);
    let question =
        DeleteRecordsRequest::default().with_topics(vec![trimmed]).with_timeout_ms(10_000);
    assert_eq!(ask(&question, 0).topics[0].partitions[0].error_code, 0);

    let mut source = fixture.source();
    source.seek(&[(0, 0), (1, 0), (2, 0), (3, 0)]);
    let error = source.fetch(FETCH_WAIT).unwrap_err();
    assert!(error.to_string().contains("partition 2"), "{error}");
    let mut source = fixture.source();
    source.seek(&[(0, 0), (1, 0), (2, 15), (3, 0)]);
    let mut places: Vec<_> =
        read(&mut *source, 65).iter().map(|m| (m.partition, m.offset)).collect();
    places.sort_unstable();
    let all = |partition, from| (from..20).map(move |offset| (partition, offset));
    let expected: Vec<(i32, i64)> =
        all(0, 0).chain(all(1, 0)).chain(all(2, 15)).chain(all(3, 0)).collect();
    assert_eq!(places, expected);
    assert_eq!(fixture.kafka.skipped(), 0);
}
