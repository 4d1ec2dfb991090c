//! `orderd`'s source and sink on the real broker.

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use bytes::BytesMut;
use kafka::client::Compression;
use kafka::client::FetchGroupOffset;
use kafka::client::GroupOffsetStorage;
use kafka::client::KafkaClient;
use kafka::client::ProduceMessage;
use kafka::client::RequiredAcks;
use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::DeleteRecordsRequest;
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopicConfig;
use kafka_protocol::messages::delete_records_request::DeleteRecordsPartition;
use kafka_protocol::messages::delete_records_request::DeleteRecordsTopic;
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::Encodable;
use kafka_protocol::protocol::HeaderVersion;
use kafka_protocol::protocol::Request;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::protocol::encode_request_header_into_buffer;
use orderd::clock::Clock;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::Bounds;
use orderd::topic::Message;
use orderd::topic::OpenSink;
use orderd::topic::OpenSource;
use orderd::topic::Record;
use orderd::topic::Sink;
use orderd::topic::Source;
use orderd::topic::TopicError;
use orderd::topic::kafka::KafkaSettings;
use orderd::topic::kafka::KafkaTopic;

use crate::servers;

/// How long anything that needs several steps of the broker may take.
const DEADLINE: Duration = Duration::from_secs(60);
const FETCH_WAIT: Duration = Duration::from_millis(200);

/// A topic with the threads that belong to it.
struct Fixture {
    crew: Crew,
    kafka: KafkaTopic,
}

impl Fixture {
    fn new(settings: KafkaSettings) -> Self {
        let crew = Crew::new(StopToken::new());
        let kafka = KafkaTopic::start(&crew, Clock::system(), settings).unwrap();
        Self { crew, kafka }
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

fn settings(topic: &str, partitions: i32) -> KafkaSettings {
    KafkaSettings {
        brokers: servers::brokers(),
        topic: topic.to_owned(),
        group: format!("{topic}-group"),
        partitions,
        message_bytes_max: 16 << 20,
    }
}

#[expect(clippy::disallowed_methods, reason = "a test measures real time against its deadline")]
fn now() -> Instant {
    Instant::now()
}

/// Fetches until there are `count` messages.
fn read(source: &mut dyn Source, count: usize) -> Vec<Message> {
    let deadline = now() + DEADLINE;
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.extend(source.fetch(FETCH_WAIT).unwrap());
        assert!(now() < deadline, "{} of {count} messages came in time", messages.len());
    }
    messages
}

fn record(key: &str, value: impl Into<Bytes>) -> Record {
    Record { key: Bytes::copy_from_slice(key.as_bytes()), value: value.into() }
}

/// Sends messages as another producer would, in one request.
fn produce(client: &mut KafkaClient, topic: &str, compression: Compression, values: &[String]) {
    client.set_compression(compression);
    let messages = values.iter().map(|value| {
        ProduceMessage::new(topic, 0, Some(&value.as_bytes()[..1]), Some(value.as_bytes()))
    });
    let wait = Duration::from_secs(5);
    let confirms = client.produce_messages(RequiredAcks::All, wait, messages).unwrap();
    confirms[0].partition_confirms[0].offset.unwrap();
}

fn client_of(topic: &str) -> KafkaClient {
    let mut client = KafkaClient::new(vec![servers::brokers()]);
    client.load_metadata(&[topic]).unwrap();
    client
}

/// One question to the broker that neither client has a call for.
fn ask<Q: Request>(question: &Q, version: i16) -> Q::Response {
    let mut stream = TcpStream::connect(servers::brokers()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let header = RequestHeader::default()
        .with_request_api_key(Q::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("test")));
    let mut frame = BytesMut::new();
    encode_request_header_into_buffer(&mut frame, &header).unwrap();
    question.encode(&mut frame, version).unwrap();
    stream.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&frame).unwrap();
    let mut answer = Bytes::from(read_frame(&mut stream));
    ResponseHeader::decode(&mut answer, Q::Response::header_version(version)).unwrap();
    Q::Response::decode(&mut answer, version).unwrap()
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut frame).unwrap();
    frame
}

fn name(topic: &str) -> TopicName {
    StrBytes::from_string(topic.to_owned()).into()
}

fn make_topic(topic: &str, partitions: i32, configs: &[(&str, &str)]) {
    let configs = configs.iter().map(|(name, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string((*name).to_owned()))
            .with_value(Some(StrBytes::from_string((*value).to_owned())))
    });
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(-1)
        .with_configs(configs.collect());
    let question = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    assert_eq!(ask(&question, 4).topics[0].error_code, 0);
}

/// Issue, point 3: the topic is made if it is missing, with the partitions that were asked for; one
/// that exists is taken as it is.
#[test]
fn a_missing_topic_is_made_with_its_partitions() {
    let topic = servers::unique_topic("made");
    let three = Fixture::new(settings(&topic, 3));
    let empty = |partition| Bounds { partition, earliest: 0, end: 0 };
    assert_eq!(three.source().bounds().unwrap(), [empty(0), empty(1), empty(2)]);
    let other = Fixture::new(settings(&topic, 5));
    assert_eq!(other.source().bounds().unwrap().len(), 3);
}

