//! Orders by id: the cache in front of the store, and the only way that HTTP reads orders.
//!
//! A hit is one lookup in the engine. A miss is loaded once, however many ask (single flight), by
//! the database threads. An id that the store doesn't have is remembered for [`ABSENT_FOR_MAX`], so
//! that asking for nonsense at full speed doesn't reach the database at full speed.
//!
//! Coherence, by tickets (`tickets`):
//! * Every fill (load, absence, warm-up, ingest) takes a ticket before its statement is sent,
//!   ingest before its COMMIT.
//! * A write ([`Writes::publish`]) or an invalidation voids every other ticket for its keys.
//! * A voided read still answers those who waited for it and leaves the cache as the write that
//!   overtook it left it.
//! * A voided write *removes* the key: two writes crossed, and only the store knows which was last.
//! * Writes that end without being published (an error, a panic, an unknown COMMIT) invalidate
//!   their keys.
//!
//! Checking a ticket and putting the value into the cache happen under the lock of the tickets, so
//! nothing comes in between. It is the outer lock of the two; the engine's shard lock is the inner
//! one, and no other lock is ever taken under either. A hit takes the engine's lock alone.
//!
//! The catalog never writes to the store and starts no thread. Only this folder names the engine.
//! It runs the cache with one shard, whose recency order is the order of all entries.

mod fill;
mod flight;
mod tickets;

use crate::catalog::fill::Load;
use crate::catalog::flight::Flight;
use crate::catalog::tickets::Tickets;
use crate::clock::Clock;
use crate::order::OrderUid;
use crate::store::database::Database;
use crate::store::database::Urgency;
use crossbeam_channel::Receiver;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::bounded;
use lru_engine::Cache;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

pub use crate::catalog::fill::Room;
pub use crate::catalog::fill::Warming;
pub use crate::catalog::fill::Writes;
pub use crate::store::StoredOrder;
pub use crate::store::database::ReadError;

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

/// Orders by id. Shared by reference; every method may be called from any thread.
pub struct Catalog {
    cache: Cache<OrderUid, StoredOrder>,
    /// Until when an id counts as unknown.
    absent: Cache<OrderUid, Instant>,
    tickets: Mutex<Tickets>,
    database: Database,
    clock: Clock,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("cached", &self.cache.len()).finish_non_exhaustive()
    }
}

impl Catalog {
    /// A catalog that holds up to `capacity` orders and reads through `database`.
    pub fn new(capacity: usize, database: Database, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            cache: one_shard(capacity),
            absent: one_shard(ABSENT_MAX),
            tickets: Mutex::default(),
            database,
            clock,
        })
    }

    /// Looks `uid` up; starts loading it if it isn't cached. Never waits for the store.
    ///
    /// # Errors
    /// `Overloaded`.
    pub fn lookup(self: &Arc<Self>, uid: &OrderUid) -> Result<Lookup, ReadError> {
        if let Some(order) = self.cache.get(uid) {
            return Ok(Lookup::Hit(order));
        }
        if self.is_known_absent(uid) {
            return Ok(Lookup::Absent);
        }
        let (flight, number) = {
            let mut tickets = self.tickets();
            if let Some(flight) = tickets.flight(uid) {
                return Ok(Lookup::Pending(PendingOrder { flight: Arc::clone(flight) }));
            }
            // A fill may have landed since the first look.
            if let Some(order) = self.cache.get(uid) {
                return Ok(Lookup::Hit(order));
            }
            let flight = Arc::new(Flight::default());
            let number = tickets.take(uid);
            tickets.announce(uid, &flight);
            (flight, number)
        };
        let load = Load {
            catalog: Arc::clone(self),
            uid: uid.clone(),
            number,
            flight: Arc::clone(&flight),
            result: Err(ReadError::Outage),
        };
        self.start(load)?;
        Ok(Lookup::Pending(PendingOrder { flight }))
    }

    fn start(&self, load: Load) -> Result<(), ReadError> {
        let uids = [load.uid.clone()];
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
    pub fn begin_writes<'a>(
        self: &Arc<Self>,
        uids: impl IntoIterator<Item = &'a OrderUid>,
    ) -> Writes {
        let mut tickets = self.tickets();
        let mut open = HashMap::new();
        for uid in uids {
            open.entry(uid.clone()).or_insert_with(|| tickets.take(uid));
        }
        Writes { catalog: Arc::clone(self), open }
    }

    /// Announces that these orders are about to be read for warming up.
    pub fn begin_warming(self: &Arc<Self>, uids: &[OrderUid]) -> Warming {
        let mut tickets = self.tickets();
        let mut open = HashMap::new();
        for uid in uids {
            open.entry(uid.clone()).or_insert_with(|| tickets.take(uid));
        }
        Warming { catalog: Arc::clone(self), open }
    }

    /// Forgets these orders and voids what is being read of them.
    pub fn invalidate<'a>(&self, uids: impl IntoIterator<Item = &'a OrderUid>) {
        for uid in uids {
            let mut tickets = self.tickets();
            tickets.void(uid);
            self.forget(uid);
        }
    }

    /// Forgets every order and voids everything that is being read.
    pub fn invalidate_all(&self) {
        let mut tickets = self.tickets();
        tickets.void_all();
        self.cache.clear();
        self.absent.clear();
    }

    /// The ids of the cached orders, most recently used first. Costs a copy of them all.
    pub fn uids_by_recency(&self) -> Vec<OrderUid> {
        self.cache.keys_by_recency()
    }

    /// How many orders are cached.
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Whether no order is cached.
    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }

    /// The database threads that the catalog reads through.
    pub fn database(&self) -> &Database {
        &self.database
    }

    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_known_absent(&self, uid: &OrderUid) -> bool {
        let until = self.absent.get_with(uid, |until| *until);
        until.is_some_and(|until| self.clock.now() < until)
    }

    /// Keeps what a load found. The caller holds the lock of the tickets.
    fn keep(&self, uid: &OrderUid, found: Option<&StoredOrder>) {
        match found {
            Some(order) => {
                self.absent.remove(uid);
                self.cache.insert(uid.clone(), order.clone());
            }
            None => {
                self.absent.insert(uid.clone(), self.clock.now() + ABSENT_FOR_MAX);
            }
        }
    }

    /// Forgets what is cached of `uid`. The caller holds the lock of the tickets.
    fn forget(&self, uid: &OrderUid) {
        self.cache.remove(uid);
        self.absent.remove(uid);
    }
}

/// A cache whose recency order is the order of all its entries.
fn one_shard<V>(capacity: usize) -> Cache<OrderUid, V> {
    Cache::builder().capacity(capacity).shards(1).build().expect("one shard is always legal")
}

/// An order that is being loaded, by this reader or by one before it.
pub struct PendingOrder {
    flight: Arc<Flight>,
}

impl PendingOrder {
    /// Waits for the order, at most `wait_max`; `None` if the store doesn't have it.
    ///
    /// # Errors
    /// Any [`ReadError`]; `TooSlow` when the time is over.
    pub fn wait(self, wait_max: Duration) -> Result<Option<StoredOrder>, ReadError> {
        self.flight.wait(wait_max)
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
