//! What a reader waits for: an order or a page that the store has been asked for.

use crate::catalog::COPY_WAIT_MAX;
use crate::catalog::SharedStore;
use crate::catalog::StoredOrder;
use crate::catalog::fill::NotLoaded;
use crate::catalog::reread::PendingReread;
use crate::catalog::trust::Answer;
use crate::store::database::ReadError;
use crossbeam_channel::Receiver;
use crossbeam_channel::RecvTimeoutError;
use lru_engine::LoadError;
use lru_engine::Pending;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// An order that is being loaded, by this reader or by one before it.
pub struct PendingOrder(Awaited);

enum Awaited {
    /// It wasn't cached.
    Missing(Pending<StoredOrder>),
    /// There was no trust in what is cached, if anything is.
    Doubted { pending: PendingReread, copy: Option<StoredOrder>, shared: Arc<SharedStore> },
}

/// What a reader who waited gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// What the store has.
    Loaded(StoredOrder),
    /// The cached copy, since the store didn't answer; it may have been replaced.
    Stale(StoredOrder),
    /// The store doesn't have it.
    Absent,
}

impl PendingOrder {
    pub(super) fn missing(pending: Pending<StoredOrder>) -> Self {
        Self(Awaited::Missing(pending))
    }

    pub(super) fn doubted(
        pending: PendingReread,
        copy: Option<StoredOrder>,
        shared: Arc<SharedStore>,
    ) -> Self {
        Self(Awaited::Doubted { pending, copy, shared })
    }

    /// The copy that there is no trust in.
    pub fn copy(&self) -> Option<&StoredOrder> {
        match &self.0 {
            Awaited::Missing(_) => None,
            Awaited::Doubted { copy, .. } => copy.as_ref(),
        }
    }

    /// Waits for the order, at most `wait_max`, and if there is a copy, at most [`COPY_WAIT_MAX`].
    ///
    /// # Errors
    /// Any [`ReadError`]; `TooSlow` when the time is over. With a copy only `Corrupt`.
    pub fn answer(self, wait_max: Duration) -> Result<Answered, ReadError> {
        let copy = self.copy().cloned();
        let wait_max = if copy.is_some() { wait_max.min(COPY_WAIT_MAX) } else { wait_max };
        match (self.wait(wait_max), copy) {
            (Ok(Some(order)), _) => Ok(Answered::Loaded(order)),
            (Ok(None), _) => Ok(Answered::Absent),
            (Err(error @ ReadError::Corrupt), _) | (Err(error), None) => Err(error),
            (Err(_), Some(copy)) => Ok(Answered::Stale(copy)),
        }
    }

    /// Waits for what the store says of the order, at most `wait_max`; `None` if it doesn't have
    /// it.
    ///
    /// # Errors
    /// Any [`ReadError`]; `TooSlow` when the time is over.
    pub fn wait(self, wait_max: Duration) -> Result<Option<StoredOrder>, ReadError> {
        match self.0 {
            Awaited::Missing(pending) => loaded(pending, wait_max),
            Awaited::Doubted { pending, shared, .. } => {
                let outcome = pending.wait(wait_max);
                let silent = matches!(outcome, Err(ReadError::Outage | ReadError::TooSlow));
                shared.trust.note(if silent { Answer::Missing } else { Answer::Came });
                outcome
            }
        }
    }
}

fn loaded(
    pending: Pending<StoredOrder>,
    wait_max: Duration,
) -> Result<Option<StoredOrder>, ReadError> {
    match pending.wait::<NotLoaded>(wait_max) {
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

impl fmt::Debug for PendingOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingOrder").finish_non_exhaustive()
    }
}

/// A page of orders that is being read.
#[derive(Debug)]
pub struct PendingPage {
    pub(super) answer: Receiver<Result<Vec<StoredOrder>, ReadError>>,
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
