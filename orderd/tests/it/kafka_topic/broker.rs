//! The real broker, asked directly: for what `orderd` itself never does.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use kafka::client::Compression;
use kafka::client::KafkaClient;
use kafka::client::ProduceMessage;
use kafka::client::RequiredAcks;
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::AddPartitionsToTxnRequest;
use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::EndTxnRequest;
use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::messages::InitProducerIdRequest;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::ProducerId;
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::TransactionalId;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopicConfig;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_request::TopicProduceData;
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::HeaderVersion;
use kafka_protocol::protocol::Request;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::protocol::encode_request_header_into_buffer;
use kafka_protocol::records::Compression as Plain;
use kafka_protocol::records::NO_PARTITION_LEADER_EPOCH;
use kafka_protocol::records::Record as LogRecord;
use kafka_protocol::records::RecordBatchEncoder;
use kafka_protocol::records::RecordEncodeOptions;
use kafka_protocol::records::TimestampType;
use orderd::supervise::StopToken;

use crate::kafka_topic::DEADLINE;
use crate::kafka_topic::now;
use crate::servers;

pub(super) fn client_of(topic: &str) -> KafkaClient {
    let mut client = KafkaClient::new(vec![servers::brokers()]);
    client.load_metadata(&[topic]).unwrap();
    client
}

/// Sends messages as another producer would, in one request.
pub(super) fn produce(
    client: &mut KafkaClient,
    topic: &str,
    compression: Compression,
    values: &[String],
) {
    client.set_compression(compression);
    let messages = values.iter().map(|value| {
        ProduceMessage::new(topic, 0, Some(&value.as_bytes()[..1]), Some(value.as_bytes()))
    });
    let wait = Duration::from_secs(5);
    let confirms = client.produce_messages(RequiredAcks::All, wait, messages).unwrap();
    confirms[0].partition_confirms[0].offset.unwrap();
}

/// One question to the broker that neither client has a call for.
pub(super) fn ask<Q: Request>(question: &Q, version: i16) -> Q::Response {
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

pub(super) fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut frame).unwrap();
    frame
}

pub(super) fn name(topic: &str) -> TopicName {
    StrBytes::from_string(topic.to_owned()).into()
}

pub(super) fn make_topic(topic: &str, partitions: i32, configs: &[(&str, &str)]) {
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

/// A producer with transactions, as the Java client's: each one ends in a mark in the log, which
/// takes an offset and is no message.
pub(super) struct Transactional {
    topic: String,
    id: TransactionalId,
    producer: ProducerId,
    epoch: i16,
    sequence: i32,
}

impl Transactional {
    pub(super) fn new(topic: &str) -> Self {
        let id = TransactionalId(StrBytes::from_string(format!("{topic}-producer")));
        let question = InitProducerIdRequest::default()
            .with_transactional_id(Some(id.clone()))
            .with_transaction_timeout_ms(60_000);
        let answer = until_settled(|| {
            let answer = ask_coordinator(&id, &question, 0);
            (answer.error_code, answer)
        });
        let (producer, epoch) = (answer.producer_id, answer.producer_epoch);
        Self { topic: topic.to_owned(), id, producer, epoch, sequence: 0 }
    }

    /// One transaction of these values in partition 0.
    pub(super) fn send(&mut self, values: &[&str], end: End) {
        let partitions = AddPartitionsToTxnTopic::default()
            .with_name(name(&self.topic))
            .with_partitions(vec![0]);
        let question = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id.clone())
            .with_v3_and_below_producer_id(self.producer)
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![partitions]);
        until_settled(|| {
            let answer = ask_coordinator(&self.id, &question, 0);
            let results = &answer.results_by_topic_v3_and_below;
            (results[0].results_by_partition[0].partition_error_code, ())
        });
        self.produce(values);
        let question = EndTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(self.producer)
            .with_producer_epoch(self.epoch)
            .with_committed(matches!(end, End::Committed));
        until_settled(|| (ask_coordinator(&self.id, &question, 0).error_code, ()));
    }

    fn produce(&mut self, values: &[&str]) {
        let records: Vec<LogRecord> = values
            .iter()
            .zip(0..)
            .map(|(value, number)| LogRecord {
                transactional: true,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
                producer_id: self.producer.0,
                producer_epoch: self.epoch,
                timestamp_type: TimestampType::Creation,
                offset: i64::from(number),
                sequence: self.sequence + number,
                timestamp: 1_000_000_000_000,
                key: None,
                value: Some(Bytes::copy_from_slice(value.as_bytes())),
                headers: IndexMap::new(),
            })
            .collect();
        self.sequence += i32::try_from(values.len()).unwrap();
        let mut batch = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Plain::None };
        RecordBatchEncoder::encode(&mut batch, &records, &options).unwrap();
        let partition = PartitionProduceData::default().with_records(Some(batch.freeze()));
        let topic = TopicProduceData::default()
            .with_name(name(&self.topic))
            .with_partition_data(vec![partition]);
        let question = ProduceRequest::default()
            .with_transactional_id(Some(self.id.clone()))
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        let answer = ask(&question, 3);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
}

/// How a transaction ends.
#[derive(Clone, Copy)]
pub(super) enum End {
    Committed,
    Aborted,
}

/// Asks until the coordinator of transactions is there and has finished what it was at.
fn until_settled<T>(mut question: impl FnMut() -> (i16, T)) -> T {
    /// `COORDINATOR_LOAD_IN_PROGRESS`, `_NOT_AVAILABLE`, `NOT_COORDINATOR`,
    /// `CONCURRENT_TRANSACTIONS`.
    const NOT_YET: [i16; 4] = [14, 15, 16, 51];
    let deadline = now() + DEADLINE;
    loop {
        let (code, answer) = question();
        if code == 0 {
            return answer;
        }
        assert!(NOT_YET.contains(&code), "error code {code}");
        assert!(now() < deadline, "still error code {code}");
        StopToken::new().wait(Duration::from_millis(20));
    }
}

/// A question to the broker that coordinates this producer's transactions. With one broker that is
/// the broker; asking who it is makes it begin.
fn ask_coordinator<Q: Request>(id: &TransactionalId, question: &Q, version: i16) -> Q::Response {
    let find = FindCoordinatorRequest::default().with_key(id.0.clone()).with_key_type(1);
    until_settled(|| (ask(&find, 1).error_code, ()));
    ask(question, version)
}
