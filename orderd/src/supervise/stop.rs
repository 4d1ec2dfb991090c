//! The word to stop, and the only way to wait in between.

use std::fmt;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Tells threads to stop. Cloning it gives the same token; once stopped it stays so.
#[derive(Clone, Default)]
pub struct StopToken(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Read without the lock by loops that only ask.
    stopped: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl StopToken {
    /// A token that isn't stopped.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the word. All waits on the token end.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        // Taking the lock orders this after the check of a thread that is about to wait.
        drop(self.0.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.changed.notify_all();
    }

    /// Whether the word was given.
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    /// Waits until the word is given, at most `wait_max`. Returns whether it was.
    pub fn wait(&self, wait_max: Duration) -> bool {
        let guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(guard, wait_max, |()| !self.is_stopped());
        drop(waited);
        self.is_stopped()
    }
}

impl fmt::Debug for StopToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopToken").field(&self.is_stopped()).finish()
    }
}
