//! Orders by id: the cache in front of the store, and the only way that HTTP reads orders.
//!
//! A hit is one lookup in the engine. A miss is loaded once, however many ask (single flight), by
//! the database threads. An id that the store doesn't have is remembered for [`ABSENT_FOR_MAX`], so
//! that asking for nonsense at full speed doesn't reach the database at full speed.
//!
//! Coherence, by the engine's tickets:
//! * Every fill (load, absence, warm-up, ingest) takes a ticket before its statement is sent,
//!   ingest before its COMMIT.
//! * A write ([`Writes::publish`]) or an invalidation voids every other ticket for its keys.
//! * A voided read still answers those who waited for it and leaves the cache as the write that
//!   overtook it left it; later readers never join it.
//! * A voided write *removes* the key: two writes crossed, and only the store knows which was last.
//! * Writes that end without being published (an error, a panic, an unknown COMMIT) invalidate
//!   their keys.
//! * Absences lie in a cache of their own, and are forgotten before what is cached is changed: so a
//!   reader in between asks the store.
//!
//! Where other instances write to the same store ([`Catalog::shared`]), a listener invalidates what
//! they replaced, and says by heartbeats that it hears them. Without a heartbeat for a second there
//! is no trust in what is cached: it is read again from the store, and if that doesn't answer, it
//! is handed out as what it is, [`Lookup::Stale`]. A reader decides so by its own clock and never
//! by asking the listener.
//!
//! The catalog never writes to the store and starts no thread. Only this folder names the engine.
//! Its caches have one shard, whose recency order is that of all entries.

mod capacity;
mod fill;
mod pending;
mod reread;
mod trust;
mod writing;

use crate::catalog::fill::Load;
use crate::catalog::reread::Part;
use crate::catalog::reread::Rereads;
use crate::catalog::trust::Trust;
use crate::catalog::writing::OpenWrites;
use crate::clock::Clock;
use crate::order::OrderUid;
use crate::store::database::Database;
use crate::store::database::Urgency;
use crossbeam_channel::bounded;
use lru_engine::Builder;
use lru_engine::Cache;
use lru_engine::Ticket;
use lru_engine::WriteTicket;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

pub use crate::catalog::capacity::Capacity;
pub use crate::catalog::fill::Room;
pub use crate::catalog::fill::Warming;
pub use crate::catalog::fill::Writes;
pub use crate::catalog::pending::Answered;
pub use crate::catalog::pending::PendingOrder;
pub use crate::catalog::pending::PendingPage;
pub use crate::catalog::trust::Coherence;
pub use crate::catalog::writing::Before;
pub use crate::catalog::writing::Mark;
pub use crate::store::StoredOrder;
pub use crate::store::database::ReadError;
pub use lru_engine::Stats;

/// How long an unknown id is remembered as unknown.
pub const ABSENT_FOR_MAX: Duration = Duration::from_millis(250);

/// How long a reader who has a copy waits for the store before it gets the copy, marked as stale.
pub const COPY_WAIT_MAX: Duration = Duration::from_millis(500);

/// How many unknown ids are remembered.
const ABSENT_MAX: usize = 10_000;

/// What the catalog knows about an id at once.
#[derive(Debug)]
pub enum Lookup {
    /// The order is cached.
    Hit(StoredOrder),
    /// The order is cached and may have been replaced by another instance since, and the store
    /// doesn't answer who asks.
    Stale(StoredOrder),
    /// A moment ago the store didn't have it.
    Absent,
    /// The store is asked: wait for it.
    Pending(PendingOrder),
}

/// Orders by id.
type Orders = Cache<OrderUid, StoredOrder>;

/// Until when an id counts as unknown.
type Absent = Cache<OrderUid, Instant>;

/// Orders by id. Every method may be called from any thread.
pub struct Catalog {
    orders: Arc<Orders>,
    absent: Arc<Absent>,
    misses: AtomicU64,
    database: Database,
    clock: Clock,
    open_writes: Arc<OpenWrites>,
    /// None where nobody else writes to the store.
    shared: Option<Arc<SharedStore>>,
}

/// What a catalog has in addition where others write to its store.
struct SharedStore {
    trust: Trust,
    rereads: Rereads,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("cached", &self.orders.len()).finish_non_exhaustive()
    }
}

impl Catalog {
    /// A catalog that holds up to `capacity` orders and reads through `database`, from a store that
    /// nobody else writes to.
    pub fn new(capacity: impl Into<Capacity>, database: Database, clock: Clock) -> Arc<Self> {
        Self::with(capacity.into(), database, clock, None)
    }

