//! Reads the topic's partitions, each from a position of its own, without losing a message.
//!
//! A fetch of the crate `kafka` can leave messages out at its start (see [`window`]), leave out a
//! partition (one without a leader), or show nothing of a message that is larger than asked for.
//! So each partition's share of an answer is checked against the wanted offset before its cursor
//! moves.
//!
//! Invariants:
//! * A cursor moves only past messages that are handed out by the same call, or past offsets at
//!   which no size of fetch shows a message; these are counted.
//! * A partition that shows no message where its log goes on, or one that this client can't
//!   decompress, never keeps the others from being read. One that answers with another error does:
//!   the whole source is opened again then.

use crate::topic::Bounds;
use crate::topic::Message;
use crate::topic::Source;
use crate::topic::Standing;
use crate::topic::TopicError;
use crate::topic::kafka::Shared;
use crate::topic::kafka::window;
use crate::topic::kafka::window::Sight;
use bytes::Bytes;
use kafka::client::FetchOffset;
use kafka::client::FetchPartition;
use kafka::client::KafkaClient;
use kafka::client::fetch::Response;
use kafka::error::Error as KafkaError;
use kafka::error::KafkaCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// What one fetch asks for, all partitions together: it bounds the memory of an answer.
const FETCH_BYTES: i32 = 32 << 20;
/// What it asks for of one partition, at least and at most. With 1 MiB the client read 306 k
/// messages/s, with 32 KiB 74 k and with 4 MiB 137 k (2026-11-20, one partition on loopback).
const PARTITION_BYTES_MIN: i32 = 64 << 10;
const PARTITION_BYTES_MAX: i32 = 1 << 20;
/// The longest wait that is asked of a broker; its answer has to come before the client's 120 s.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a partition that shows nothing at its position, although its log goes on, is left out.
/// A broker answers at once for such a partition, so the others' fetches would never wait.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a partition is left out whose next message can't be decompressed. It never can be; but
/// the topic's retention may remove it.
const PAUSE_BLOCKED: Duration = Duration::from_secs(60);

pub(super) struct KafkaSource {
    client: KafkaClient,
    shared: Arc<Shared>,
    cursors: Vec<Cursor>,
}

#[derive(Debug)]
struct Cursor {
    partition: i32,
    next: i64,
    pause: Option<Pause>,
    /// The next message can't be decompressed.
    blocked: bool,
    /// Where the log ended when it was last asked; 0 before that.
    end: i64,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
    /// Nothing was found below it; until it moves there is nothing to search.
    high_watermark: i64,
}

/// Why a question got no answer that can be used.
enum Failure {
    /// A message in one of the partitions is compressed in a way that the client doesn't know.
    Compression,
    Topic(TopicError),
}

impl From<TopicError> for Failure {
    fn from(error: TopicError) -> Self {
        Self::Topic(error)
    }
}

/// A partition's share of an answer.
#[derive(Debug)]
struct Share {
    high_watermark: i64,
    messages: Vec<Message>,
}

impl Share {
    fn sight(self, wanted: i64) -> Sight<Vec<Message>> {
        match self.messages.first() {
            None => Sight::Nothing,
            Some(first) if first.offset > wanted => Sight::Later(self.messages),
            Some(_) => Sight::Wanted(self.messages),
        }
    }
}

impl KafkaSource {
    pub(super) fn new(client: KafkaClient, shared: Arc<Shared>) -> Self {
        Self { client, shared, cursors: Vec::new() }
    }

    /// One round trip to each leader. Every wanted `(partition, offset, bytes)` has its share.
    fn ask(&mut self, wanted: &[(i32, i64, i32)]) -> Result<BTreeMap<i32, Share>, Failure> {
        let topic = self.shared.settings.topic.as_str();
        let questions = wanted.iter().map(|&(partition, offset, bytes)| {
            FetchPartition::new(topic, partition, offset).with_max_bytes(bytes)
        });
        let responses =
            self.client.fetch_messages(questions).map_err(|error| self.fetch_error(&error))?;
        let mut shares = self.shares(&responses)?;
        for &(partition, offset, _) in wanted {
            let Some(share) = shares.get_mut(&partition) else {
                let detail = format_args!("partition {partition} has no leader");
                return Err(self.shared.outage(detail).into());
            };
            // A compressed set is sent whole, with what lies before the wanted offset. And a fetch
            // that starts at a control record brings the batch after it twice (3.9.2, 2026-11-20).
            let mut next = offset;
            share.messages.retain(|message| {
                let ascending = message.offset >= next;
                next = next.max(message.offset + 1);
                ascending
            });
        }
        Ok(shares)
    }

