//! Who is told of entries that leave a cache, and why they left.
//!
//! The closure is kept without its type, and called through a function that knows it: neither the
//! cache's type nor the lifetimes of what it holds depend on there being a listener.

use std::any::Any;
use std::fmt;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::panic::RefUnwindSafe;
use std::panic::UnwindSafe;

/// Why an entry left a cache.
///
/// ```
/// use lru_engine::Cause;
///
/// assert!(Cause::Evicted != Cause::Removed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It made room for another.
    Evicted,
    /// Another value came in under its key.
    Replaced,
    /// [`remove`](crate::Cache::remove) or [`pop_lru`](crate::Cache::pop_lru) took it out.
    Removed,
    /// [`clear`](crate::Cache::clear) dropped it.
    Cleared,
    /// [`invalidate`](crate::Cache::invalidate), [`invalidate_all`](crate::Cache::invalidate_all)
    /// or a [`WriteTicket`](crate::WriteTicket) made the cache forget it.
    Invalidated,
    /// It was inserted and found no place: the capacity is 0, or it is heavier than all entries may
    /// be together, or other threads were inserting into all the room that there is.
    Refused,
}

/// An entry that has left a cache. See [`Builder::listener`](crate::Builder::listener).
///
/// ```
/// use lru_engine::{Cache, Cause};
/// use std::sync::mpsc;
///
/// let (sender, left) = mpsc::channel();
/// let builder = Cache::<&str, u32>::builder().capacity(1);
/// let cache = builder
///     .listener(move |removal| {
///         let _ = sender.send((*removal.key, *removal.value, removal.cause));
///     })
///     .build()?;
/// cache.insert("a", 1);
/// cache.insert("b", 2);
/// assert_eq!(left.recv(), Ok(("a", 1, Cause::Evicted)));
/// # Ok::<(), lru_engine::BuildError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Removal<'a, K, V> {
    /// The key of the entry; for [`Cause::Replaced`] the equal key that came with the other value.
    pub key: &'a K,
    /// The value that left.
    pub value: &'a V,
    /// Why it left.
    pub cause: Cause,
}

/// A listener and the function that knows its type.
pub(crate) struct Listener<K, V> {
    closure: Box<dyn Any + Send + Sync>,
    call: fn(&(dyn Any + Send + Sync), Removal<'_, K, V>),
}

// A cache is valid whatever its listener did before it panicked.
impl<K, V> UnwindSafe for Listener<K, V> {}
impl<K, V> RefUnwindSafe for Listener<K, V> {}

impl<K, V> Listener<K, V> {
    pub(crate) fn new<F>(listener: F) -> Self
    where
        F: Fn(Removal<'_, K, V>) + Send + Sync + 'static,
    {
        fn call<K, V, F>(closure: &(dyn Any + Send + Sync), removal: Removal<'_, K, V>)
        where
            F: Fn(Removal<'_, K, V>) + 'static,
        {
            let closure = closure.downcast_ref::<F>();
            closure.expect("the closure is of the type that it was made with")(removal);
        }
        Self { closure: Box::new(listener), call: call::<K, V, F> }
    }

    /// Tells of one entry. It has left, and nothing is locked.
    pub(crate) fn tell(&self, key: &K, value: &V, cause: Cause) {
        (self.call)(&*self.closure, Removal { key, value, cause });
    }

    /// Tells of each of several entries, and drops them. A panic of the listener goes on when it
    /// has been told of all.
    pub(crate) fn tell_all(&self, entries: Vec<(K, V)>, cause: Cause) {
        self.tell_each(entries.iter().map(|(key, value)| (key, value, cause)));
    }

    /// Tells of each of several entries. A panic of the listener goes on when it has been told of
    /// all.
    pub(crate) fn tell_each<'e>(&self, left: impl Iterator<Item = (&'e K, &'e V, Cause)>)
    where
        K: 'e,
        V: 'e,
    {
        let mut first_panic = None;
        for (key, value, cause) in left {
            let told = panic::catch_unwind(AssertUnwindSafe(|| self.tell(key, value, cause)));
            first_panic = first_panic.or(told.err());
        }
        if let Some(payload) = first_panic {
            panic::resume_unwind(payload);
        }
    }
}

impl<K, V> fmt::Debug for Listener<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
