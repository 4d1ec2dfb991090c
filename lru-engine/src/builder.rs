//! Every knob of a [`Cache`], its default, and the check that they fit together.

use std::marker::PhantomData;

use crate::cache::Cache;
use crate::count::shard_count_default;
use crate::error::BuildError;
use crate::hash::DefaultHasher;
use crate::listener::Listener;
use crate::listener::Removal;
use crate::sharded::Shards;
use crate::weight::Weigher;

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
    weight_capacity: Option<u64>,
    weigher: Option<Weigher<K, V>>,
    builds: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Cache<K, V> {
    /// Settings for a cache; only the bound has no default: [`capacity`](Builder::capacity),
    /// [`weight_capacity`](Builder::weight_capacity), or both.
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
            weight_capacity: None,
            weigher: None,
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

    /// What all entries together never weigh more than, whatever shards they are in. Needs a
    /// [`weigher`](Self::weigher); with [`capacity`](Self::capacity) as well, both are bounds.
    ///
    /// An entry may be as heavy as this; one that is heavier is refused, and the former value of
    /// its key leaves the cache, since it is no longer the key's. [`Cause::Refused`] and
    /// [`RefusedReason::TooHeavy`](crate::RefusedReason::TooHeavy) say so.
    ///
    /// Without `capacity` the default number of shards is that of a capacity of this many entries:
    /// where few entries are expected because each weighs much, ask for few
    /// [`shards`](Self::shards).
    ///
    /// [`Cause::Refused`]: crate::Cause::Refused
    ///
    /// ```
    /// use lru_engine::Cache;
    ///
    /// let builder = Cache::<&str, Vec<u8>>::builder().weight_capacity(1_000).shards(1);
    /// let cache = builder.weigher(|_key, value| value.len() as u64).build()?;
    /// cache.insert("a", vec![0; 400]);
    /// cache.insert("b", vec![0; 400]);
    /// cache.insert("c", vec![0; 600]); // "a" has to go
    /// assert_eq!((cache.keys_by_recency(), cache.weight()), (vec!["c", "b"], 1_000));
    /// cache.insert("d", vec![0; 1_001]);
    /// assert!(!cache.contains_key("d"));
    /// # Ok::<(), lru_engine::BuildError>(())
    /// ```
    pub fn weight_capacity(self, weight_capacity: u64) -> Self {
        Self { weight_capacity: Some(weight_capacity), ..self }
    }

    /// How heavy an entry is; 0 is legal. Needs a [`weight_capacity`](Self::weight_capacity).
    ///
    /// It is called once for each entry that is to come in, with nothing locked, and may use the
    /// cache. What it answers holds for as long as the entry is in the cache, whatever the value
    /// becomes. If it panics, the panic goes on to the caller, and the cache is as it was
    /// (after a write by [`WriteTicket`](crate::WriteTicket), without the key).
    ///
    /// Entries of weight 0 leave in their turn like others, although nothing is won by it.
    ///
    /// Weights cost 8 bytes an entry, and an insert one more atomic write at most; a ticket is
    /// handed in with one more lock. With several shards, an insert of an entry heavier than a
    /// shard's even share empties its own shard and then others, one lock at a time. If several
    /// threads insert entries at once that do not fit in together even into an empty cache, some
    /// may be refused.
    ///
    /// ```
    /// use lru_engine::{BuildError, Cache};
    ///
    /// let builder = Cache::<u32, String>::builder().capacity(10);
    /// let unbounded = builder.weigher(|_key, value| value.len() as u64).build();
    /// assert_eq!(unbounded.unwrap_err(), BuildError::WeightCapacityMissing);
    /// ```
    pub fn weigher(self, weigher: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        Self { weigher: Some(Weigher::new(weigher)), ..self }
    }

    /// The number of shards, rounded up to a power of two; at most 65 536, and at most one for
    /// each entry of the capacity. One shard keeps the exact order over all entries; more let
    /// more threads work at once.
    ///
    /// Default: 32 for each core, but at least 256 entries for each shard.
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
        let Self { capacity, shards, listener, weight_capacity, weigher, builds, .. } = self;
        Builder { capacity, shards, hasher, listener, weight_capacity, weigher, builds }
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
    /// [`BuildError::CapacityMissing`] without a bound,
    /// [`BuildError::WeigherMissing`] and [`BuildError::WeightCapacityMissing`] if one of the two
    /// was set without the other, [`BuildError::ShardsZero`] after `shards(0)`.
    ///
    /// ```
    /// use lru_engine::{BuildError, Cache};
    ///
    /// let built = Cache::<u32, u32>::builder().capacity(10).shards(0).build();
    /// assert_eq!(built.unwrap_err(), BuildError::ShardsZero);
    /// ```
    pub fn build(self) -> Result<Cache<K, V, S>, BuildError> {
        let Self { capacity, shards, hasher, listener, weight_capacity, weigher, .. } = self;
        match (weight_capacity, &weigher) {
            (Some(_), None) => return Err(BuildError::WeigherMissing),
            (None, Some(_)) => return Err(BuildError::WeightCapacityMissing),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if shards == Some(0) {
            return Err(BuildError::ShardsZero);
        }
        let by_weight = weight_capacity.map(|weight| usize::try_from(weight).unwrap_or(usize::MAX));
        let expected = capacity.or(by_weight).ok_or(BuildError::CapacityMissing)?;
        let count = shards.unwrap_or_else(|| shard_count_default(expected));
        let shards = Shards::new(capacity.unwrap_or(usize::MAX), weight_capacity, count);
        let mut cache = Cache::of(shards, hasher);
        cache.listener = listener;
        cache.weigher = weigher;
        Ok(cache)
    }
}