    /// The same, and one partition that can't be decompressed leaves the others their share: the
    /// client fails on a whole answer, so each partition is then asked alone. `None` is one that
    /// fails by itself.
    fn ask_all(
        &mut self,
        wanted: &[(i32, i64, i32)],
    ) -> Result<BTreeMap<i32, Option<Share>>, TopicError> {
        match self.ask(wanted) {
            Ok(shares) => {
                return Ok(shares.into_iter().map(|(at, share)| (at, Some(share))).collect());
            }
            Err(Failure::Topic(error)) => return Err(error),
            Err(Failure::Compression) => {}
        }
        if self.shared.met_other_compression() {
            let detail = "it holds messages compressed with lz4 or zstd, for which it is opened \
                again with the client `rdkafka`";
            return Err(self.shared.outage(detail));
        }
        let mut shares = BTreeMap::new();
        for one in wanted {
            match self.ask(std::slice::from_ref(one)) {
                Ok(share) => shares.extend(share.into_iter().map(|(at, share)| (at, Some(share)))),
                Err(Failure::Topic(error)) => return Err(error),
                Err(Failure::Compression) => {
                    shares.insert(one.0, None);
                }
            }
        }
        Ok(shares)
    }

    fn shares(&self, responses: &[Response]) -> Result<BTreeMap<i32, Share>, Failure> {
        let mut shares = BTreeMap::new();
        for answer in responses.iter().flat_map(Response::topics).flat_map(|t| t.partitions()) {
            let partition = answer.partition();
            let found = answer.data().map_err(|error| self.partition_error(partition, &error))?;
            let messages = found.messages().iter().map(|message| Message {
                partition,
                offset: message.offset,
                key: Bytes::copy_from_slice(message.key),
                value: Bytes::copy_from_slice(message.value),
            });
            let share = Share {
                high_watermark: found.highwatermark_offset(),
                messages: messages.collect(),
            };
            shares.insert(partition, share);
        }
        Ok(shares)
    }

    fn fetch_error(&self, error: &KafkaError) -> Failure {
        if matches!(error, KafkaError::UnsupportedCompression) {
            return Failure::Compression;
        }
        self.shared.outage(format_args!("fetching: {error}")).into()
    }

    fn partition_error(&self, partition: i32, error: &KafkaError) -> Failure {
        // The client knows the error codes of 2015 only, and drops the number of all others. The
        // one that a broker has for a fetch of this client is about messages compressed with zstd.
        if matches!(error, KafkaError::Kafka(KafkaCode::Unknown)) {
            return Failure::Compression;
        }
        self.shared.outage(format_args!("fetching from partition {partition}: {error}")).into()
    }

    /// The messages that a cursor's share stands for, after as many more fetches as that takes.
    fn settle(
        &mut self,
        index: usize,
        bytes: i32,
        share: Option<Share>,
    ) -> Result<Vec<Message>, TopicError> {
        let Cursor { partition, next, pause, .. } = self.cursors[index];
        let high_watermark = share.as_ref().map_or(next, |share| share.high_watermark);
        if share.as_ref().is_some_and(|share| share.messages.is_empty()) {
            if high_watermark <= next {
                return Ok(Vec::new());
            }
            if pause.is_some_and(|pause| pause.high_watermark == high_watermark) {
                self.pause(index, high_watermark, PAUSE);
                return Ok(Vec::new());
            }
        }
        // What can't be decompressed is later than the wanted message, if smaller fetches show
        // that.
        let sight = |share: Option<Share>| {
            share.map_or(Sight::Later(Vec::new()), |share| share.sight(next))
        };
        let bytes_max = self.shared.settings.message_bytes_max.max(bytes);
        let found = window::search(sight(share), bytes, bytes_max, |bytes| {
            match self.ask(&[(partition, next, bytes)]) {
                Ok(mut shares) => {
                    Ok(shares.remove(&partition).map_or(Sight::Nothing, |s| s.sight(next)))
                }
                Err(Failure::Compression) => Ok(Sight::Later(Vec::new())),
                Err(Failure::Topic(error)) => Err(error),
            }
        })?;
        match found {
            Sight::Wanted(messages) => Ok(messages),
            Sight::Later(messages) if messages.is_empty() => {
                self.block(index);
                Ok(messages)
            }
            Sight::Later(messages) => {
                let missing = messages.first().map_or(0, |first| first.offset - next);
                self.shared.skip(partition, next, missing.unsigned_abs());
                Ok(messages)
            }
            Sight::Nothing => {
                tracing::warn!(
                    partition,
                    offset = next,
                    bytes_max,
                    "there is no message of at most so many bytes at this offset, although the log \
                     goes on: a control record is passed with the next message, and a larger \
                     message is waited at until more bytes are allowed"
                );
                self.pause(index, high_watermark, PAUSE);
                Ok(Vec::new())
            }
        }
    }

    fn block(&mut self, index: usize) {
        let Cursor { partition, next, .. } = self.cursors[index];
        tracing::error!(
            topic = self.shared.settings.topic,
            partition,
            offset = next,
            "ALARM: the next message is compressed with lz4 or zstd, which the client `kafka` \
             can't read; the partition is not read until --kafka-client (ORDERD_KAFKA_CLIENT) is \
             `rdkafka`"
        );
        self.cursors[index].blocked = true;
        self.pause(index, next, PAUSE_BLOCKED);
    }

