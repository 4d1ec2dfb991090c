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

/// How many of these are not the outermost.
const NESTED_MAX: usize = DEPTH_MAX - 1;

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

/// The caches that a thread is inside of.
struct Inside {
    /// The outermost, or 0: by far the most often there is no other.
    outermost: Cell<usize>,
    /// How many others there are, and which, outermost first.
    depth: Cell<usize>,
    nested: [Cell<usize>; NESTED_MAX],
}

impl Inside {
    const fn new() -> Self {
        let nested = [const { Cell::new(0) }; NESTED_MAX];
        Self { outermost: Cell::new(0), depth: Cell::new(0), nested }
    }
}

/// Notes, for as long as it lives, that this thread is inside a cache. It stays on its thread
/// because the lock's guard beside it does. Marks are dropped in the reverse of their order.
#[derive(Debug)]
pub(crate) enum Mark {
    /// This thread is inside no other cache.
    Outermost,
    /// It is inside others, of which this is the innermost.
    Nested,
}

impl Mark {
    /// Enters the cache whose shards lie at the address `cache`, which is not 0.
    ///
    /// Panics if this thread is inside that cache already, or inside of `DEPTH_MAX` others.
    #[inline]
    pub(crate) fn enter(cache: usize) -> Self {
        INSIDE.with(|inside| {
            if inside.outermost.get() != 0 {
                enter_nested(inside, cache);
                return Self::Nested;
            }
            inside.outermost.set(cache);
            Self::Outermost
        })
    }

    /// Like [`enter`](Self::enter), if this thread is inside no cache at all.
    #[inline]
    pub(crate) fn try_enter(cache: usize) -> Option<Self> {
        INSIDE.with(|inside| {
            (inside.outermost.get() == 0).then(|| {
                inside.outermost.set(cache);
                Self::Outermost
            })
        })
    }
}

impl Drop for Mark {
    #[inline]
    fn drop(&mut self) {
        INSIDE.with(|inside| match self {
            Self::Outermost => inside.outermost.set(0),
            Self::Nested => leave_nested(inside),
        });
    }
}

#[cold]
fn leave_nested(inside: &Inside) {
    inside.depth.set(inside.depth.get() - 1);
}

#[cold]
fn enter_nested(inside: &Inside, cache: usize) {
    let depth = inside.depth.get();
    let mut nested = inside.nested[..depth].iter();
    let entered = inside.outermost.get() == cache || nested.any(|noted| noted.get() == cache);
    assert!(
        !entered,
        "a cache was used inside its own `Eq`, `Clone` or closure, where one of its shards is \
         locked: use it after that call has returned"
    );
    assert!(
        depth < NESTED_MAX,
        "{DEPTH_MAX} caches are used inside one another's `Eq`, `Clone` or closures, the most \
         that are allowed"
    );
    inside.nested[depth].set(cache);
    inside.depth.set(depth + 1);
}
