//! Reading an order from the store although it may be cached, because there is no trust.
//!
//! Those who ask for the same order at the same time share one statement, but only within
//! [`SHARE`]: nobody hears of a change in between, so one who joined later would get what was true
//! long before they asked. The type of the flights says that nothing is kept of them. What was read
//! goes into the cache of orders, by a ticket: not to be served as a hit, since everything there is
//! forgotten before trust begins, but as the better copy should the database fall silent.

use crate::catalog::ABSENT_FOR_MAX;
use crate::catalog::Absent;
use crate::catalog::Orders;
use crate::clock::Clock;
use crate::order::OrderUid;
use crate::store::StoredOrder;
use crate::store::database::ReadError;
use lru_engine::Cache;
use lru_engine::LoadError;
use lru_engine::Lookup;
use lru_engine::Pending;
use lru_engine::Ticket;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// For how long readers join the one who asked first.
const SHARE: Duration = Duration::from_millis(100);

/// What the store says of an order.
type Outcome = Result<Option<StoredOrder>, ReadError>;

/// An order and a stretch of time, in which its readers join each other.
type Shared = (OrderUid, u128);

/// The rereads on their way. Their outcome is told as an error, so that it is never cached.
pub(super) struct Rereads {
    flights: Arc<Cache<Shared, Infallible>>,
    base: Instant,
    clock: Clock,
}

/// What a reader has to do.
pub(super) enum Part {
    /// To wait for somebody else's reread.
    Wait(PendingReread),
    /// To have this one done, and to wait for it.
    Lead(Reread, PendingReread),
}

impl Rereads {
    pub(super) fn new(clock: Clock) -> Self {
        let flights = Cache::builder().capacity(1).shards(1).build();
        let flights = Arc::new(flights.expect("one shard is always legal"));
        Self { flights, base: clock.now(), clock }
    }

    /// Joins a reread of `uid` that has just begun, or begins one: its tickets are taken here,
    /// before the statement is sent.
    pub(super) fn join(&self, uid: &OrderUid, orders: &Arc<Orders>, absent: &Arc<Absent>) -> Part {
        let since = self.clock.now().saturating_duration_since(self.base);
        let shared = (uid.clone(), since.as_nanos() / SHARE.as_nanos());
        match Lookup::of(Arc::clone(&self.flights), shared) {
            Lookup::Hit(never) => match never {},
            Lookup::Pending(pending) => Part::Wait(PendingReread(pending)),
            Lookup::Load(flight) => {
                let pending = PendingReread(flight.pending());
                let reread = Reread {
                    flight,
                    order: Ticket::take(Arc::clone(orders), uid.clone()),
                    absence: Ticket::take(Arc::clone(absent), uid.clone()),
                    absent: Arc::clone(absent),
                    clock: self.clock.clone(),
                };
                Part::Lead(reread, pending)
            }
        }
    }
}

/// An order that is being read again.
pub(super) struct Reread {
    flight: lru_engine::Load<Arc<Cache<Shared, Infallible>>>,
    order: Ticket<Arc<Orders>>,
    absence: Ticket<Arc<Absent>>,
    absent: Arc<Absent>,
    clock: Clock,
}

impl Reread {
    /// Ends the reread with what the store answered, and answers all who wait for it.
    pub(super) fn land(self, outcome: Outcome) {
        match &outcome {
            Ok(Some(order)) => {
                self.absent.invalidate(&order.uid);
                // Overtaken, it isn't cached, and nothing else follows from that.
                let _ = self.order.fill(order.clone());
            }
            Ok(None) => {
                let _ = self.absence.fill(self.clock.now() + ABSENT_FOR_MAX);
            }
            Err(_) => {}
        }
        // The waiters have the outcome; this thread has no use for it.
        let _ = self.flight.land(Err(outcome));
    }
}

/// A reread to be waited for.
pub(super) struct PendingReread(Pending<Infallible>);

impl PendingReread {
    pub(super) fn wait(self, wait_max: Duration) -> Outcome {
        match self.0.wait::<Outcome>(wait_max) {
            Ok(never) => match never {},
            Err(LoadError::Failed(outcome)) => Arc::unwrap_or_clone(outcome),
            Err(LoadError::TimedOut) => Err(ReadError::TooSlow),
            // It was dropped: a full queue, a panic, or the daemon stops.
            Err(_) => Err(ReadError::Outage),
        }
    }
}
