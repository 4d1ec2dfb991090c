//! The topic in the embedded database: an append-only log by partition and offset.
//!
//! Appending is one commit for all records, so writers that share a call share its fsync. Readers
//! in the same process are woken by it; no other process can read, since the file is locked.
//!
//! Invariants:
//! * Offsets rise by one and are never given twice, whatever was trimmed: the ends are kept apart
//!   from the messages.
//! * Only what lies [`KEPT_BEHIND`] messages behind the saved position is trimmed.

use crate::embedded::Embedded;
use crate::order::Digest;
use crate::topic::Bounds;
use crate::topic::Message;
use crate::topic::OpenSink;
use crate::topic::OpenSource;
use crate::topic::Record;
use crate::topic::Sink;
use crate::topic::Source;
use crate::topic::Standing;
use crate::topic::TopicError;
use bytes::Bytes;
use redb::ReadableTable;
use redb::Table;
use redb::TableDefinition;
use redb::WriteTransaction;
use std::collections::HashMap;
use std::fmt;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// Key and value by topic, partition and offset.
const LOG: TableDefinition<'_, (&str, i32, i64), LogRow> = TableDefinition::new("log");

/// The oldest offset and the next one, by topic and partition.
const BOUNDS: TableDefinition<'_, (&str, i32), (i64, i64)> = TableDefinition::new("log_bounds");

type LogRow = (&'static [u8], &'static [u8]);

/// How many messages stay behind the saved position, to look at or to read again.
const KEPT_BEHIND: i64 = 10_000;

/// How many messages are trimmed at least, so that trimming is seldom; an append trims this many
/// and as many as it adds at most, so that no append waits long for it.
const TRIM_CHUNK: i64 = 1000;

/// A fetch ends when it has this many messages or bytes. 500 orders are one batch of the store.
const FETCH_MESSAGES_MAX: usize = 500;
const FETCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The largest key and value together: what Apache Kafka takes unless told otherwise, so that a
/// producer meets the same limit on both.
const RECORD_BYTES_MAX: usize = 1024 * 1024;

pub(super) fn create_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(LOG)?;
    transaction.open_table(BOUNDS)?;
    Ok(())
}

/// What the sources and sinks of one process tell each other.
#[derive(Default)]
pub(super) struct Progress {
    state: Mutex<ProgressState>,
    appended: Condvar,
}

#[derive(Default)]
struct ProgressState {
    /// Counts the appends of all topics.
    appends: u64,
    /// What is saved, by topic and partition.
    saved: HashMap<(String, i32), i64>,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, ProgressState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until more was appended than at `seen`, at most `wait_max`.
    fn wait(&self, seen: u64, wait_max: Duration) {
        let state = self.lock();
        let waited = self.appended.wait_timeout_while(state, wait_max, |s| s.appends == seen);
        drop(waited);
    }

    fn announce(&self) {
        self.lock().appends += 1;
        self.appended.notify_all();
    }

    fn saved(&self, topic: &str, partition: i32) -> Option<i64> {
        self.lock().saved.get(&(topic.to_owned(), partition)).copied()
    }
}

/// One topic of an embedded database: opens its sources and sinks.
#[derive(Clone)]
pub struct EmbeddedTopic {
    embedded: Embedded,
    topic: String,
    partitions: u16,
}

impl fmt::Debug for EmbeddedTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EmbeddedTopic").field(&self.name()).finish()
    }
}

