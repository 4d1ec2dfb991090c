//! The way of a message into the store and the cache, from a position that the store remembers.
//!
//! One round:
//!
//! 1. fetch the next messages of the topic;
//! 2. decode and validate them; what can't be an order becomes a dead letter (`batch`);
//! 3. announce the orders to the catalog;
//! 4. save orders, dead letters and positions in one transaction;
//! 5. publish what was written to the catalog;
//! 6. tell the topic how far it is saved.
//!
//! A crash between any two steps loses nothing: the position moves only in step 4, together with
//! the data, so everything before it is saved and everything after it is fetched again.
//!
//! A *session* is one connection to the store and one source, with the positions that the store
//! gave it. Any error ends the session, and the next one asks the store again where it stands. So
//! no state of a client library outlives an error, and the position says whether an unknown COMMIT
//! happened. It may still happen after its connection broke, when a reader has cached what was
//! there before: so its orders are forgotten once more when the position is read, which a store
//! does only when no transaction is moving it. The one error that doesn't end a session is a
//! statement that was too slow: the same messages are tried in halves.
//!
//! Ingest never skips a message, never writes to the cache what isn't committed, and never reads a
//! clock for anything but a log line and the strict profile's `date_created`.

mod batch;

use crate::backoff::Backoff;
use crate::catalog::Catalog;
use crate::catalog::StoredOrder;
use crate::clock::Clock;
use crate::metrics::Ingested;
use crate::metrics::Metrics;
use crate::order::OrderUid;
use crate::order::validate::Profile;
use crate::store::Batch;
use crate::store::Connect;
use crate::store::DeadLetter;
use crate::store::Outcome;
use crate::store::Saved;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::database::Chain;
use crate::supervise::StopToken;
use crate::supervise::readiness::Part;
use crate::supervise::readiness::Readiness;
use crate::topic::Bounds;
use crate::topic::Message;
use crate::topic::OpenSource;
use crate::topic::Source;
use crate::topic::TopicError;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// How many messages one transaction takes. With UNNEST batches 500 orders a transaction saved
/// 28.5 k orders/s and 2000 no more than that (PostgreSQL 15, 2 cores, 2026-11-20).
const BATCH_MAX: usize = 500;

/// How many dead letters of one batch are logged one by one; all are counted, and all are stored.
const LOGGED_MAX: usize = 10;

/// How long one fetch waits for a message.
const FETCH_WAIT: Duration = Duration::from_millis(200);

/// How often the topic is asked whether it has other partitions than those that are read, and the
/// store whether a partition was given another position.
const BOUNDS_EVERY: Duration = Duration::from_secs(60);

/// What ingest needs to run.
#[derive(Clone)]
pub struct Ingest {
    /// Where orders are saved.
    pub connect: Arc<dyn Connect>,
    /// Where messages come from.
    pub sources: Arc<dyn OpenSource>,
    /// What is told of saved orders.
    pub catalog: Arc<Catalog>,
    /// Where the state of the topic is shown.
    pub readiness: Arc<Readiness>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time, for the log and the strict profile.
    pub clock: Clock,
    /// The consumer group that the positions belong to.
    pub group: String,
    /// The topic that they belong to.
    pub topic: String,
    /// The rules that orders must pass.
    pub profile: Profile,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { group, topic, profile, .. } = self;
        f.debug_struct("Ingest")
            .field("group", group)
            .field("topic", topic)
            .field("profile", profile)
            .finish_non_exhaustive()
    }
}

