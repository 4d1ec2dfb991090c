//! Which writes of this instance haven't ended yet.
//!
//! An instance hears of what it replaced itself like everybody else, while the same write is
//! publishing it to the cache. Forgetting it then would throw away what has just been written. When
//! all writes that had begun before the news came have been published, the one that it tells of
//! has, and has left nothing older in the cache: so the news can be passed over.
//!
//! A write that ended without being published may still commit, when its COMMIT was on its way
//! while the connection broke. It can't after [`LATE_MAX`]; until then no news is passed over.

use crate::clock::Clock;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// How long after its writer gave up a transaction may still commit: the server ends a session that
/// is idle within a transaction after ten seconds, and a statement after five.
const LATE_MAX: Duration = Duration::from_secs(60);

/// The numbers of the writes that haven't ended.
#[derive(Debug)]
pub(super) struct OpenWrites {
    state: Mutex<State>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    open: BTreeSet<u64>,
    /// When the last write ended that wasn't published.
    given_up_at: Option<Instant>,
}

/// A point in the sequence of writes: those before it had begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

/// What became of the writes before a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// All were published.
    Published,
    /// Some haven't ended.
    Open,
    /// One ended without being published, and may still commit.
    GivenUp,
}

/// The number of a write, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Number {
    number: u64,
    writes: Arc<OpenWrites>,
}

impl OpenWrites {
    pub(super) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), clock })
    }

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

    pub(super) fn before(&self, mark: Mark) -> Before {
        let now = self.clock.now();
        let state = self.lock();
        let late = |at: Instant| now.saturating_duration_since(at) < LATE_MAX;
        if state.given_up_at.is_some_and(late) {
            Before::GivenUp
        } else if state.open.first().is_some_and(|first| *first < mark.0) {
            Before::Open
        } else {
            Before::Published
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Number {
    /// The write ends without being published.
    pub(super) fn give_up(&self) {
        let now = self.writes.clock.now();
        self.writes.lock().given_up_at = Some(now);
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        self.writes.lock().open.remove(&self.number);
    }
}