impl EmbeddedTopic {
    pub(super) fn new(embedded: Embedded, topic: &str, partitions: u16) -> Self {
        Self { embedded, topic: topic.to_owned(), partitions: partitions.max(1) }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.embedded.name(), self.topic)
    }

    fn fail(&self, error: &redb::Error) -> TopicError {
        self.embedded.note(error);
        TopicError::Outage { topic: self.name(), detail: error.to_string() }
    }

    /// Makes the partitions that are missing.
    fn prepare(&self) -> Result<(), redb::Error> {
        self.embedded.revive()?;
        if self.bounds()?.len() >= usize::from(self.partitions) {
            return Ok(());
        }
        let transaction = self.embedded.begin_write()?;
        {
            let mut bounds = transaction.open_table(BOUNDS)?;
            for partition in 0..i32::from(self.partitions) {
                let key = (self.topic.as_str(), partition);
                if bounds.get(key)?.is_none() {
                    bounds.insert(key, (0, 0))?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn bounds(&self) -> Result<Vec<Bounds>, redb::Error> {
        bounds_of(&self.topic, &self.embedded.begin_read()?.open_table(BOUNDS)?)
    }

    fn append(&self, records: &[Record]) -> Result<(), redb::Error> {
        let transaction = self.embedded.begin_write()?;
        {
            let mut log = transaction.open_table(LOG)?;
            let mut table = transaction.open_table(BOUNDS)?;
            let mut bounds = bounds_of(&self.topic, &table)?;
            for record in records {
                let index = partition_index(&record.key, bounds.len());
                let bounds = &mut bounds[index];
                let key = (self.topic.as_str(), bounds.partition, bounds.end);
                log.insert(key, (&record.key[..], &record.value[..]))?;
                bounds.end += 1;
            }
            for bounds in &mut bounds {
                self.trim(&mut log, bounds, records.len())?;
                table.insert(
                    (self.topic.as_str(), bounds.partition),
                    (bounds.earliest, bounds.end),
                )?;
            }
        }
        transaction.commit()?;
        self.embedded.0.progress.announce();
        Ok(())
    }

    /// Trims one partition by a chunk, if there is one to trim.
    fn trim(
        &self,
        log: &mut Table<'_, (&'static str, i32, i64), LogRow>,
        bounds: &mut Bounds,
        appended: usize,
    ) -> Result<(), redb::Error> {
        let partition = bounds.partition;
        let Some(saved) = self.embedded.0.progress.saved(&self.topic, partition) else {
            return Ok(());
        };
        // A position beyond the end belongs to another log, and says nothing about this one.
        let floor = saved.min(bounds.end).saturating_sub(KEPT_BEHIND);
        if floor - bounds.earliest < TRIM_CHUNK {
            return Ok(());
        }
        let chunk_max = TRIM_CHUNK.saturating_add(i64::try_from(appended).unwrap_or(i64::MAX));
        let earliest = floor.min(bounds.earliest.saturating_add(chunk_max));
        let topic = self.topic.as_str();
        log.retain_in(
            (topic, partition, bounds.earliest)..(topic, partition, earliest),
            |_, _| false,
        )?;
        bounds.earliest = earliest;
        Ok(())
    }
}

fn bounds_of(
    topic: &str,
    table: &impl ReadableTable<(&'static str, i32), (i64, i64)>,
) -> Result<Vec<Bounds>, redb::Error> {
    let mut bounds = Vec::new();
    for entry in table.range((topic, i32::MIN)..=(topic, i32::MAX))? {
        let (key, value) = entry?;
        let (earliest, end) = value.value();
        bounds.push(Bounds { partition: key.value().1, earliest, end });
    }
    Ok(bounds)
}

/// The partition that a key goes to, as an index. The same key goes to the same partition in every
/// process and version, which the hash of the standard library doesn't promise.
fn partition_index(key: &[u8], partitions: usize) -> usize {
    if partitions == 1 {
        return 0;
    }
    let [a, b, c, d, ..] = Digest::of(key).0;
    u32::from_le_bytes([a, b, c, d]) as usize % partitions
}

impl OpenSource for EmbeddedTopic {
    fn open(&self) -> Result<Box<dyn Source>, TopicError> {
        self.prepare().map_err(|error| self.fail(&error))?;
        Ok(Box::new(EmbeddedSource { topic: self.clone(), positions: Vec::new(), first: 0 }))
    }

    fn name(&self) -> String {
        Self::name(self)
    }
}

impl OpenSink for EmbeddedTopic {
    fn open(&self) -> Result<Box<dyn Sink>, TopicError> {
        self.prepare().map_err(|error| self.fail(&error))?;
        Ok(Box::new(EmbeddedSink(self.clone())))
    }
}

struct EmbeddedSink(EmbeddedTopic);

impl Sink for EmbeddedSink {
    fn append(&mut self, records: &[Record]) -> Result<(), TopicError> {
        let too_large = |record: &Record| record.key.len() + record.value.len() > RECORD_BYTES_MAX;
        if let Some(index) = records.iter().position(too_large) {
            return Err(TopicError::Rejected {
                topic: self.0.name(),
                index,
                detail: format!("it is larger than {RECORD_BYTES_MAX} bytes"),
            });
        }
        if records.is_empty() {
            return Ok(());
        }
        self.0.append(records).map_err(|error| self.0.fail(&error))
    }
}

struct EmbeddedSource {
    topic: EmbeddedTopic,
    /// What is handed out next, by partition.
    positions: Vec<(i32, i64)>,
    /// Which of the positions is read first, so that a full partition doesn't starve the others.
    first: usize,
}

impl EmbeddedSource {
    fn read(&mut self) -> Result<Vec<Message>, redb::Error> {
        let log = self.topic.embedded.begin_read()?.open_table(LOG)?;
        let topic = self.topic.topic.as_str();
        let mut messages = Vec::new();
        let mut bytes = 0;
        let count = self.positions.len();
        for index in (self.first..count).chain(0..self.first) {
            let (partition, position) = &mut self.positions[index];
            let range = (topic, *partition, *position)..=(topic, *partition, i64::MAX);
            for entry in log.range(range)? {
                if messages.len() == FETCH_MESSAGES_MAX || bytes >= FETCH_BYTES_MAX {
                    break;
                }
                let (key, row) = entry?;
                let (_, partition, offset) = key.value();
                let (key, value) = row.value();
                bytes += key.len() + value.len();
                *position = offset + 1;
                messages.push(Message {
                    partition,
                    offset,
                    key: Bytes::copy_from_slice(key),
                    value: Bytes::copy_from_slice(value),
                });
            }
        }
        self.first = if count == 0 { 0 } else { (self.first + 1) % count };
        Ok(messages)
    }
}

impl Source for EmbeddedSource {
    fn bounds(&mut self) -> Result<Vec<Bounds>, TopicError> {
        self.topic.bounds().map_err(|error| self.topic.fail(&error))
    }

    fn seek(&mut self, positions: &[(i32, i64)]) {
        self.positions = positions.to_vec();
        self.first = 0;
    }

    fn fetch(&mut self, wait_max: Duration) -> Result<Vec<Message>, TopicError> {
        // Taken before reading, so that an append in between ends the wait at once.
        let seen = self.topic.embedded.0.progress.lock().appends;
        let messages = self.read().map_err(|error| self.topic.fail(&error))?;
        if !messages.is_empty() {
            return Ok(messages);
        }
        self.topic.embedded.0.progress.wait(seen, wait_max);
        self.read().map_err(|error| self.topic.fail(&error))
    }

    /// All partitions are this source's, and everything in them can be read.
    fn standing(&mut self) -> Result<Standing, TopicError> {
        let ends = self.bounds()?.iter().map(|bounds| (bounds.partition, bounds.end)).collect();
        Ok(Standing { ends, ..Standing::default() })
    }

    /// Only noted: the next append trims the log, in its own transaction.
    fn saved(&mut self, positions: &[(i32, i64)]) {
        let mut state = self.topic.embedded.0.progress.lock();
        for &(partition, position) in positions {
            state.saved.insert((self.topic.topic.clone(), partition), position);
        }
    }
}
