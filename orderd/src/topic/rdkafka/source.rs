//! Reads the partitions that the group, or a fixed share, gives to this instance.
//!
//! Invariants:
//! * A partition is read only while it is this member's and has a position of its owner's.
//! * A cursor moves only past messages that are handed out by the same call. What the library
//!   leaves out on the way (compaction, marks and rolled back messages of transactions) is counted.
//! * Messages of a partition that is revoked during a fetch aren't handed out by it.

use crate::topic::Bounds;
use crate::topic::Message;
use crate::topic::Source;
use crate::topic::Standing;
use crate::topic::TopicError;
use crate::topic::kafka::Shared;
use crate::topic::rdkafka::ANSWER_WAIT;
use crate::topic::rdkafka::config;
use crate::topic::rdkafka::group::Member;
use crate::topic::rdkafka::refused;
use bytes::Bytes;
use rdkafka::Message as _;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// What one fetch hands out at most, unless a single message is larger.
const FETCH_MESSAGES_MAX: usize = 5000;
const FETCH_BYTES_MAX: usize = 8 << 20;
/// What the library holds ahead of the fetches, all partitions together, in KiB.
const QUEUED_KBYTES: &str = "16384";
/// After so long without a poll a member is taken for dead. A save with all its retries of halves
/// is shorter, and while ingest waits for the store it polls several times a second.
const POLL_INTERVAL_MS: &str = "120000";
/// After so long without a heartbeat too.
const SESSION_TIMEOUT_MS: &str = "10000";
/// Between two statistics of the library: about as often as metrics are collected.
const STATISTICS_EVERY_MS: &str = "5000";
/// Between two commits of the group's offsets. Lag tools look every few seconds.
const COMMIT_EVERY: Duration = Duration::from_millis(200);

pub(super) struct RdkafkaSource {
    consumer: BaseConsumer<Member>,
    shared: Arc<Shared>,
    commit_at: Instant,
    /// What seeking met; told by the next fetch.
    failure: Option<KafkaError>,
}

impl RdkafkaSource {
    /// Joins the group, unless the share is fixed: then the group only keeps offsets.
    pub(super) fn open(shared: Arc<Shared>) -> Result<Self, TopicError> {
        let message_bytes_max = shared.settings.message_bytes_max.max(1000).to_string();
        let mut config = config(&shared);
        config
            .set("group.id", &shared.settings.group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("session.timeout.ms", SESSION_TIMEOUT_MS)
            .set("heartbeat.interval.ms", "1000")
            .set("max.poll.interval.ms", POLL_INTERVAL_MS)
            .set("queued.max.messages.kbytes", QUEUED_KBYTES)
            .set("fetch.wait.max.ms", "200")
            .set("fetch.error.backoff.ms", "100")
            .set("message.max.bytes", message_bytes_max)
            // New partitions of the topic are noticed by this.
            // The ends of the logs come with them.
            .set("statistics.interval.ms", STATISTICS_EVERY_MS)
            .set("topic.metadata.refresh.interval.ms", "30000");
        let member = Member::new(Arc::clone(&shared));
        let consumer = BaseConsumer::from_config_and_context(&config, member)
            .map_err(|error| refused(&error))?;
        if shared.settings.share.is_none() {
            consumer
                .subscribe(&[&shared.settings.topic])
                .map_err(|error| shared.outage(format_args!("joining the group: {error}")))?;
        }
        let commit_at = shared.clock.now();
        Ok(Self { consumer, shared, commit_at, failure: None })
    }

    /// The partitions that this instance is to read.
    fn own(&self) -> Result<Vec<i32>, TopicError> {
        if self.shared.settings.share.is_none() {
            let held = self.consumer.context().held();
            return Ok(held.granted.iter().flatten().copied().collect());
        }
        let topic = self.shared.settings.topic.as_str();
        let metadata = self.consumer.fetch_metadata(Some(topic), ANSWER_WAIT);
        let metadata = metadata.map_err(|error| self.outage(error))?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let numbers = partitions.map(|partition| partition.id());
        let mut own: Vec<i32> =
            numbers.filter(|&partition| self.shared.settings.reads(partition)).collect();
        own.sort_unstable();
        Ok(own)
    }

    fn outage(&self, detail: impl std::fmt::Display) -> TopicError {
        self.consumer.context().told.outage(&self.shared, detail)
    }

    /// Makes the library read exactly these; what it reads at its place already goes on
    /// undisturbed.
    fn reposition(&self, positions: &[(i32, i64)]) -> KafkaResult<()> {
        let member = self.consumer.context();
        let wanted: BTreeMap<i32, i64> = positions.iter().copied().collect();
        let held = member.held().cursors.clone();
        let same = |a: &BTreeMap<i32, i64>, at: (&i32, &i64)| a.get(at.0) == Some(at.1);
        let gone = member.list(held.iter().filter(|&at| !same(&wanted, at)))?;
        let added = member.list(wanted.iter().filter(|&at| !same(&held, at)))?;
        if gone.count() > 0 {
            self.consumer.incremental_unassign(&gone)?;
        }
        if added.count() > 0 {
            self.consumer.incremental_assign(&added)?;
        }
        let mut held = member.held();
        // What lies before is saved, be it by another member: a partition in which nothing more
        // happens would show its lag for ever.
        held.saved.extend(&wanted);
        held.cursors = wanted;
        Ok(())
    }

    /// A message that is to be handed out. `None` if it was already.
    fn take(&self, message: &BorrowedMessage<'_>) -> Option<Message> {
        let (partition, offset) = (message.partition(), message.offset());
        let next = {
            let mut held = self.consumer.context().held();
            let cursor = held.cursors.get_mut(&partition)?;
            let next = *cursor;
            *cursor = next.max(offset + 1);
            next
        };
        if offset < next {
            return None;
        }
        if offset > next {
            self.shared.skip(partition, next, next.abs_diff(offset));
        }
        let bytes = |part: Option<&[u8]>| part.map_or_else(Bytes::new, Bytes::copy_from_slice);
        Some(Message {
            partition,
            offset,
            key: bytes(message.key()),
            value: bytes(message.payload()),
        })
    }
}

impl Source for RdkafkaSource {
    fn bounds(&mut self) -> Result<Vec<Bounds>, TopicError> {
        let topic = self.shared.settings.topic.as_str();
        let bounds = |partition| {
            let (earliest, end) = self
                .consumer
                .fetch_watermarks(topic, partition, ANSWER_WAIT)
                .map_err(|error| self.outage(format_args!("partition {partition}: {error}")))?;
            Ok(Bounds { partition, earliest, end: end.max(earliest) })
        };
        self.own()?.into_iter().map(bounds).collect()
    }