/// Design: what a sink acknowledged is in the topic, each key in one partition and in order.
#[test]
fn what_a_sink_appends_a_source_reads_in_order_by_key() {
    let fixture = Fixture::new(settings(&servers::unique_topic("order"), 3));
    let records: Vec<Record> =
        (0..3000).map(|n| record(&format!("key-{}", n % 100), format!("{n}"))).collect();
    let mut sink = fixture.sink();
    for some in records.chunks(500) {
        sink.append(some).unwrap();
    }
    let mut source = fixture.source();
    let bounds = source.bounds().unwrap();
    assert_eq!(bounds.iter().map(|bounds| bounds.end).sum::<i64>(), 3000);
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

/// Trait `Source`: messages of a partition come in ascending offsets, here without gaps.
fn assert_ascending(messages: &[Message]) {
    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    for message in messages {
        let next = next.entry(message.partition).or_insert(message.offset);
        assert_eq!(message.offset, *next, "in partition {}", message.partition);
        *next += 1;
    }
}

/// Issue, point 3: gaps are checked. The client alone loses half of such a partition.
#[test]
fn mixed_compression_loses_nothing() {
    let topic = servers::unique_topic("mixed");
    let fixture = Fixture::new(settings(&topic, 1));
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
    let fixture = Fixture::new(settings(&servers::unique_topic("resumed"), 2));
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

/// Issue, row on retention: a position that the log has left behind is an error that the owner
/// sees, and the bounds tell where the log starts.
#[test]
fn a_position_before_the_start_of_the_log_is_an_outage() {
    let topic = servers::unique_topic("trimmed");
    let fixture = Fixture::new(settings(&topic, 1));
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
    let fixture = Fixture::new(settings(&topic, 1));
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

/// Issue: bad input never stops the daemon. A record that the topic can't take is named by its
/// index; many that are small are taken, although all together are larger than a batch may be.
#[test]
fn a_record_that_is_too_large_is_rejected_alone() {
    let topic = servers::unique_topic("oversize");
    let fixture = Fixture::new(KafkaSettings { message_bytes_max: 4 << 20, ..settings(&topic, 1) });
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
    let fixture = Fixture::new(settings(&topic, 1));
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

/// Larger than one fetch: read all the same, up to the setting. Beyond the setting the partition
/// waits, the others go on, and nothing is passed over.
#[test]
fn a_large_message_is_read_up_to_the_setting_and_never_holds_up_other_partitions() {
    let topic = servers::unique_topic("large");
    make_topic(&topic, 2, &[("max.message.bytes", "9000000")]);
    let fixture = Fixture::new(settings(&topic, 2));
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

/// Issue: a silent Kafka is waited for: opening fails soon, and not after the client's 120 s.
#[test]
fn a_silent_broker_is_an_outage_within_five_seconds() {
    // It listens and never accepts: the system completes the connection, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let topic = servers::unique_topic("silent");
    let fixture = Fixture::new(KafkaSettings { brokers: address.clone(), ..settings(&topic, 1) });
    let start = now();
    let source = OpenSource::open(&fixture.kafka).err().unwrap();
    let sink = OpenSink::open(&fixture.kafka).err().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?} for both", start.elapsed());
    for error in [source, sink] {
        assert!(matches!(error, TopicError::Outage { .. }), "{error:?}");
        assert!(error.to_string().contains(&address), "{error}");
    }
    // Beside it a broker that answers is enough.
    let brokers = format!("{address},{}", servers::brokers());
    let fixture = Fixture::new(KafkaSettings { brokers, ..settings(&topic, 1) });
    let start = now();
    assert_eq!(fixture.source().bounds().unwrap().len(), 1);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Issue: a Kafka that refuses is waited for, and the sentence names it.
#[test]
fn a_broker_that_refuses_is_an_outage() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let settings = settings(&servers::unique_topic("refused"), 1);
    let fixture = Fixture::new(KafkaSettings { brokers: closed.clone(), ..settings });
    let error = OpenSource::open(&fixture.kafka).err().unwrap();
    assert!(matches!(error, TopicError::Outage { .. }), "{error:?}");
    assert!(error.to_string().contains(&closed), "{error}");
}

/// What a peer answers to whatever it is asked first decides the error that `open` gives.
fn open_on(answer: &[u8]) -> TopicError {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let brokers = peer.local_addr().unwrap().to_string();
    let settings = settings(&servers::unique_topic("peer"), 1);
    let fixture = Fixture::new(KafkaSettings { brokers, ..settings });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = peer.accept().unwrap();
            read_frame(&mut stream);
            stream.write_all(answer).unwrap();
        });
        OpenSource::open(&fixture.kafka).err().unwrap()
    })
}

/// Design: a broker of 4.x gets one sentence that says so.
#[test]
fn a_broker_of_kafka_4_is_a_configuration_error() {
    let fetch = ApiVersion::default().with_api_key(1).with_min_version(4).with_max_version(17);
    let versions = ApiVersionsResponse::default().with_api_keys(vec![fetch]);
    let mut answer = BytesMut::new();
    ResponseHeader::default().with_correlation_id(1).encode(&mut answer, 0).unwrap();
    versions.encode(&mut answer, 0).unwrap();
    let mut frame = u32::try_from(answer.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(&answer);
    let error = open_on(&frame);
    assert!(matches!(error, TopicError::Configuration(_)), "{error:?}");
    let sentence = error.to_string();
    assert!(sentence.contains("--kafka-brokers") && sentence.contains("4.0"), "{sentence}");
}

/// Whatever answers at the broker's address, it is an error and never a panic or a huge allocation.
#[test]
fn a_peer_that_is_no_broker_is_an_outage() {
    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
        &[0xff; 64],
        &[0, 0, 0, 4, 0, 0, 0, 1],
        &[0, 0, 0, 10, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0],
    ];
    for answer in answers {
        let error = open_on(answer);
        assert!(matches!(error, TopicError::Outage { .. }), "{answer:?}: {error:?}");
    }
}

/// Design: the group offset is committed after the store, so that the usual lag tools work.
#[test]
fn saved_positions_are_the_groups_offsets() {
    let topic = servers::unique_topic("lag");
    let fixture = Fixture::new(settings(&topic, 2));
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
