//! The lock of a shard: one atomic read-modify-write to lock and unlock it uncontended.
//!
//! A standard mutex takes two, for it has to learn at unlocking whether somebody sleeps. Here a
//! plain store unlocks, which cannot know, so whoever waits pays instead: it looks again for about
//! as long as a shard is held, and then sleeps for a set time and looks again. It sleeps where the
//! holder has lost its processor, and then for about as long as the system takes to give it back.
//! `benches/record/2026-11-20-lock.md` has the figures against the standard mutex.
//!
//! There is no order among those who wait, and no poison: a shard is valid wherever user code can
//! panic. Invariant: the word is [`LOCKED`] exactly while a [`Guard`] lives, and there is one at
//! most. It must never be locked twice by one thread: `mark` finds that out first.

#![expect(unsafe_code, reason = "a lock hands out exclusive access by its own word")]

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ops::DerefMut;
use std::panic::RefUnwindSafe;
use std::panic::UnwindSafe;
use std::sync::atomic::Ordering;

#[cfg(not(loom))]
use std::cell::UnsafeCell;
#[cfg(not(loom))]
use std::hint;
#[cfg(not(loom))]
use std::sync::atomic::AtomicBool;
#[cfg(not(loom))]
use std::thread;
#[cfg(not(loom))]
use std::time::Duration;

#[cfg(loom)]
use loom::cell::UnsafeCell;
#[cfg(loom)]
use loom::sync::atomic::AtomicBool;
#[cfg(loom)]
use loom::thread;

const UNLOCKED: bool = false;
const LOCKED: bool = true;

/// How often a waiting thread looks before it sleeps: some microseconds, many times as long as a
/// shard is held.
#[cfg(not(loom))]
const LOOKS_MAX: u32 = 25;

/// How often it pauses before each look: 0.4 µs on the processor measured. A look takes the
/// cache line from the holder, who is about to write to it: with one pause, hits of 2 threads took
/// 34 ns over 4 shards and 30 ns on one key, with 8 they take 22 and 10 (2026-11-20, 2 cores).
#[cfg(not(loom))]
const PAUSES: u32 = 8;

/// How long it sleeps, at first and at most. The system adds some 50 µs of its own.
#[cfg(not(loom))]
const SLEEP_FIRST: Duration = Duration::from_micros(20);
#[cfg(not(loom))]
const SLEEP_MAX: Duration = Duration::from_millis(1);

/// A value behind a lock. The word lies at its beginning, in one cache line with what the value has
/// there.
#[repr(C)]
pub(crate) struct Lock<T> {
    word: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a guard alone, of which there is one at most, so sharing
// the lock sends the value from thread to thread and never shares it.
unsafe impl<T: Send> Sync for Lock<T> {}

// What the lock guards is valid wherever a panic can leave it, as behind a mutex without poison.
impl<T> UnwindSafe for Lock<T> {}
impl<T> RefUnwindSafe for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { word: AtomicBool::new(UNLOCKED), value: UnsafeCell::new(value) }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        if !self.take() {
            self.wait();
        }
        // SAFETY: either of them has locked.
        unsafe { self.guard() }
    }

    /// Locks if nobody else does; never waits.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        // SAFETY: it has locked.
        self.take().then(|| unsafe { self.guard() })
    }

    /// # Safety
    ///
    /// The caller must have locked, and have no guard for that yet.
    #[inline]
    unsafe fn guard(&self) -> Guard<'_, T> {
        Guard {
            #[cfg(loom)]
            pointer: self.value.get_mut(),
            lock: self,
            stays: PhantomData,
        }
    }

    #[inline]
    fn take(&self) -> bool {
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        self.word.compare_exchange(UNLOCKED, LOCKED, success, failure).is_ok()
    }

    #[cold]
    #[cfg(not(loom))]
    #[expect(clippy::disallowed_methods, reason = "nobody wakes who waits for a lock")]
    fn wait(&self) {
        let mut sleep = SLEEP_FIRST;
        loop {
            for _ in 0..LOOKS_MAX {
                for _ in 0..PAUSES {
                    hint::spin_loop();
                }
                if self.word.load(Ordering::Relaxed) == UNLOCKED && self.take() {
                    return;
                }
            }
            thread::sleep(sleep);
            sleep = (sleep * 2).min(SLEEP_MAX);
        }
    }

    /// The model knows no time: it lets others go on.
    #[cfg(loom)]
    fn wait(&self) {
        while !self.take() {
            thread::yield_now();
        }
    }
}

impl<T> fmt::Debug for Lock<T> {
    /// Leaves the value out, for it would have to be locked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

/// Access to what a [`Lock`] guards. Dropping it unlocks.
#[must_use = "dropping a guard unlocks"]
pub(crate) struct Guard<'a, T> {
    #[cfg(loom)]
    pointer: loom::cell::MutPtr<T>,
    lock: &'a Lock<T>,
    /// It stays on its thread, where the thread's mark is, and gives shared access to nobody.
    stays: PhantomData<*mut T>,
}

impl<T> fmt::Debug for Guard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

#[cfg(not(loom))]
impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this is the one guard, and nobody else reaches the value while it lives.
        unsafe { &*self.lock.value.get() }
    }
}

#[cfg(not(loom))]
impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this is the one guard, borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

#[cfg(loom)]
impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this is the one guard, and nobody else reaches the value while it lives.
        unsafe { self.pointer.deref() }
    }
}

#[cfg(loom)]
impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this is the one guard, borrowed exclusively.
        unsafe { self.pointer.deref() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.word.store(UNLOCKED, Ordering::Release);
    }
}