    fn pause(&mut self, index: usize, high_watermark: i64, pause: Duration) {
        let until = self.shared.clock.now() + pause;
        self.cursors[index].pause = Some(Pause { until, high_watermark });
    }

    /// The cursors that may be read at this time. If there are none, waits until one may be.
    fn ready(&self, wait_max: Duration) -> Vec<usize> {
        let now = self.shared.clock.now();
        let paused = |cursor: &Cursor| cursor.pause.filter(|pause| pause.until > now);
        let ready: Vec<usize> = (0..self.cursors.len())
            .filter(|index| paused(&self.cursors[*index]).is_none())
            .collect();
        if ready.is_empty() {
            let soonest = self.cursors.iter().filter_map(paused).map(|pause| pause.until).min();
            let left = soonest.map_or(wait_max, |until| until.saturating_duration_since(now));
            self.shared.stop.wait(left.min(wait_max));
        }
        ready
    }
}

impl Source for KafkaSource {
    fn bounds(&mut self) -> Result<Vec<Bounds>, TopicError> {
        let shared = Arc::clone(&self.shared);
        shared.load_metadata(&mut self.client)?;
        let topic = shared.settings.topic.as_str();
        let partitions = self.client.topics().partitions(topic).map_or(0, |all| all.len());
        let mut offsets = |which| {
            let offsets = self.client.fetch_topic_offsets(topic, which);
            let offsets = offsets.map_err(|error| shared.outage(error))?;
            Ok(offsets.into_iter().map(|at| (at.partition, at.offset)).collect())
        };
        // The end first: a log that is cut in between then ends before it starts, and not the other
        // way round, which would look like messages to read.
        let ends: BTreeMap<i32, i64> = offsets(FetchOffset::Latest)?;
        let starts: BTreeMap<i32, i64> = offsets(FetchOffset::Earliest)?;
        let bounds: Vec<Bounds> = starts
            .iter()
            .filter_map(|(&partition, &earliest)| {
                let end = ends.get(&partition).copied()?.max(earliest);
                (earliest >= 0).then_some(Bounds { partition, earliest, end })
            })
            .collect();
        if bounds.len() != partitions {
            return Err(shared.outage("a partition has lost its leader"));
        }
        let own = |bounds: &Bounds| shared.settings.reads(bounds.partition);
        Ok(bounds.into_iter().filter(own).collect())
    }

    fn seek(&mut self, positions: &[(i32, i64)]) {
        let cursor =
            |&(partition, next)| Cursor { partition, next, pause: None, blocked: false, end: 0 };
        self.cursors = positions.iter().map(cursor).collect();
    }

    fn fetch(&mut self, wait_max: Duration) -> Result<Vec<Message>, TopicError> {
        let wait_max = wait_max.min(WAIT_MAX);
        let ready = self.ready(wait_max);
        if ready.is_empty() {
            return Ok(Vec::new());
        }
        let count = i32::try_from(ready.len()).unwrap_or(i32::MAX);
        let bytes = (FETCH_BYTES / count).clamp(PARTITION_BYTES_MIN, PARTITION_BYTES_MAX);
        self.client.set_fetch_max_wait_time(wait_max).map_err(|error| self.shared.outage(error))?;
        let wanted: Vec<(i32, i64, i32)> = ready
            .iter()
            .map(|&index| (self.cursors[index].partition, self.cursors[index].next, bytes))
            .collect();
        let mut shares = self.ask_all(&wanted)?;
        let mut fetched = Vec::new();
        for index in ready {
            let Some(share) = shares.remove(&self.cursors[index].partition) else { continue };
            if let Some(share) = &share {
                self.cursors[index].end = share.high_watermark;
            }
            let messages = self.settle(index, bytes, share)?;
            if let Some(last) = messages.last() {
                self.cursors[index].next = last.offset + 1;
                self.cursors[index].pause = None;
                self.cursors[index].blocked = false;
            }
            fetched.extend(messages);
        }
        Ok(fetched)
    }

    fn standing(&mut self) -> Result<Standing, TopicError> {
        let blocked = self.cursors.iter().filter(|cursor| cursor.blocked);
        let blocked: Vec<i32> = blocked.map(|cursor| cursor.partition).collect();
        let obstacle = (!blocked.is_empty()).then(|| {
            format!(
                "the next messages of partitions {blocked:?} are compressed with lz4 or zstd: \
                 reading these takes --kafka-client rdkafka"
            )
        });
        let known = self.cursors.iter().filter(|cursor| cursor.end > 0);
        let ends = known.map(|cursor| (cursor.partition, cursor.end)).collect();
        Ok(Standing { reassigned: false, obstacle, ends })
    }

    fn saved(&mut self, positions: &[(i32, i64)]) {
        self.shared.offsets.offer(positions);
    }
}