    /// The same over a store that others write to. Nothing that it caches is served unmarked until
    /// [`Catalog::begin_trust`], and without [`Catalog::heartbeat`] for a second.
    pub fn shared(capacity: impl Into<Capacity>, database: Database, clock: Clock) -> Arc<Self> {
        let shared =
            SharedStore { trust: Trust::new(clock.clone()), rereads: Rereads::new(clock.clone()) };
        Self::with(capacity.into(), database, clock, Some(Arc::new(shared)))
    }

    fn with(
        capacity: Capacity,
        database: Database,
        clock: Clock,
        shared: Option<Arc<SharedStore>>,
    ) -> Arc<Self> {
        // Weighed without a bound too, to know how much memory the orders take.
        let bytes_max = capacity.bytes.unwrap_or(u64::MAX);
        let orders = Cache::builder().capacity(capacity.entries).weight_capacity(bytes_max);
        let orders = orders.weigher(|_uid, order: &StoredOrder| order.body.len() as u64);
        let absent = Cache::builder().capacity(ABSENT_MAX);
        Arc::new(Self {
            orders: one_shard(orders),
            absent: one_shard(absent),
            misses: AtomicU64::new(0),
            database,
            open_writes: OpenWrites::new(clock.clone()),
            clock,
            shared,
        })
    }

    /// Looks `uid` up; starts loading it if it isn't cached, or can't be trusted. Never waits for
    /// the store.
    ///
    /// # Errors
    /// `Overloaded`.
    pub fn lookup(&self, uid: &OrderUid) -> Result<Lookup, ReadError> {
        // Before the cache is looked into: what is found there afterwards is at least as true.
        if let Some(shared) = self.shared.as_ref().filter(|shared| !shared.trust.holds()) {
            return self.doubt(shared, uid);
        }
        if let Some(order) = self.orders.get(uid) {
            return Ok(Lookup::Hit(order));
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        if self.is_known_absent(uid) {
            return Ok(Lookup::Absent);
        }
        match lru_engine::Lookup::of(Arc::clone(&self.orders), uid.clone()) {
            lru_engine::Lookup::Hit(order) => Ok(Lookup::Hit(order)),
            lru_engine::Lookup::Pending(pending) => {
                Ok(Lookup::Pending(PendingOrder::missing(pending)))
            }
            lru_engine::Lookup::Load(order) => {
                let pending = order.pending();
                self.start(uid, order)?;
                Ok(Lookup::Pending(PendingOrder::missing(pending)))
            }
        }
    }

    /// Has the store asked although there may be a copy.
    fn doubt(&self, shared: &Arc<SharedStore>, uid: &OrderUid) -> Result<Lookup, ReadError> {
        let copy = self.orders.get(uid);
        let pending = match &copy {
            Some(copy) if !shared.trust.may_ask() => return Ok(Lookup::Stale(copy.clone())),
            None if self.is_known_absent(uid) => return Ok(Lookup::Absent),
            _ => match shared.rereads.join(uid, &self.orders, &self.absent) {
                Part::Wait(pending) => Ok(pending),
                Part::Lead(reread, pending) => {
                    let uids = [uid.clone()];
                    let started = self.database.read(
                        Urgency::Foreground,
                        move |store| store.load(&uids),
                        move |result| reread.land(result.map(|mut orders| orders.pop())),
                    );
                    started.map(|()| pending)
                }
            },
        };
        match (pending, copy) {
            (Ok(pending), copy) => {
                let shared = Arc::clone(shared);
                Ok(Lookup::Pending(PendingOrder::doubted(pending, copy, shared)))
            }
            (Err(_), Some(copy)) => Ok(Lookup::Stale(copy)),
            (Err(error), None) => Err(error),
        }
    }

    fn start(&self, uid: &OrderUid, order: lru_engine::Load<Arc<Orders>>) -> Result<(), ReadError> {
        let load = Load {
            order,
            absence: Ticket::take(Arc::clone(&self.absent), uid.clone()),
            absent: Arc::clone(&self.absent),
            clock: self.clock.clone(),
        };
        let uids = [uid.clone()];
        self.database.read(
            Urgency::Foreground,
            move |store| store.load(&uids),
            move |result| load.land(result.map(|mut orders| orders.pop())),
        )
    }

    /// Starts reading the newest `limit` orders that arrived before `before`, newest first. Pages
    /// are read from the store and leave the cache as it is.
    ///
    /// # Errors
    /// `Overloaded`.
    pub fn page(&self, before: Option<i64>, limit: usize) -> Result<PendingPage, ReadError> {
        let (reply, answer) = bounded(1);
        self.database.read(
            Urgency::Foreground,
            move |store| store.page(before, limit),
            move |result| {
                // A reader that gave up has dropped its end.
                let _ = reply.send(result);
            },
        )?;
        Ok(PendingPage { answer })
    }

    /// Announces that these orders are about to be saved. Called before the transaction commits.
    pub fn begin_writes<'a>(&self, uids: impl IntoIterator<Item = &'a OrderUid>) -> Writes {
        // Numbered first, so that what is open is never more than what is numbered.
        let number = self.open_writes.begin();
        let mut open = HashMap::new();
        for uid in uids {
            let take = || WriteTicket::take(Arc::clone(&self.orders), uid.clone());
            open.entry(uid.clone()).or_insert_with(take);
        }
        Writes { open, absent: Arc::clone(&self.absent), number }
    }

