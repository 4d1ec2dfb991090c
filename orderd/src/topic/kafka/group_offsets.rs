//! Tells Kafka how far the group has got, for the usual lag tools and for nothing else.
//!
//! A thread of its own, over plain sockets with deadlines, since the client's `commit_offsets` can
//! loop for ever. Positions are given to a mailbox in which a partition's later position replaces
//! its earlier one, so nobody waits here and the memory is bounded by the number of partitions.
//! What is lost here is only shown wrongly: positions that count are in the store.

use crate::supervise::StopToken;
use crate::topic::kafka::Shared;
use crate::topic::kafka::probe;
use crate::topic::kafka::probe::Unfit;
use crate::topic::kafka::wire::Wire;
use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::OffsetCommitRequest;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// Between two commits. Lag tools look every few seconds.
const PAUSE: Duration = Duration::from_millis(200);
/// After a failure.
const PAUSE_FAILED: Duration = Duration::from_secs(2);
/// How long one connect or answer may take.
const WAIT: Duration = Duration::from_secs(2);
/// The same when the daemon is stopping.
const WAIT_LAST: Duration = Duration::from_millis(500);
const FIND_COORDINATOR_VERSION: i16 = 1;
/// The first version that keeps offsets in Kafka for as long as the broker is set to.
const COMMIT_VERSION: i16 = 2;
/// A commit from outside of any membership carries this generation.
const NO_GENERATION: i32 = -1;
/// The broker's own retention of offsets.
const BROKER_DEFAULT: i64 = -1;

/// The latest position of each partition that isn't committed yet.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<BTreeMap<i32, i64>>);

impl Mailbox {
    /// Replaces these partitions' positions. Never waits.
    pub(super) fn offer(&self, positions: &[(i32, i64)]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(positions.iter().copied());
    }

    fn take(&self) -> BTreeMap<i32, i64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what wasn't committed, unless it has been overtaken.
    fn put_back(&self, positions: BTreeMap<i32, i64>) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, offset) in positions {
            latest.entry(partition).or_insert(offset);
        }
    }
}

/// Commits what is in the mailbox until the crew stops, and then once more.
pub(super) fn run(shared: &Shared, stop: &StopToken) {
    let mut coordinator = None;
    let mut pause = PAUSE;
    while !stop.wait(pause) {
        let positions = shared.offsets.take();
        if positions.is_empty() {
            continue;
        }
        match commit(shared, &mut coordinator, &positions, WAIT) {
            Ok(()) => pause = PAUSE,
            Err(error) => {
                if pause == PAUSE {
                    let group = shared.settings.group.as_str();
                    tracing::warn!(group, %error, "the group's offsets can't be committed");
                }
                shared.offsets.put_back(positions);
                coordinator = None;
                pause = PAUSE_FAILED;
            }
        }
    }
    let positions = shared.offsets.take();
    if let Some(mut wire) = coordinator.filter(|_| !positions.is_empty()) {
        wire.outlast_stop();
        // Best effort, as all commits are; nothing is left that could try again.
        let _ = commit(shared, &mut Some(wire), &positions, WAIT_LAST);
    }
}

fn commit(
    shared: &Shared,
    coordinator: &mut Option<Wire>,
    positions: &BTreeMap<i32, i64>,
    wait_max: Duration,
) -> io::Result<()> {
    let wire = match coordinator {
        Some(wire) => wire,
        None => coordinator.insert(find(shared)?),
    };
    let partitions = positions.iter().map(|(partition, offset)| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
    });
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(StrBytes::from_string(shared.settings.topic.clone())))
        .with_partitions(partitions.collect());
    let question = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(shared.settings.group.clone())))
        .with_generation_id_or_member_epoch(NO_GENERATION)
        .with_retention_time_ms(BROKER_DEFAULT)
        .with_topics(vec![topic]);
    let answer = wire.ask(&question, COMMIT_VERSION, wait_max)?;
    let mut answers = answer.topics.iter().flat_map(|topic| &topic.partitions);
    answers
        .find_map(|partition| partition.error_code.err())
        .map_or(Ok(()), |error| Err(code(error)))
}

/// A connection to the broker that keeps the group's offsets.
fn find(shared: &Shared) -> io::Result<Wire> {
    let mut wire =
        probe::first_answering(shared).map_err(Unfit::into_error).map_err(io::Error::other)?;
    let question = FindCoordinatorRequest::default()
        .with_key(StrBytes::from_string(shared.settings.group.clone()));
    let answer = wire.ask(&question, FIND_COORDINATOR_VERSION, WAIT)?;
    match answer.error_code.err() {
        None => Wire::connect(shared, &format!("{}:{}", answer.host, answer.port), WAIT),
        Some(error) => Err(code(error)),
    }
}

fn code(error: ResponseError) -> io::Error {
    io::Error::other(error.to_string())
}