    fn seek(&mut self, positions: &[(i32, i64)]) {
        self.failure = self.reposition(positions).err();
    }

    fn fetch(&mut self, wait_max: Duration) -> Result<Vec<Message>, TopicError> {
        if let Some(error) = self.failure.take() {
            return Err(self.outage(format_args!("seeking: {error}")));
        }
        if self.shared.clock.now() >= self.commit_at {
            self.consumer.context().commit(&self.consumer);
            self.commit_at = self.shared.clock.now() + COMMIT_EVERY;
        }
        let mut messages = Vec::new();
        let mut bytes = 0;
        let mut wait = wait_max;
        while let Some(polled) = self.consumer.poll(wait) {
            match polled {
                Ok(message) => {
                    if let Some(message) = self.take(&message) {
                        bytes += message.key.len() + message.value.len();
                        messages.push(message);
                    }
                }
                Err(error) if is_passing(&error) => tracing::debug!(%error, "fetching"),
                Err(error) => return Err(self.outage(format_args!("fetching: {error}"))),
            }
            wait = Duration::ZERO;
            if messages.len() >= FETCH_MESSAGES_MAX || bytes >= FETCH_BYTES_MAX {
                break;
            }
        }
        let mut held = self.consumer.context().held();
        if let Some(failure) = held.failure.take() {
            drop(held);
            return Err(self.outage(format_args!("rebalancing: {failure}")));
        }
        messages.retain(|message| held.cursors.contains_key(&message.partition));
        Ok(messages)
    }

    fn standing(&mut self) -> Result<Standing, TopicError> {
        let shared = &self.shared;
        let mut held = self.consumer.context().held();
        let waits = shared.settings.share.is_none() && held.granted.is_none();
        let obstacle = waits.then(|| {
            let group = &shared.settings.group;
            format!("the group {group} (--kafka-group) has assigned no partitions yet")
        });
        let read = |(partition, _): &(&i32, &i64)| held.cursors.contains_key(partition);
        let ends = held.ends.iter().filter(read).map(|(&partition, &end)| (partition, end));
        let ends = ends.collect();
        Ok(Standing { reassigned: std::mem::take(&mut held.changed), obstacle, ends })
    }

    fn saved(&mut self, positions: &[(i32, i64)]) {
        self.consumer.context().held().saved.extend(positions.iter().copied());
    }
}

impl Drop for RdkafkaSource {
    fn drop(&mut self) {
        // Leaving the group, which follows, waits for it.
        self.consumer.context().commit(&self.consumer);
    }
}

/// Whether the library gets over it by itself.
fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageConsumption(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::PollExceeded
        )
    )
}