    /// A mark after all writes that have begun so far.
    pub fn mark_writes(&self) -> Mark {
        self.open_writes.mark()
    }

    /// What became of the writes before `mark`.
    pub fn writes_before(&self, mark: Mark) -> Before {
        self.open_writes.before(mark)
    }

    /// Announces that these orders are about to be read for warming up.
    pub fn begin_warming(&self, uids: &[OrderUid]) -> Warming {
        let mut open = HashMap::new();
        for uid in uids {
            let take = || Ticket::take(Arc::clone(&self.orders), uid.clone());
            open.entry(uid.clone()).or_insert_with(take);
        }
        Warming { open }
    }

    /// Forgets these orders and voids what is being read of them.
    pub fn invalidate<'a>(&self, uids: impl IntoIterator<Item = &'a OrderUid>) {
        for uid in uids {
            self.absent.invalidate(uid);
            self.orders.invalidate(uid);
        }
    }

    /// Forgets every order and voids everything that is being read.
    pub fn invalidate_all(&self) {
        self.absent.invalidate_all();
        self.orders.invalidate_all();
    }

    /// Another instance has replaced these orders: forgets them, and counts that.
    pub fn replaced_elsewhere(&self, uids: &[OrderUid]) {
        self.invalidate(uids);
        if let Some(shared) = &self.shared {
            shared.trust.count_invalidations(uids.len());
        }
    }

    /// From now on whatever others replace is heard. Forgets everything, since what was replaced
    /// before wasn't, and begins to trust what is cached from here on.
    pub fn begin_trust(&self) {
        let now = self.clock.now();
        self.invalidate_all();
        if let Some(shared) = &self.shared {
            shared.trust.count_session();
            shared.trust.heard_until(now);
        }
    }

    /// Whatever others replaced before `sent_at` has been heard.
    pub fn heartbeat(&self, sent_at: Instant) {
        if let Some(shared) = &self.shared {
            shared.trust.heard_until(sent_at);
        }
    }

    /// What others replace isn't heard any more.
    pub fn end_trust(&self) {
        if let Some(shared) = &self.shared {
            shared.trust.end();
        }
    }

    /// How it stands between this instance and others; `None` where there can't be others.
    pub fn coherence(&self) -> Option<Coherence> {
        self.shared.as_ref().map(|shared| shared.trust.coherence())
    }

    /// The ids of the cached orders, most recently used first. Costs a copy of them all.
    pub fn uids_by_recency(&self) -> Vec<OrderUid> {
        self.orders.keys_by_recency()
    }

    /// At most `limit` cached orders after the `skip` most recently used ones, most recently used
    /// first. Looking uses none of them.
    pub fn orders_by_recency(&self, skip: usize, limit: usize) -> Vec<StoredOrder> {
        self.orders.entries_by_recency(skip, limit).into_iter().map(|(_, order)| order).collect()
    }

    /// The bytes of all cached orders, as they are served.
    pub fn bytes(&self) -> u64 {
        self.orders.weight()
    }

    /// How many orders are cached.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether no order is cached.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// What bounds the cache.
    pub fn capacity(&self) -> Capacity {
        let bytes = self.orders.weight_capacity().filter(|bytes| *bytes < u64::MAX);
        Capacity { entries: self.orders.capacity(), bytes }
    }

    /// What the cache of orders has done so far. A miss is a lookup that found no order.
    pub fn stats(&self) -> Stats {
        let mut stats = self.orders.stats();
        // The engine is asked twice on a miss: for a hit, and then for who loads.
        stats.misses = self.misses.load(Ordering::Relaxed);
        stats
    }

    /// The database threads that the catalog reads through.
    pub fn database(&self) -> &Database {
        &self.database
    }

    fn is_known_absent(&self, uid: &OrderUid) -> bool {
        let until = self.absent.get_with(uid, |until| *until);
        until.is_some_and(|until| self.clock.now() < until)
    }
}

/// A cache whose recency order is the order of all its entries.
fn one_shard<V>(builder: Builder<OrderUid, V>) -> Arc<Cache<OrderUid, V>> {
    Arc::new(builder.shards(1).build().expect("one shard is always legal"))
}
