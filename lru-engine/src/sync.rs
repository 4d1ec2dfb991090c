//! How a thread waits for another: a standard mutex and condition variable. (The shards have a lock
//! of their own, in `lock`, which nobody waits at for an event.)
//!
//! Poison is ignored, because what is guarded is valid wherever user code can panic. This is the
//! one file that knows whose mutex it is, so that a model checker can put its own in its place
//! (`--cfg loom`), and a random scheduler (`--cfg shuttle`).
//!
//! It must never spin, and never start a thread.

use std::sync::PoisonError;
#[cfg(any(loom, shuttle))]
use std::sync::TryLockError;
use std::time::Duration;

#[cfg(loom)]
use loom::sync as primitives;
#[cfg(shuttle)]
use shuttle::sync as primitives;
#[cfg(not(any(loom, shuttle)))]
use std::sync as primitives;

use primitives::Condvar;
use primitives::Mutex;
use primitives::MutexGuard;
pub(crate) use primitives::atomic::AtomicU64;
pub(crate) use primitives::atomic::AtomicUsize;

/// A lock that a panic does not close.
#[derive(Debug)]
pub(crate) struct Lock<T>(Mutex<T>);

/// What a [`Lock`] guards, for as long as this thread holds it.
pub(crate) type Guard<'a, T> = MutexGuard<'a, T>;

impl<T> Lock<T> {
    pub(crate) fn new(guarded: T) -> Self {
        Self(Mutex::new(guarded))
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks if nobody else does; never waits. The shards of a model ask for it.
    #[cfg(any(loom, shuttle))]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Wakes the threads that wait for a change of what a [`Lock`] guards.
#[derive(Debug)]
pub(crate) struct Bell(Condvar);

impl Bell {
    pub(crate) fn new() -> Self {
        Self(Condvar::new())
    }

    pub(crate) fn ring(&self) {
        self.0.notify_all();
    }

    /// Waits while `goes_on` says so, at most `wait_max` if there is one, with the lock given back.
    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn wait_while<'a, T>(
        &self,
        guard: Guard<'a, T>,
        wait_max: Option<Duration>,
        mut goes_on: impl FnMut(&T) -> bool,
    ) -> Guard<'a, T> {
        let goes_on = |guarded: &mut T| goes_on(guarded);
        match wait_max {
            None => self.0.wait_while(guard, goes_on).unwrap_or_else(PoisonError::into_inner),
            Some(wait_max) => {
                let waited = self.0.wait_timeout_while(guard, wait_max, goes_on);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// Models know no time: they wait for the bell, or the scheduler says that time is over.
    #[cfg(any(loom, shuttle))]
    pub(crate) fn wait_while<'a, T>(
        &self,
        mut guard: Guard<'a, T>,
        wait_max: Option<Duration>,
        mut goes_on: impl FnMut(&T) -> bool,
    ) -> Guard<'a, T> {
        while goes_on(&guard) && !(wait_max.is_some() && is_time_over()) {
            guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        guard
    }
}

#[cfg(loom)]
fn is_time_over() -> bool {
    false
}

#[cfg(shuttle)]
fn is_time_over() -> bool {
    use shuttle::rand::Rng;
    shuttle::rand::thread_rng().gen_bool(0.5)
}
