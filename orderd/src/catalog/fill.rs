//! The ways in which orders come into the cache: a load, a write, and warming up.
//!
//! Each holds tickets of the engine from before its statement is sent until it knows the outcome.
//! Dropping one without an outcome hands its tickets in as well: a load leaves its waiters an
//! error, a write forgets its orders, warming leaves everything as it is. So no error and no panic
//! leaves a ticket out, or something old in the cache.

use crate::catalog::ABSENT_FOR_MAX;
use crate::catalog::Absent;
use crate::catalog::Orders;
use crate::catalog::writing::Number;
use crate::clock::Clock;
use crate::order::OrderUid;
use crate::store::StoredOrder;
use crate::store::database::ReadError;
use lru_engine::RefusedReason;
use lru_engine::Ticket;
use lru_engine::WriteTicket;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Why a load brought no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotLoaded {
    /// The store doesn't have it.
    Absent,
    /// The store didn't say.
    Failed(ReadError),
}

/// An order that is being loaded.
pub(super) struct Load {
    pub(super) order: lru_engine::Load<Arc<Orders>>,
    /// For the case that the store doesn't have it.
    pub(super) absence: Ticket<Arc<Absent>>,
    pub(super) absent: Arc<Absent>,
    pub(super) clock: Clock,
}

impl Load {
    /// Ends the load with what the store answered, and answers all who wait for it.
    pub(super) fn land(self, result: Result<Option<StoredOrder>, ReadError>) {
        let answer = match result {
            Ok(Some(order)) => {
                self.absent.invalidate(&order.uid);
                Ok(order)
            }
            Ok(None) => {
                // Overtaken, it isn't remembered, and nothing else follows from that.
                let _ = self.absence.fill(self.clock.now() + ABSENT_FOR_MAX);
                Err(NotLoaded::Absent)
            }
            Err(error) => Err(NotLoaded::Failed(error)),
        };
        // The waiters have the answer; this thread has no use for it.
        let _ = self.order.land(answer);
    }
}

/// Orders that are being saved. Dropping it without [`Writes::publish`] forgets them all, because
/// nobody knows then what the store holds.
pub struct Writes {
    pub(super) open: HashMap<OrderUid, WriteTicket<Arc<Orders>>>,
    pub(super) absent: Arc<Absent>,
    /// Given back when everything else has been done.
    pub(super) number: Number,
}

impl Writes {
    /// Caches what a committed transaction wrote, in the given order, so that the last one is the
    /// most recently used. Ids that were announced and aren't among `written` were left as they are
    /// by the transaction, and so they are by the cache.
    pub fn publish(mut self, written: Vec<StoredOrder>) {
        // Taken out one by one: after a panic the rest is still there to be forgotten.
        for order in written {
            let Some(ticket) = self.open.remove(&order.uid) else {
                debug_assert!(false, "only announced orders are published");
                continue;
            };
            self.absent.invalidate(&order.uid);
            // Overtaken by another write, the order is forgotten, and read when it is asked for.
            let _ = ticket.write(order);
        }
        for (_, ticket) in self.open.drain() {
            ticket.release();
        }
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        if !self.open.is_empty() {
            self.number.give_up();
        }
        for (uid, ticket) in self.open.drain() {
            self.absent.invalidate(&uid);
            // Dropping it is what makes the cache forget the order.
            drop(ticket);
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
    pub(super) open: HashMap<OrderUid, Ticket<Arc<Orders>>>,
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
            let Some(ticket) = self.open.remove(&order.uid) else { continue };
            let refused = ticket.fill_cold(order).err();
            if refused.is_some_and(|refused| refused.reason == RefusedReason::Full) {
                room = Room::None;
            }
        }
        room
    }
}

impl fmt::Debug for Warming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warming").field("open", &self.open.len()).finish_non_exhaustive()
    }
}
