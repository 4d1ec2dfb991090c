//! Orders by id: a cache in front of the store.

use crate::order::OrderUid;
use crate::store::StoredOrder;
use std::time::Duration;

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

/// An order that is being loaded, by this reader or one before it.
#[derive(Debug)]
pub struct PendingOrder(());

/// A page of orders that is being read.
#[derive(Debug)]
pub struct PendingPage(());

/// Why an order can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store is away.
    #[error("the store can't be reached")]
    Outage,
    /// Too many readers wait for the store already.
    #[error("too many readers wait for the store")]
    Overloaded,
    /// The store didn't answer in time.
    #[error("the store took too long")]
    TooSlow,
    /// The store answered with something that is no order.
    #[error("the store holds something that is no order")]
    Corrupt,
}

/// Orders by id.
#[derive(Debug)]
pub struct Catalog(());

impl Catalog {
    /// Looks `uid` up; starts loading it if it isn't cached. Never blocks on the store.
    ///
    /// # Errors
    /// `Overloaded`.
    pub fn lookup(&self, uid: &OrderUid) -> Result<Lookup, ReadError> {
        let _ = uid;
        todo!()
    }

    /// Starts reading the newest `limit` orders that arrived before `before`, newest first.
    ///
    /// # Errors
    /// `Overloaded`.
    pub fn page(&self, before: Option<i64>, limit: usize) -> Result<PendingPage, ReadError> {
        let _ = (before, limit);
        todo!()
    }
}

impl PendingOrder {
    /// Waits for the order, at most `wait_max`; `None` if the store doesn't have it.
    ///
    /// # Errors
    /// Any [`ReadError`]; `TooSlow` when the time is over.
    pub fn wait(self, wait_max: Duration) -> Result<Option<StoredOrder>, ReadError> {
        let _ = wait_max;
        todo!()
    }
}

impl PendingPage {
    /// Waits for the page, at most `wait_max`.
    ///
    /// # Errors
    /// Any [`ReadError`]; `TooSlow` when the time is over.
    pub fn wait(self, wait_max: Duration) -> Result<Vec<StoredOrder>, ReadError> {
        let _ = wait_max;
        todo!()
    }
}
