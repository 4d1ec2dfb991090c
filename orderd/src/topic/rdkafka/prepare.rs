//! Makes the topic if it is missing, and waits until every partition has a leader.

use crate::topic::TopicError;
use crate::topic::kafka::Shared;
use crate::topic::rdkafka::ANSWER_WAIT;
use crate::topic::rdkafka::Told;
use crate::topic::rdkafka::config;
use crate::topic::rdkafka::refused;
use rdkafka::admin::AdminClient;
use rdkafka::admin::AdminOptions;
use rdkafka::admin::NewTopic;
use rdkafka::admin::TopicReplication;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::IsError as _;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

/// How long a topic may take until each partition has a leader.
const LEADERS_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at the partitions; an election takes some ten milliseconds.
const LEADERS_PAUSE: Duration = Duration::from_millis(50);
/// How long one listening takes, and how often an error may interrupt it.
const LISTEN: Duration = Duration::from_millis(20);
const POLLS_MAX: usize = 10;
/// The broker's own default number of replicas.
const BROKER_DEFAULT: i32 = -1;
/// A partition without a leader has this one.
const NOBODY: i32 = -1;

impl ConsumerContext for Told {}

/// Makes sure that the topic is there and that each partition has a leader.
///
/// # Errors
/// `Configuration` if the brokers will never make such a topic, or if no client can be made with
/// the settings; else `Outage`.
pub(super) fn prepare(shared: &Shared) -> Result<(), TopicError> {
    // Without a group nothing is joined and nothing is read: it only asks.
    let asker = BaseConsumer::from_config_and_context(&config(shared), Told::default())
        .map_err(|error| refused(&error))?;
    let deadline = shared.clock.now() + LEADERS_WAIT;
    loop {
        let told = asker.context();
        let metadata =
            asker.fetch_metadata(Some(&shared.settings.topic), ANSWER_WAIT).map_err(|error| {
                listen(&asker);
                told.outage(shared, error)
            })?;
        let Some(topic) = metadata.topics().first() else {
            return Err(shared.outage("the broker's answer leaves the topic out"));
        };
        let missing = match topic.error().filter(RDKafkaRespErr::is_error) {
            None => match leaderless(topic) {
                None => return Ok(()),
                Some(missing) => missing,
            },
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) => {
                "the topic has no leader".to_owned()
            }
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => {
                create(shared)?;
                "the topic was made and isn't there yet".to_owned()
            }
            Some(error) => return Err(shared.outage(RDKafkaErrorCode::from(error))),
        };
        if shared.clock.now() >= deadline || shared.stop.wait(LEADERS_PAUSE) {
            return Err(shared.outage(missing));
        }
    }
}

/// The library hands out what it has to tell only when it is polled.
fn listen(asker: &BaseConsumer<Told>) {
    let polls = std::iter::repeat_with(|| asker.poll(LISTEN)).take(POLLS_MAX);
    // An error says less than the lines that come with it.
    for _ in polls.take_while(Option::is_some) {}
}

fn leaderless(topic: &MetadataTopic) -> Option<String> {
    if topic.partitions().is_empty() {
        return Some("the topic has no partition yet".to_owned());
    }
    let partition = topic.partitions().iter().find(|partition| partition.leader() == NOBODY)?;
    Some(format!("partition {} has no leader", partition.id()))
}

/// Asks for the topic. That another instance was faster is as good.
fn create(shared: &Shared) -> Result<(), TopicError> {
    let settings = &shared.settings;
    let admin = AdminClient::from_config_and_context(&config(shared), Told::default())
        .map_err(|error| refused(&error))?;
    let replicas = TopicReplication::Fixed(BROKER_DEFAULT);
    let topic = NewTopic::new(&settings.topic, settings.partitions, replicas);
    let options =
        AdminOptions::new().request_timeout(Some(ANSWER_WAIT)).operation_timeout(Some(ANSWER_WAIT));
    // The answer comes on a thread of the client. Waiting for it in steps needs no executor, and
    // ends when the daemon stops.
    let mut answer = pin!(admin.create_topics([&topic], &options));
    let deadline = shared.clock.now() + ANSWER_WAIT * 2;
    let results = loop {
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(results) => break results,
            Poll::Pending if shared.clock.now() < deadline => {
                if shared.stop.wait(Duration::from_millis(10)) {
                    return Err(shared.outage("the daemon is stopping"));
                }
            }
            Poll::Pending => return Err(shared.outage("making the topic takes too long")),
        }
    };
    let results = results.map_err(|error| admin.inner().context().outage(shared, error))?;
    match results.into_iter().next() {
        Some(Ok(_)) => {
            tracing::info!(topic = settings.topic, partitions = settings.partitions, "topic made");
            Ok(())
        }
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((
            _,
            error @ (RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::InvalidPartitions
            | RDKafkaErrorCode::PolicyViolation),
        ))) => Err(TopicError::Configuration(format!(
            "the topic {} (--kafka-topic) can't be made with {} partitions: {error}",
            settings.topic, settings.partitions
        ))),
        Some(Err((_, error))) => Err(shared.outage(format_args!("making the topic: {error}"))),
        None => Err(shared.outage("the answer to making the topic leaves it out")),
    }
}
