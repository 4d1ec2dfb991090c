//! Every knob of a [`Cache`], its default, and the check that they fit together.

use std::marker::PhantomData;

use crate::cache::Cache;
use crate::error::BuildError;
use crate::hash::DefaultHasher;
use crate::listener::Listener;
use crate::listener::Removal;
use crate::sharded::shard_count_default;

/// Settings of a [`Cache`] to be built. Made by [`Cache::builder`].
///
/// ```
/// use lru_engine::Cache;
///
/// let cache: Cache<String, u64> = Cache::builder().capacity(1_000).shards(1).build()?;
/// assert_eq!((cache.capacity(), cache.shards()), (1_000, 1));
/// # Ok::<(), lru_engine::BuildError>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder<K, V, S = DefaultHasher> {
    capacity: Option<usize>,
    shards: Option<usize>,
    hasher: S,
    listener: Option<Listener<K, V>>,
    builds: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Cache<K, V> {
    /// Settings for a cache; only [`capacity`](Builder::capacity) has no default.
    ///
    /// ```
    /// let cache = lru_engine::Cache::builder().capacity(10).build()?;
    /// cache.insert("a", 1);
    /// # Ok::<(), lru_engine::BuildError>(())
    /// ```
    pub fn builder() -> Builder<K, V> {
        Builder {
            capacity: None,
            shards: None,
            hasher: DefaultHasher::default(),
            listener: None,
            builds: PhantomData,
        }
    }
}

impl<K, V, S> Builder<K, V, S> {
    /// The number of entries that the cache never exceeds. 0 stores nothing; `usize::MAX` is
    /// allowed.
    ///
    /// ```
    /// let cache = lru_engine::Cache::<u32, u32>::builder().capacity(10).build()?;
    /// assert_eq!(cache.capacity(), 10);
    /// # Ok::<(), lru_engine::BuildError>(())
    /// ```
    pub fn capacity(self, capacity: usize) -> Self {
        Self { capacity: Some(capacity), ..self }
    }

    /// The number of shards, rounded up to a power of two; at most 65 536, and at most one for
    /// each entry of the capacity. One shard keeps the exact order over all entries; more let
    /// more threads work at once.
    ///
    /// Default: 32 for each core, but at least 128 entries for each shard.
    ///
    /// ```
    /// let cache = lru_engine::Cache::<u32, u32>::builder().capacity(100).shards(3).build()?;
    /// assert_eq!(cache.shards(), 4);
    /// # Ok::<(), lru_engine::BuildError>(())
    /// ```
    pub fn shards(self, shards: usize) -> Self {
        Self { shards: Some(shards), ..self }
    }

    /// What hashes the keys. Default: [`DefaultHasher`]. See [`Cache::with_hasher`] for what it
    /// has to do.
    ///
    /// ```
    /// use lru_engine::Cache;
    /// use std::hash::RandomState;
    ///
    /// let cache = Cache::builder().capacity(10).hasher(RandomState::new()).build()?;
    /// cache.insert("a", 1);
    /// # Ok::<(), lru_engine::BuildError>(())
    /// ```
    pub fn hasher<T>(self, hasher: T) -> Builder<K, V, T> {
        let Self { capacity, shards, listener, builds, .. } = self;
        Builder { capacity, shards, hasher, listener, builds }
    }

    /// Who is told of every entry that leaves the cache, and why. Default: nobody.
    ///
    /// It is called after the entry has left and with nothing locked, on the thread that made it
    /// leave, before the entry is dropped or given to the caller; it may use the cache. Threads
    /// call it at the same time and in no order. A value that [`Refused`](crate::Refused) gives
    /// back has not been in the cache and is not told of, nor are the entries that are left when
    /// the cache itself is dropped.
    ///
    /// If it panics, the panic goes on to the caller of the operation, which has taken place (with
    /// one exception: an insert into a full cache that evicts from another shard than its own does
    /// so first, and then stops). The cache is valid, the listener is called again next time, and
    /// where one call drops many entries it is told of all before the panic goes on.
    ///
    /// To use the cache in it, hand it a [`Weak`](std::sync::Weak) reference through a
    /// [`OnceLock`](std::sync::OnceLock). See [`Removal`] for an example.
    pub fn listener(self, listener: impl Fn(Removal<'_, K, V>) + Send + Sync + 'static) -> Self {
        Self { listener: Some(Listener::new(listener)), ..self }
    }

    /// Makes the cache, empty.
    ///
    /// # Errors
    ///
    /// [`BuildError::CapacityMissing`] without [`capacity`](Self::capacity),
    /// [`BuildError::ShardsZero`] after `shards(0)`.
    ///
    /// ```
    /// use lru_engine::{BuildError, Cache};
    ///
    /// let built = Cache::<u32, u32>::builder().capacity(10).shards(0).build();
    /// assert_eq!(built.unwrap_err(), BuildError::ShardsZero);
    /// ```
    pub fn build(self) -> Result<Cache<K, V, S>, BuildError> {
        let capacity = self.capacity.ok_or(BuildError::CapacityMissing)?;
        let shards = self.shards.unwrap_or_else(|| shard_count_default(capacity));
        if shards == 0 {
            return Err(BuildError::ShardsZero);
        }
        Ok(Cache::with_shards(capacity, shards, self.hasher, self.listener))
    }
}
