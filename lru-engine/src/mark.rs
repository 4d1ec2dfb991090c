//! The thread mark: which caches this thread is inside of, and which thread it is.
//!
//! `Eq`, `Clone` and the closures of `get_with`, `peek_with` and `for_each_by_recency` run while a
//! shard is locked. If one of them used the same cache, the thread would wait for itself for ever.
//! So each thread notes the caches of which it holds a shard, and entering one of them a second
//! time panics before it locks.
//!
//! Another cache may be used there; then both are noted, so that the way back into the first is
//! found as well. A cycle over two threads (one inside A entering B, the other inside B entering A)
//! is beyond what a thread can know of itself: the engine never makes one, for by itself it holds
//! one lock at a time.
//!
//! The notes are plain cells without a destructor, so they can be read in the destructors of other
//! thread locals too. Their address tells threads apart, which is how a load finds that it waits
//! for itself.

use std::cell::Cell;
use std::ptr;

/// How many caches one thread may be inside of, each within user code of the one before.
const DEPTH_MAX: usize = 16;

#[cfg(not(any(loom, shuttle)))]
thread_local! {
    static INSIDE: Inside = const { Inside::new() };
}

#[cfg(loom)]
loom::thread_local! {
    static INSIDE: Inside = Inside::new();
}

#[cfg(shuttle)]
shuttle::thread_local! {
    static INSIDE: Inside = Inside::new();
}

/// A number of this thread, which no other living thread has.
pub(crate) fn thread_number() -> usize {
    INSIDE.with(|inside| ptr::from_ref(inside).addr())
}

/// The caches that a thread is inside of, outermost first.
struct Inside {
    depth: Cell<usize>,
    caches: [Cell<usize>; DEPTH_MAX],
}

impl Inside {
    const fn new() -> Self {
        Self { depth: Cell::new(0), caches: [const { Cell::new(0) }; DEPTH_MAX] }
    }
}

/// Notes, for as long as it lives, that this thread is inside a cache. It stays on its thread
/// because the lock's guard beside it does.
#[derive(Debug)]
pub(crate) struct Mark(());

impl Mark {
    /// Enters the cache whose shards lie at the address `cache`.
    ///
    /// Panics if this thread is inside that cache already, or inside of `DEPTH_MAX` others.
    #[inline]
    pub(crate) fn enter(cache: usize) -> Self {
        INSIDE.with(|inside| {
            let depth = inside.depth.get();
            if depth > 0 {
                check_nested(inside, depth, cache);
            }
            inside.caches[depth].set(cache);
            inside.depth.set(depth + 1);
        });
        Self(())
    }
}

impl Drop for Mark {
    #[inline]
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.depth.set(inside.depth.get() - 1));
    }
}

#[cold]
fn check_nested(inside: &Inside, depth: usize, cache: usize) {
    let entered = inside.caches[..depth].iter().any(|noted| noted.get() == cache);
    assert!(
        !entered,
        "a cache was used inside its own `Eq`, `Clone` or closure, where one of its shards is \
         locked: use it after that call has returned"
    );
    assert!(
        depth < DEPTH_MAX,
        "{DEPTH_MAX} caches are used inside one another's `Eq`, `Clone` or closures, the most \
         that are allowed"
    );
}
