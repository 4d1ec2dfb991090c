//! A flight: one load of one order that any number of readers wait for.

use crate::store::StoredOrder;
use crate::store::database::ReadError;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// What a load ends with; `None` if the store doesn't have the order.
pub(super) type Landed = Result<Option<StoredOrder>, ReadError>;

/// One load in progress. It lands once.
#[derive(Debug, Default)]
pub(super) struct Flight {
    landed: Mutex<Option<Landed>>,
    changed: Condvar,
}

impl Flight {
    /// Ends the flight. Only the first landing counts.
    pub(super) fn land(&self, result: Landed) {
        let mut landed = self.landed.lock().unwrap_or_else(PoisonError::into_inner);
        if landed.is_none() {
            *landed = Some(result);
        }
        drop(landed);
        self.changed.notify_all();
    }

    /// Waits for the landing, at most `wait_max`.
    pub(super) fn wait(&self, wait_max: Duration) -> Landed {
        let landed = self.landed.lock().unwrap_or_else(PoisonError::into_inner);
        let (landed, _) = self
            .changed
            .wait_timeout_while(landed, wait_max, |landed| landed.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        landed.clone().unwrap_or(Err(ReadError::TooSlow))
    }
}
