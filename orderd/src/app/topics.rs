//! The topics on Kafka: whose calls are made by threads that can be left behind, and the one for
//! dead letters if the settings name one.

use crate::app::StartError;
use crate::cli;
use crate::clock::Clock;
use crate::dead_letters::Feed;
use crate::embedded::Embedded;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use crate::topic::OpenSink;
use crate::topic::OpenSource;
use crate::topic::TopicError;
use crate::topic::detached::CALL_WAIT_MAX;
use crate::topic::detached::Detached;
use crate::topic::kafka::KafkaSettings;
use crate::topic::kafka::KafkaTopic;
use crate::topic::kafka::Share;
use std::sync::Arc;

/// The largest Kafka message that is taken: four times a broker's own default, so that topics with
/// a raised limit work, and a bound on the memory of one fetch.
const MESSAGE_BYTES_MAX: i32 = 4 * 1024 * 1024;

/// The topic that the settings name. Its thread becomes a member of `crew`.
///
/// # Errors
/// `Configuration` if a setting can't be right.
pub fn kafka_topic(
    crew: &Crew,
    clock: &Clock,
    kafka: &cli::Kafka,
    group: &str,
    share: Option<Share>,
) -> Result<KafkaTopic, TopicError> {
    let settings = KafkaSettings {
        brokers: kafka.kafka_brokers.join(","),
        topic: kafka.kafka_topic.clone(),
        group: group.to_owned(),
        partitions: kafka.kafka_partitions,
        message_bytes_max: MESSAGE_BYTES_MAX,
        client: kafka.kafka_client.into(),
        security: kafka.security(),
        share,
    };
    KafkaTopic::start(crew, clock.clone(), settings)
}

/// Reading ends with intake, since nothing is lost by it; what is being written may end until the
/// cut.
pub(super) fn detached(
    topic: KafkaTopic,
    intake: &Arc<Crew>,
    crew: &Arc<Crew>,
    cut: &StopToken,
) -> (Arc<dyn OpenSource>, Arc<dyn OpenSink>) {
    let (sources, sinks): (Arc<dyn OpenSource>, Arc<dyn OpenSink>) =
        (Arc::new(topic.clone()), Arc::new(topic));
    let stop = intake.stop_token().clone();
    let sources = Detached::new(sources, intake, "kafka-source", CALL_WAIT_MAX, stop);
    let sinks = Detached::new(sinks, crew, "kafka-sink", CALL_WAIT_MAX, cut.clone());
    (Arc::new(sources), Arc::new(sinks))
}

/// Where dead letters are published: on Kafka if orders come from there, else in the same file.
pub(super) fn sinks(
    intake: &Arc<Crew>,
    cut: &StopToken,
    clock: &Clock,
    settings: &cli::Serve,
    embedded: Option<&Embedded>,
) -> Result<Option<Arc<dyn OpenSink>>, StartError> {
    let Some(topic) = &settings.dead_letter_topic else { return Ok(None) };
    if settings.kafka.kafka_brokers.is_empty() {
        let opened =
            embedded.map(|embedded| Arc::new(embedded.topic(topic, 1)) as Arc<dyn OpenSink>);
        return Ok(opened);
    }
    let kafka = cli::Kafka { kafka_topic: topic.clone(), ..settings.kafka.clone() };
    let sinks: Arc<dyn OpenSink> =
        Arc::new(kafka_topic(intake, clock, &kafka, &settings.kafka_group, None)?);
    let sinks = Detached::new(sinks, intake, "kafka-dead-letters", CALL_WAIT_MAX, cut.clone());
    Ok(Some(Arc::new(sinks)))
}

/// Starts the thread that publishes dead letters, if there is a topic for them.
pub(super) fn start(crew: &Crew, feed: Option<Feed>) -> std::io::Result<()> {
    let Some(feed) = feed else { return Ok(()) };
    crew.spawn_restarting("dead-letters", move |stop| feed.run(stop))
}
