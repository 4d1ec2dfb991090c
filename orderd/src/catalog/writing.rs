//! Which writes of this instance haven't ended yet.
//!
//! An instance hears of what it replaced itself like everybody else, while the same write is
//! publishing it to the cache. Forgetting it then would throw away what has just been written. When
//! all writes that had begun before the news came have ended, the one that it tells of has, and has
//! left nothing older in the cache: so the news can be passed over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// The numbers of the writes that haven't ended.
#[derive(Debug, Default)]
pub(super) struct OpenWrites(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    open: BTreeSet<u64>,
}

/// A point in the sequence of writes: those before it had begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

/// The number of a write, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Number {
    number: u64,
    writes: Arc<OpenWrites>,
}

impl OpenWrites {
    pub(super) fn begin(self: &Arc<Self>) -> Number {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.open.insert(number);
        drop(state);
        Number { number, writes: Arc::clone(self) }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.lock().next)
    }

    pub(super) fn are_ended(&self, mark: Mark) -> bool {
        self.lock().open.first().is_none_or(|first| *first >= mark.0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        self.writes.lock().open.remove(&self.number);
    }
}
