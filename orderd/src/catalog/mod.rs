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
//! The catalog never writes to the store, locks nothing of its own and starts no thread. Only this
//! folder names the engine. Its caches have one shard, whose recency order is that of all entries.

mod fill;

use crate::catalog::fill::Load;
use crate::catalog::fill::NotLoaded;
use crate::clock::Clock;
use crate::order::OrderUid;
use crate::store::database::Database;
use crate::store::database::Urgency;
use crossbeam_channel::Receiver;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::bounded;
use lru_engine::Builder;
use lru_engine::Cache;
use lru_engine::LoadError;
use lru_engine::Pending;
use lru_engine::Ticket;
use lru_engine::WriteTicket;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

pub use crate::catalog::fill::Room;
pub use crate::catalog::fill::Warming;
pub use crate::catalog::fill::Writes;
pub use crate::store::StoredOrder;
pub use crate::store::database::ReadError;
pub use lru_engine::Stats;

/// How long an unknown id is remembered as unknown.
pub const ABSENT_FOR_MAX: Duration = Duration::from_millis(250);

/// How many unknown ids are remembered.
const ABSENT_MAX: usize = 10_000;

/// What the catalog knows about an id at once.
#[derive(Debug)]
pub enum Lookup {
    /// The order is cached.
    Hit(StoredOrder),
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
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("cached", &self.orders.len()).finish_non_exhaustive()
    }
}

impl Catalog {
    /// A catalog that holds up to `capacity` orders and reads through `database`.
    pub fn new(capacity: usize, database: Database, clock: Clock) -> Arc<Self> {
        // Weighed to know how much memory the orders take; their number is what bounds them.
        let orders = Cache::builder().capacity(capacity).weight_capacity(u64::MAX);
        let orders = orders.weigher(|_uid, order: &StoredOrder| order.body.len() as u64);
        let absent = Cache::builder().capacity(ABSENT_MAX);
        Arc::new(Self {
            orders: one_shard(orders),
            absent: one_shard(absent),
            misses: AtomicU64::new(0),
            database,
            clock,
        })
    }

    /// Looks `uid` up; starts loading it if it isn't cached. Never waits for the store.
    ///
    /// # Errors
    /// `Overloaded`.
    pub fn lookup(&self, uid: &OrderUid) -> Result<Lookup, ReadError> {
        if let Some(order) = self.orders.get(uid) {
            return Ok(Lookup::Hit(order));
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        if self.is_known_absent(uid) {
            return Ok(Lookup::Absent);
        }
        match lru_engine::Lookup::of(Arc::clone(&self.orders), uid.clone()) {
            lru_engine::Lookup::Hit(order) => Ok(Lookup::Hit(order)),
            lru_engine::Lookup::Pending(pending) => Ok(Lookup::Pending(PendingOrder { pending })),
            lru_engine::Lookup::Load(order) => {
                let pending = order.pending();
                self.start(uid, order)?;
                Ok(Lookup::Pending(PendingOrder { pending }))
            }
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
        let mut open = HashMap::new();
        for uid in uids {
            let take = || WriteTicket::take(Arc::clone(&self.orders), uid.clone());
            open.entry(uid.clone()).or_insert_with(take);
        }
        Writes { open, absent: Arc::clone(&self.absent) }
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

    /// How many orders can be cached at most.
    pub fn capacity(&self) -> usize {
        self.orders.capacity()
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

/// An order that is being loaded, by this reader or by one before it.
pub struct PendingOrder {
    pending: Pending<StoredOrder>,
}

impl PendingOrder {
    /// Waits for the order, at most `wait_max`; `None` if the store doesn't have it.
    ///
    /// # Errors
    /// Any [`ReadError`]; `TooSlow` when the time is over.
    pub fn wait(self, wait_max: Duration) -> Result<Option<StoredOrder>, ReadError> {
        match self.pending.wait::<NotLoaded>(wait_max) {
            Ok(order) => Ok(Some(order)),
            Err(LoadError::Failed(error)) => match *error {
                NotLoaded::Absent => Ok(None),
                NotLoaded::Failed(error) => Err(error),
            },
            Err(LoadError::TimedOut) => Err(ReadError::TooSlow),
            // The load was dropped: a full queue, a panic, or the daemon stops.
            Err(_) => Err(ReadError::Outage),
        }
    }
}

impl fmt::Debug for PendingOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingOrder").finish_non_exhaustive()
    }
}

/// A page of orders that is being read.
#[derive(Debug)]
pub struct PendingPage {
    answer: Receiver<Result<Vec<StoredOrder>, ReadError>>,
}

impl PendingPage {
    /// Waits for the page, at most `wait_max`.
    ///
    /// # Errors
    /// Any [`ReadError`]; `TooSlow` when the time is over.
    pub fn wait(self, wait_max: Duration) -> Result<Vec<StoredOrder>, ReadError> {
        match self.answer.recv_timeout(wait_max) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(ReadError::TooSlow),
            Err(RecvTimeoutError::Disconnected) => Err(ReadError::Outage),
        }
    }
}
