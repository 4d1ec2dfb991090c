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
//! A *session* is one connection to the store, with the positions that the store gave it. Any error
//! ends the session, and the next one asks the store again where it stands. So no state of a client
//! library outlives an error of its own, and the position says whether an unknown COMMIT happened.
//! The source outlives an error of the store, reading nothing: it may be a member of a group, and a
//! member that leaves or falls silent has its partitions moved to others and back. When the group
//! gives it other partitions, between two batches, the store is asked again within the session.
//!
//! An unknown COMMIT may still happen after its connection broke, when a reader has cached what was
//! there before: so its orders are forgotten once more when the position is read, which a store
//! does only when no transaction is moving it. The one error that doesn't end a session is a
//! statement that was too slow: the same messages are tried in halves.
//!
//! Ingest never skips a message, never writes to the cache what isn't committed, and never reads a
//! clock for anything but a log line and the strict profile's `date_created`.

mod alarm;
mod batch;
mod ended;
mod held;

use crate::backoff::Backoff;
use crate::catalog::Catalog;
use crate::catalog::StoredOrder;
use crate::clock::Clock;
use crate::crash;
use crate::crash::Point;
use crate::ingest::alarm::Alarm;
use crate::ingest::ended::SessionError;
use crate::ingest::held::Held;
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
use crate::topic::Message;
use crate::topic::OpenSource;
use crate::topic::Source;
use crate::topic::Standing;
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

impl Ingest {
    /// Takes in messages until `stop`, waiting out every outage. The batch in hand is saved first.
    pub fn run(&self, stop: &StopToken) {
        let mut backoff = Backoff::default();
        let mut doubtful = Vec::new();
        let mut source = None;
        while !stop.is_stopped() {
            let ended = self.session(stop, &mut source, &mut backoff, &mut doubtful);
            let Err(error) = ended else { return };
            match &error {
                SessionError::Topic(topic) => {
                    source = None;
                    self.readiness.missing(Part::Topic, topic.to_string());
                }
                SessionError::Store(_) => {
                    self.readiness.missing(Part::Topic, "waits for the store");
                }
                SessionError::Repartitioned => source = None,
                SessionError::PositionsSet => {}
            }
            let pause = backoff.next_pause();
            self.metrics.ingest_restarted();
            tracing::warn!(
                error = %Chain(&error),
                pause_ms = pause.as_millis(),
                "ingest starts over from the stored positions"
            );
            pause_with(&mut source, pause, stop);
        }
    }

