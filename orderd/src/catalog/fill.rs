//! The ways in which orders come into the cache: a load, a write, and warming up.
//!
//! Each is a value that holds tickets from before its statement is sent until it knows the outcome.
//! Dropping one without an outcome hands its tickets in as well: a load leaves its waiters an
//! error, a write forgets its orders, warming leaves everything as it is. So no error and no panic
//! leaves a ticket out, or something old in the cache.

use crate::catalog::Catalog;
use crate::catalog::flight::Flight;
use crate::catalog::flight::Landed;
use crate::catalog::tickets::Number;
use crate::catalog::tickets::Verdict;
use crate::order::OrderUid;
use crate::store::StoredOrder;
use crate::store::database::ReadError;
use lru_engine::RefusedReason;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A load on its way. Dropping it hands in its ticket and lands its flight, so that a load that is
/// thrown away (a full queue, a panic, the daemon stopping) leaves nobody waiting.
pub(super) struct Load {
    pub(super) catalog: Arc<Catalog>,
    pub(super) uid: OrderUid,
    pub(super) number: Number,
    pub(super) flight: Arc<Flight>,
    pub(super) result: Landed,
}

impl Load {
    /// Ends the load with what the store answered.
    pub(super) fn land(mut self, result: Landed) {
        self.result = result;
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        {
            let mut tickets = self.catalog.tickets();
            tickets.withdraw(&self.uid, &self.flight);
            let verdict = tickets.hand_in(&self.uid, self.number);
            if let (Verdict::Valid, Ok(found)) = (verdict, &self.result) {
                self.catalog.keep(&self.uid, found.as_ref());
            }
        }
        self.flight.land(std::mem::replace(&mut self.result, Err(ReadError::Outage)));
    }
}

/// Orders that are being saved. Dropping it without [`Writes::publish`] forgets them all, because
/// nobody knows then what the store holds.
pub struct Writes {
    pub(super) catalog: Arc<Catalog>,
    pub(super) open: HashMap<OrderUid, Number>,
}

impl Writes {
    /// Caches what a committed transaction wrote, in the given order, so that the last one is the
    /// most recently used. Ids that were announced and aren't among `written` were left as they are
    /// by the transaction, and so they are by the cache.
    pub fn publish(mut self, written: Vec<StoredOrder>) {
        // Taken out one by one: after a panic the rest is still there to be forgotten.
        for order in written {
            let Some(number) = self.open.remove(&order.uid) else {
                debug_assert!(false, "only announced orders are published");
                self.catalog.invalidate([&order.uid]);
                continue;
            };
            let mut tickets = self.catalog.tickets();
            let verdict = tickets.hand_in(&order.uid, number);
            tickets.void(&order.uid);
            match verdict {
                Verdict::Valid => self.catalog.keep(&order.uid, Some(&order)),
                Verdict::Void => self.catalog.forget(&order.uid),
            }
        }
        let mut tickets = self.catalog.tickets();
        for (uid, number) in self.open.drain() {
            tickets.hand_in(&uid, number);
        }
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        for (uid, number) in self.open.drain() {
            let mut tickets = self.catalog.tickets();
            tickets.hand_in(&uid, number);
            tickets.void(&uid);
            self.catalog.forget(&uid);
        }
    }
}

impl fmt::Debug for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writes").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

/// Orders that are being read for warming up.
pub struct Warming {
    pub(super) catalog: Arc<Catalog>,
    pub(super) open: HashMap<OrderUid, Number>,
}

/// Whether warming up can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is room for more.
    Left,
    /// The cache is full.
    None,
}

impl Warming {
    /// Enters `orders`, newest first, at the least recent end. What the cache has already, and what
    /// was written meanwhile, stays as it is.
    pub fn finish(mut self, orders: Vec<StoredOrder>) -> Room {
        let mut room = Room::Left;
        for order in orders {
            let Some(number) = self.open.remove(&order.uid) else { continue };
            let mut tickets = self.catalog.tickets();
            if tickets.hand_in(&order.uid, number) == Verdict::Valid {
                let refused = self.catalog.cache.insert_cold(order.uid.clone(), order).err();
                if refused.is_some_and(|refused| refused.reason == RefusedReason::Full) {
                    room = Room::None;
                }
            }
        }
        room
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        let mut tickets = self.catalog.tickets();
        for (uid, number) in self.open.drain() {
            tickets.hand_in(&uid, number);
        }
    }
}

impl fmt::Debug for Warming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warming").field("open", &self.open.len()).finish_non_exhaustive()
    }
}
