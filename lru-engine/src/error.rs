//! What the engine says instead of panicking: an entry refused, a cache that cannot be built.

use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

/// Why [`insert_cold`](crate::Cache::insert_cold) or a ticket did not take an entry.
///
/// ```
/// use lru_engine::{LruMap, RefusedReason};
///
/// let mut map = LruMap::new(1);
/// map.insert("a", 1);
/// assert_eq!(map.insert_cold("b", 2).unwrap_err().reason, RefusedReason::Full);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusedReason {
    /// There is no room, and an entry at the least recent end may displace nothing; or, of an
    /// entry that is weighed, other threads were taking all the room there is.
    Full,
    /// The key is there already, and what is there is left as it is.
    Present,
    /// The ticket was overtaken by a write, a removal or an invalidation of its key.
    Overtaken,
    /// The entry is heavier than all entries may be together
    /// ([`Builder::weight_capacity`](crate::Builder::weight_capacity)).
    TooHeavy,
}

/// An entry that [`insert_cold`](crate::Cache::insert_cold) or a ticket did not take, given back.
///
/// ```
/// let mut map = lru_engine::LruMap::new(2);
/// map.insert("a", 1);
/// let refused = map.insert_cold("a", 2).unwrap_err();
/// assert_eq!((refused.key, refused.value), ("a", 2));
/// assert_eq!(map.peek("a"), Some(&1));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Refused<K, V> {
    /// The key that was to be inserted.
    pub key: K,
    /// The value that was to be inserted.
    pub value: V,
    /// Why it was not.
    pub reason: RefusedReason,
}

impl<K, V> fmt::Debug for Refused<K, V> {
    /// Shows the reason alone, so that `K` and `V` need not be `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<K, V> fmt::Display for Refused<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            RefusedReason::Full => "no room: a cold entry displaces nothing",
            RefusedReason::Present => "the key is in the cache already",
            RefusedReason::Overtaken => {
                "the key was written or invalidated since the ticket was taken"
            }
            RefusedReason::TooHeavy => {
                "the entry is heavier than the weight_capacity of the whole cache"
            }
        })
    }
}

impl<K, V> Error for Refused<K, V> {}

/// Why a load gave no value.
///
/// An error is shared by all that waited for the load, so it comes in an `Arc`.
///
/// ```
/// use lru_engine::{Cache, LoadError};
///
/// let cache = Cache::<&str, u32>::new(10);
/// let failed = cache.try_get_or_insert_with("a", || "no number".parse::<u32>());
/// let Err(LoadError::Failed(error)) = failed else { panic!("it is no number") };
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError<E> {
    /// The load answered with this error.
    Failed(Arc<E>),
    /// The load answered, to whoever started it, with an error of another type than was asked for.
    FailedOtherwise,
    /// The load panicked on the thread that ran it.
    Panicked,
    /// The load was dropped before it had ended.
    Abandoned,
    /// The load waits for itself: it asked for its own key on its own thread.
    Recursive,
    /// The load did not end in the time that was given to wait for it. It goes on.
    TimedOut,
}

impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(Arc::clone(error)),
            Self::FailedOtherwise => Self::FailedOtherwise,
            Self::Panicked => Self::Panicked,
            Self::Abandoned => Self::Abandoned,
            Self::Recursive => Self::Recursive,
            Self::TimedOut => Self::TimedOut,
        }
    }
}

impl<E> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed(_) => "the load of the key failed",
            Self::FailedOtherwise => "the load of the key failed with an error of another type",
            Self::Panicked => "the load of the key panicked on another thread",
            Self::Abandoned => "the load of the key was dropped before it had ended",
            Self::Recursive => "the load of the key asked for its own key and would wait for ever",
            Self::TimedOut => "the load of the key did not end in the time given to wait for it",
        })
    }
}

impl<E: Error + 'static> Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Why [`Builder::build`](crate::Builder::build) made no cache.
///
/// ```
/// use lru_engine::{BuildError, Cache};
///
/// let unbounded = Cache::<u32, u32>::builder().build();
/// assert_eq!(unbounded.unwrap_err(), BuildError::CapacityMissing);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// Neither [`Builder::capacity`](crate::Builder::capacity) nor
    /// [`Builder::weight_capacity`](crate::Builder::weight_capacity) was called.
    CapacityMissing,
    /// [`Builder::weight_capacity`](crate::Builder::weight_capacity) was called without
    /// [`Builder::weigher`](crate::Builder::weigher).
    WeigherMissing,
    /// [`Builder::weigher`](crate::Builder::weigher) was called without
    /// [`Builder::weight_capacity`](crate::Builder::weight_capacity).
    WeightCapacityMissing,
    /// [`Builder::shards`](crate::Builder::shards) was called with 0.
    ShardsZero,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CapacityMissing => "a cache needs a bound: call capacity() before build()",
            Self::WeigherMissing => {
                "a bound on weight needs weights: call weigher() before build()"
            }
            Self::WeightCapacityMissing => {
                "weights need a bound: call weight_capacity() before build()"
            }
            Self::ShardsZero => "a cache has at least one shard: shards(0) asks for none",
        })
    }
}

impl Error for BuildError {}