    /// `source` is one that an earlier session has left, if there is any. `doubtful` are the orders
    /// of a COMMIT whose outcome isn't known.
    fn session(
        &self,
        stop: &StopToken,
        source: &mut Option<Box<dyn Source>>,
        backoff: &mut Backoff,
        doubtful: &mut Vec<OrderUid>,
    ) -> Result<(), SessionError> {
        let source = match source {
            Some(source) => &mut **source,
            None => &mut **source.insert(self.sources.open()?),
        };
        let mut store = self.connect.connect()?;
        let mut held = Held::assign(self, &mut *store, source)?;
        self.catalog.invalidate(&*doubtful);
        doubtful.clear();
        let mut limit = BATCH_MAX;
        let mut alarm = Alarm::default();
        let mut bounds_at = self.clock.now() + BOUNDS_EVERY;
        while !stop.is_stopped() {
            let Standing { reassigned, obstacle, ends } = source.standing()?;
            if reassigned {
                let former = std::mem::replace(&mut held, Held::assign(self, &mut *store, source)?);
                let left = |partition: &&i32| !held.positions.contains_key(partition);
                for partition in former.positions.keys().filter(left) {
                    self.metrics.partition_left(&self.topic, *partition);
                }
            }
            self.show_lag(&held.positions, &ends);
            let obstacle = obstacle.or_else(|| held.alarm.clone());
            let mut messages = VecDeque::from(source.fetch(FETCH_WAIT)?);
            let received_at = self.clock.now();
            while !messages.is_empty() && !stop.is_stopped() {
                let taken = batch::first(messages.make_contiguous(), limit);
                let (batch, count) = self.batch(taken, &held.positions);
                match self.save(&mut *store, source, &batch, received_at) {
                    Ok(letters) => {
                        messages.drain(..count);
                        let elements = batch.orders.len() + batch.dead_letters.len();
                        if alarm::is_mostly_poison(letters, elements) {
                            self.metrics.batch_poisoned();
                            alarm.count(&self.topic, letters, self.clock.now());
                        }
                        held.positions.extend(batch.advances.iter().map(|a| (a.partition, a.to)));
                        limit = (limit * 2).min(BATCH_MAX);
                        self.confirm(obstacle.as_deref());
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
            self.confirm(obstacle.as_deref());
            backoff.reset();
            if self.clock.now() >= bounds_at {
                bounds_at = self.clock.now() + BOUNDS_EVERY;
                held.check(self, &mut *store, source)?;
            }
        }
        Ok(())
    }

    /// Shows how much of the logs isn't saved.
    fn show_lag(&self, positions: &BTreeMap<i32, i64>, ends: &[(i32, i64)]) {
        let now = self.clock.wall().as_second();
        for (partition, end) in ends {
            if let Some(position) = positions.get(partition) {
                // The ends may be older than what is saved.
                let lag = (end - position).max(0);
                self.metrics.partition_lags(&self.topic, *partition, lag, now);
            }
        }
    }

    /// What was read is saved, which makes the topic ready if all of it is read.
    fn confirm(&self, obstacle: Option<&str>) {
        match obstacle {
            Some(reason) => self.readiness.missing(Part::Topic, reason),
            None => self.readiness.confirm(Part::Topic, self.clock.now()),
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

    /// Steps 3 to 6. Returns how many elements became dead letters.
    fn save(
        &self,
        store: &mut dyn Store,
        source: &mut dyn Source,
        batch: &Batch,
        received_at: Instant,
    ) -> Result<usize, StoreError> {
        let started_at = self.clock.now();
        let writes = self.catalog.begin_writes(batch.orders.iter().map(|i| i.order.uid()));
        // On an error the writes are dropped here, which forgets these orders: after an unknown
        // COMMIT nobody knows which content the store has.
        let saved = store.save(batch)?;
        crash::point(Point::AfterCommit);
        let saved_at = self.clock.now();
        let (orders, refused) = count_and_order(saved);
        let counted = orders.counted;
        self.metrics.batch_saved(counted, saved_at.duration_since(started_at));
        for letter in batch.dead_letters.iter().chain(&refused) {
            self.metrics.dead_letter(&letter.code);
        }
        writes.publish(orders.written);
        let positions: Vec<_> = batch.advances.iter().map(|a| (a.partition, a.to)).collect();
        crash::point(Point::BeforeGroupCommit);
        source.saved(&positions);
        for &(partition, next_offset) in &positions {
            self.metrics.partition_saved(&self.topic, partition, next_offset);
        }
        for letter in batch.dead_letters.iter().take(LOGGED_MAX) {
            let DeadLetter { origin, reason, .. } = letter;
            tracing::warn!(topic = self.topic, ?origin, reason, "dead letter");
        }
        for letter in refused.iter().take(LOGGED_MAX) {
            let DeadLetter { origin, reason, .. } = letter;
            tracing::error!(topic = self.topic, ?origin, reason, "refused by the store");
        }
        let dead_letters = batch.dead_letters.len() + refused.len();
        tracing::info!(
            topic = self.topic,
            inserted = counted.inserted,
            replaced = counted.replaced,
            duplicate = counted.duplicate,
            dead_letters,
            waited_ms = started_at.duration_since(received_at).as_millis(),
            save_ms = saved_at.duration_since(started_at).as_millis(),
            cache_ms = self.clock.now().duration_since(saved_at).as_millis(),
            "a batch is saved and cached"
        );
        Ok(dead_letters)
    }
}

/// Waits. A source that is kept reads nothing meanwhile, and goes on being asked.
fn pause_with(source: &mut Option<Box<dyn Source>>, pause: Duration, stop: &StopToken) {
    let mut left = pause;
    if let Some(source) = source {
        source.seek(&[]);
    }
    while !left.is_zero() {
        let step = left.min(FETCH_WAIT);
        left -= step;
        if stop.wait(step) {
            return;
        }
        if source.as_mut().is_some_and(|source| source.fetch(Duration::ZERO).is_err()) {
            *source = None;
        }
    }
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