/// Which partitions a session reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    All,
    /// The others have a position that doesn't exist.
    Some,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("the store")]
    Store(#[source] StoreError),
    #[error("the topic")]
    Topic(#[source] TopicError),
    #[error("the topic has other partitions than before")]
    Repartitioned,
    #[error("a position was set by somebody else")]
    PositionsSet,
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TopicError> for SessionError {
    fn from(error: TopicError) -> Self {
        Self::Topic(error)
    }
}

impl Ingest {
    /// Takes in messages until `stop`, waiting out every outage. The batch in hand is saved first.
    pub fn run(&self, stop: &StopToken) {
        let mut backoff = Backoff::default();
        let mut doubtful = Vec::new();
        while !stop.is_stopped() {
            let Err(error) = self.session(stop, &mut backoff, &mut doubtful) else { return };
            match &error {
                SessionError::Topic(topic) => {
                    self.readiness.missing(Part::Topic, topic.to_string());
                }
                SessionError::Store(_) => {
                    self.readiness.missing(Part::Topic, "waits for the store");
                }
                SessionError::Repartitioned | SessionError::PositionsSet => {}
            }
            let pause = backoff.next_pause();
            self.metrics.ingest_restarted();
            tracing::warn!(
                error = %Chain(&error),
                pause_ms = pause.as_millis(),
                "ingest starts over from the stored positions"
            );
            stop.wait(pause);
        }
    }

    /// `doubtful` are the orders of a COMMIT whose outcome isn't known.
    fn session(
        &self,
        stop: &StopToken,
        backoff: &mut Backoff,
        doubtful: &mut Vec<OrderUid>,
    ) -> Result<(), SessionError> {
        let mut source = self.sources.open()?;
        let mut store = self.connect.connect()?;
        let bounds = source.bounds()?;
        let (mut positions, reading) = self.assign(&mut *store, &mut *source, &bounds)?;
        self.catalog.invalidate(&*doubtful);
        doubtful.clear();
        tracing::info!(topic = self.topic, ?positions, "reading the topic");
        let mut limit = BATCH_MAX;
        let mut bounds_at = self.clock.now() + BOUNDS_EVERY;
        while !stop.is_stopped() {
            let mut messages = VecDeque::from(source.fetch(FETCH_WAIT)?);
            let received_at = self.clock.now();
            while !messages.is_empty() && !stop.is_stopped() {
                let taken = batch::first(messages.make_contiguous(), limit);
                let (batch, count) = self.batch(taken, &positions);
                match self.save(&mut *store, &mut *source, &batch, received_at) {
                    Ok(()) => {
                        messages.drain(..count);
                        positions.extend(batch.advances.iter().map(|a| (a.partition, a.to)));
                        limit = (limit * 2).min(BATCH_MAX);
                        self.confirm(reading);
                    }
                    Err(StoreError::TooSlow { .. }) if count > 1 => limit = count / 2,
                    Err(error) => {
                        if matches!(error, StoreError::CommitUnknown { .. }) {
                            doubtful.extend(batch.orders.iter().map(|i| i.order.uid().clone()));
                        }
                        return Err(error.into());
                    }
                }
            }
            self.confirm(reading);
            backoff.reset();
            if self.clock.now() >= bounds_at {
                bounds_at = self.clock.now() + BOUNDS_EVERY;
                let starts = starts(&bounds);
                let partitions = starts.iter().map(|(partition, _)| *partition);
                if !source.bounds()?.iter().map(|bounds| bounds.partition).eq(partitions) {
                    return Err(SessionError::Repartitioned);
                }
                // Where nothing is saved, be it stopped or idle, nothing else would notice.
                let stored = store.assign(&self.group, &self.topic, &starts)?;
                if stored.into_iter().collect::<BTreeMap<_, _>>() != positions {
                    return Err(SessionError::PositionsSet);
                }
            }
        }
        Ok(())
    }

    /// Asks the store where each partition stands and lets the source read from there. Returns the
    /// stored positions, which the next advance of each partition starts from, and which are read.
    fn assign(
        &self,
        store: &mut dyn Store,
        source: &mut dyn Source,
        bounds: &[Bounds],
    ) -> Result<(BTreeMap<i32, i64>, Reading), SessionError> {
        let stored = store.assign(&self.group, &self.topic, &starts(bounds))?;
        let mut wanted = Vec::with_capacity(stored.len());
        let mut beyond = Vec::new();
        for (&(partition, position), bounds) in stored.iter().zip(bounds) {
            if position > bounds.end {
                tracing::error!(
                    topic = self.topic,
                    partition,
                    position,
                    end = bounds.end,
                    "ALARM: the stored position lies beyond the end of the log, so the topic was \
                     cut or made anew; the partition is not read until `orderd positions set` \
                     gives it a position that exists, and then within a minute"
                );
                beyond.push(partition);
                continue;
            }
            if position < bounds.earliest {
                tracing::error!(
                    topic = self.topic,
                    partition,
                    lost = bounds.earliest - position,
                    "messages were removed by the topic's retention before they were read"
                );
            }
            wanted.push((partition, position.max(bounds.earliest)));
        }
        source.seek(&wanted);
        let positions = stored.into_iter().collect();
        if beyond.is_empty() {
            return Ok((positions, Reading::All));
        }
        let reason = format!(
            "the stored position of partitions {beyond:?} lies beyond the end of their log; \
             see `orderd positions set`"
        );
        self.readiness.missing(Part::Topic, reason);
        Ok((positions, Reading::Some))
    }

    /// What was read is saved, which makes the topic ready if all of it is read.
    fn confirm(&self, reading: Reading) {
        if reading == Reading::All {
            self.readiness.confirm(Part::Topic, self.clock.now());
        }
    }

    /// A batch of the first of `messages`, and their number.
    fn batch(&self, messages: &[Message], positions: &BTreeMap<i32, i64>) -> (Batch, usize) {
        let (mut batch, count) =
            batch::assemble(messages, positions, self.profile, self.clock.wall());
        batch.group.clone_from(&self.group);
        batch.topic.clone_from(&self.topic);
        (batch, count)
    }

    /// Steps 3 to 6.
    fn save(
        &self,
        store: &mut dyn Store,
        source: &mut dyn Source,
        batch: &Batch,
        received_at: Instant,
    ) -> Result<(), StoreError> {
        let started_at = self.clock.now();
        let writes = self.catalog.begin_writes(batch.orders.iter().map(|i| i.order.uid()));
        // On an error the writes are dropped here, which forgets these orders: after an unknown
        // COMMIT nobody knows which content the store has.
        let saved = store.save(batch)?;
        let saved_at = self.clock.now();
        let (orders, refused) = count_and_order(saved);
        let counted = orders.counted;
        self.metrics.batch_saved(counted, saved_at.duration_since(started_at));
        for letter in batch.dead_letters.iter().chain(&refused) {
            self.metrics.dead_letter(&letter.code);
        }
        writes.publish(orders.written);
        let positions: Vec<_> = batch.advances.iter().map(|a| (a.partition, a.to)).collect();
        source.saved(&positions);
        for letter in batch.dead_letters.iter().take(LOGGED_MAX) {
            let DeadLetter { origin, reason, .. } = letter;
            tracing::warn!(topic = self.topic, ?origin, reason, "dead letter");
        }
        for letter in refused.iter().take(LOGGED_MAX) {
            let DeadLetter { origin, reason, .. } = letter;
            tracing::error!(topic = self.topic, ?origin, reason, "refused by the store");
        }
        tracing::info!(
            topic = self.topic,
            inserted = counted.inserted,
            replaced = counted.replaced,
            duplicate = counted.duplicate,
            dead_letters = batch.dead_letters.len() + refused.len(),
            waited_ms = started_at.duration_since(received_at).as_millis(),
            save_ms = saved_at.duration_since(started_at).as_millis(),
            cache_ms = self.clock.now().duration_since(saved_at).as_millis(),
            "a batch is saved and cached"
        );
        Ok(())
    }
}

/// Where each partition begins that has no position yet.
fn starts(bounds: &[Bounds]) -> Vec<(i32, i64)> {
    bounds.iter().map(|bounds| (bounds.partition, bounds.earliest)).collect()
}

struct Written {
    written: Vec<StoredOrder>,
    counted: Ingested,
}

/// What a transaction wrote, oldest arrival first, so that the newest is cached as most recent.
fn count_and_order(saved: Saved) -> (Written, Vec<DeadLetter>) {
    let mut counted = Ingested::default();
    let mut written = Vec::with_capacity(saved.orders.len());
    for (order, outcome) in saved.orders {
        tracing::debug!(uid = %order.uid, ?outcome, "saved");
        match outcome {
            Outcome::Inserted => counted.inserted += 1,
            Outcome::Replaced => counted.replaced += 1,
            Outcome::Duplicate => {
                counted.duplicate += 1;
                continue;
            }
        }
        written.push(order);
    }
    written.sort_unstable_by_key(|order| order.arrival);
    (Written { written, counted }, saved.refused)
}
