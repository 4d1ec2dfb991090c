//! What the engine says instead of panicking: an entry refused, a cache that cannot be built.

use core::error::Error;
use core::fmt;

/// Why [`insert_cold`](crate::Cache::insert_cold) did not take an entry.
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
    /// There is no room, and an entry at the least recent end may displace nothing.
    Full,
    /// The key is there already, and what is there is left as it is.
    Present,
}

/// An entry that [`insert_cold`](crate::Cache::insert_cold) did not take, given back.
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
        })
    }
}

impl<K, V> Error for Refused<K, V> {}

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
    /// [`Builder::capacity`](crate::Builder::capacity) was not called.
    CapacityMissing,
    /// [`Builder::shards`](crate::Builder::shards) was called with 0.
    ShardsZero,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CapacityMissing => "a cache needs a bound: call capacity() before build()",
            Self::ShardsZero => "a cache has at least one shard: shards(0) asks for none",
        })
    }
}

impl Error for BuildError {}
