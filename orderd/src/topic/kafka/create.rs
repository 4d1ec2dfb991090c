//! Makes the topic if it is missing, and waits until all of it can be used.
//!
//! The crate `kafka` can only have a broker make topics by the way, with the broker's default
//! number of partitions and only where that is allowed; `CreateTopics` says what is wanted.

use crate::topic::TopicError;
use crate::topic::kafka::Shared;
use crate::topic::kafka::probe;
use crate::topic::kafka::probe::Unfit;
use crate::topic::kafka::wire::Wire;
use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a new topic may take until each partition has a leader.
const LEADERS_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at the partitions; an election takes some ten milliseconds.
const LEADERS_PAUSE: Duration = Duration::from_millis(50);
/// How long one question may take.
const ANSWER_WAIT: Duration = Duration::from_secs(3);
/// The first version of `Metadata` that can ask about a topic without making it.
const METADATA_VERSION: i16 = 4;
/// The first version of `CreateTopics` that leaves the number of replicas to the broker (2.4).
const CREATE_VERSION: i16 = 4;
/// The broker's own default number of replicas.
const BROKER_DEFAULT: i16 = -1;

/// Makes sure that the topic is there, that each partition has a leader, and that each leader
/// answers. Returns `host:port` of a broker that answered.
///
/// # Errors
/// `Young` if a broker is too young for the crate `kafka`, `Configuration` if it will never make
/// such a topic; else `Outage`.
pub(super) fn prepare(shared: &Shared) -> Result<String, Unfit> {
    let mut wire = probe::first_answering(shared)?;
    let deadline = shared.clock.now() + LEADERS_WAIT;
    let leaders = loop {
        let metadata = metadata(shared, &mut wire)?;
        let Some(topic) = metadata.topics.first() else {
            return Err(shared.outage("the broker's answer leaves the topic out").into());
        };
        let missing = match topic.error_code.err() {
            None => match leaders(&metadata, topic) {
                Ok(leaders) => break leaders,
                Err(missing) => missing,
            },
            Some(ResponseError::LeaderNotAvailable) => "the topic has no leader".to_owned(),
            Some(ResponseError::UnknownTopicOrPartition) => {
                create(shared, &metadata)?;
                "the topic was made and isn't there yet".to_owned()
            }
            Some(error) => return Err(shared.outage(error).into()),
        };
        if shared.clock.now() >= deadline || shared.stop.wait(LEADERS_PAUSE) {
            return Err(shared.outage(missing).into());
        }
    };
    for leader in leaders.iter().filter(|leader| *leader != wire.address()) {
        probe::probe(shared, leader, probe::WAIT)?;
    }
    Ok(wire.address().to_owned())
}

fn metadata(shared: &Shared, wire: &mut Wire) -> Result<MetadataResponse, TopicError> {
    let topic = MetadataRequestTopic::default().with_name(Some(name(shared)));
    let question = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(false);
    wire.ask(&question, METADATA_VERSION, ANSWER_WAIT)
        .map_err(|error| shared.outage(format_args!("asking {}: {error}", wire.address())))
}

/// `host:port` of every partition's leader, or which partition has none.
fn leaders(
    metadata: &MetadataResponse,
    topic: &MetadataResponseTopic,
) -> Result<BTreeSet<String>, String> {
    if topic.partitions.is_empty() {
        return Err("the topic has no partition yet".to_owned());
    }
    let leader = |id| broker(metadata, id);
    topic
        .partitions
        .iter()
        .map(|partition| {
            leader(partition.leader_id)
                .ok_or_else(|| format!("partition {} has no leader", partition.partition_index))
        })
        .collect()
}

fn broker(metadata: &MetadataResponse, id: BrokerId) -> Option<String> {
    let broker = metadata.brokers.iter().find(|broker| broker.node_id == id)?;
    Some(format!("{}:{}", broker.host, broker.port))
}

/// Asks the controller for the topic. That another instance was faster is as good.
fn create(shared: &Shared, metadata: &MetadataResponse) -> Result<(), Unfit> {
    let address = broker(metadata, metadata.controller_id)
        .ok_or_else(|| shared.outage("the cluster has no controller to make the topic"))?;
    let mut wire = probe::probe(shared, &address, probe::WAIT)?;
    let topic = CreatableTopic::default()
        .with_name(name(shared))
        .with_num_partitions(shared.settings.partitions)
        .with_replication_factor(BROKER_DEFAULT);
    let question = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(i32::try_from(ANSWER_WAIT.as_millis()).unwrap_or(i32::MAX));
    let answer = wire
        .ask(&question, CREATE_VERSION, ANSWER_WAIT * 2)
        .map_err(|error| shared.outage(format_args!("asking {address} for the topic: {error}")))?;
    let Some(result) = answer.topics.first() else {
        return Err(shared.outage("the answer to making the topic leaves it out").into());
    };
    let reason = result.error_message.as_deref().unwrap_or_default();
    match result.error_code.err() {
        None => {
            let settings = &shared.settings;
            tracing::info!(topic = settings.topic, partitions = settings.partitions, "topic made");
            Ok(())
        }
        Some(ResponseError::TopicAlreadyExists) => Ok(()),
        Some(
            error @ (ResponseError::InvalidTopicException
            | ResponseError::InvalidPartitions
            | ResponseError::PolicyViolation),
        ) => Err(TopicError::Configuration(format!(
            "the topic {} (--kafka-topic) can't be made with {} partitions: {error} {reason}",
            shared.settings.topic, shared.settings.partitions
        ))
        .into()),
        Some(error) => {
            Err(shared.outage(format_args!("making the topic: {error} {reason}")).into())
        }
    }
}

fn name(shared: &Shared) -> TopicName {
    StrBytes::from_string(shared.settings.topic.clone()).into()
}
