//! The shared cache: hash, lock a shard, act, unlock, then drop what left.
//!
//! | user code | runs |
//! |---|---|
//! | `Hash`, the weigher | before any lock |
//! | destructors of keys and values, the listener | after unlocking; they may use the cache |
//! | `Eq`, `Clone`, closures | while one shard is locked; using this cache there panics |
//!
//! A function here locks after it owns what it was given, and hands nothing that it owns to a call
//! that runs user code: on a panic, and when a closure is not called, the lock is given back first
//! and the destructors run second. It must never hold two locks.

use std::fmt;
use std::hash::BuildHasher;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::atomic::AtomicUsize;

use equivalent::Equivalent;

use crate::count::shard_count_default;
use crate::hash::DefaultHasher;
use crate::listener::Cause;
use crate::listener::Listener;
use crate::sharded::Shards;
use crate::weight::Weigher;
use crate::weight::WeightBudget;

/// An LRU cache that threads share: every method takes `&self`.
///
/// The entries are spread by hash over shards, each with a lock of its own. The capacity is one
/// budget for all of them: a shard grows until the cache is full, whatever the others hold.
///
/// **What holds.** [`len`](Self::len) never exceeds [`capacity`](Self::capacity), not for a
/// moment, and nothing is evicted before the cache is full. Each shard is an exact LRU: what it
/// evicts is its least recently used entry. With one shard that is the least recently used entry
/// of the whole cache.
///
/// **What does not.** With several shards, an insert into a full cache evicts from the shard of
/// the new key, or, if that has less than its even share of the entries, from one that has more. So
/// what it evicts need not be the least recently used of all. Where that matters, ask for one
/// shard: `Cache::builder().capacity(n).shards(1)`. Caches below 512 entries have one anyway.
///
/// **Loading.** [`get_or_insert_with`](Self::get_or_insert_with) and its relatives load what is
/// missing once, however many threads ask. [`Ticket`](crate::Ticket) and
/// [`WriteTicket`](crate::WriteTicket) keep a value that was read before a write, and comes after
/// it, out of the cache.
///
/// **Weights.** With a [`weigher`](crate::Builder::weigher) the sum of the weights of all entries
/// never exceeds the [`weight_capacity`](crate::Builder::weight_capacity) either: an insert evicts
/// as many entries as it must, and one that is heavier than the whole bound is refused.
///
/// **User code.** `Hash`, loads, the weigher, the listener and the destructors of keys and values
/// run while nothing is locked and may do anything. `Eq` (or [`Equivalent`]), `Clone` and the
/// closures of [`get_with`](Self::get_with), [`peek_with`](Self::peek_with) and
/// [`for_each_by_recency`](Self::for_each_by_recency) run while a shard is locked: keep them
/// short; using the *same* cache inside them panics, at once and always, rather than wait for
/// itself for ever ([`len`](Self::len), [`is_empty`](Self::is_empty), [`weight`](Self::weight),
/// [`capacity`](Self::capacity) and [`weight_capacity`](Self::weight_capacity) lock nothing, and
/// may be used). Dropping a ticket is using its
/// cache. Using *another* cache there is like taking a second lock: fine as long as
/// there is an order among them. If user code panics, the panic goes on to the caller, and the
/// cache is valid and usable afterwards.
///
/// However large the capacity, a shard holds at most 4 294 967 294 entries (2³² − 2). The arrays of
/// the shards grow by doubling, so in a cache of several shards they may have room for twice its
/// capacity.
///
/// ```
/// use lru_engine::Cache;
///
/// let cache = Cache::new(10_000);
/// std::thread::scope(|scope| {
///     scope.spawn(|| cache.insert("a".to_owned(), 1));
///     scope.spawn(|| cache.insert("b".to_owned(), 2));
/// });
/// assert_eq!(cache.get("a"), Some(1));
/// assert_eq!(cache.get_with("b", |value| value * 2), Some(4));
/// ```
///
/// A cache can be shared only if its keys and values can be sent *and* shared:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: &T) {}
/// shared(&lru_engine::Cache::<u32, std::cell::Cell<u32>>::new(1));
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: &T) {}
/// shared(&lru_engine::Cache::<std::cell::Cell<u32>, u32>::new(1));
/// ```
///
/// It is not `Clone`; share it by reference or in an `Arc`:
///
/// ```compile_fail,E0277
/// fn cloned<T: Clone>(_: &T) {}
/// cloned(&lru_engine::Cache::<u32, u32>::new(1));
/// ```
pub struct Cache<K, V, S = DefaultHasher> {
    pub(crate) shards: Shards<K, V>,
    pub(crate) hasher: S,
    pub(crate) listener: Option<Listener<K, V>>,
    pub(crate) weigher: Option<Weigher<K, V>>,
    /// The shard that `pop_lru` looks at next.
    pub(crate) pop_position: AtomicUsize,
    /// A mutex would make do with `Send`. Readers that share a value need `Sync`, so it is asked
    /// for from the beginning.
    shares: PhantomData<(K, V)>,
}

impl<K, V> Cache<K, V> {
    /// An empty cache of at most `capacity` entries, with the default number of shards: 32 for
    /// each core, a power of two, and at least 256 entries for each.
    ///
    /// A cache of capacity 0 stores nothing; `usize::MAX` is allowed, and allocates no entries
    /// beforehand.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(2);
    /// cache.insert("a", 1);
    /// assert_eq!(cache.get("a"), Some(1));
    /// ```
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with_hasher(capacity, DefaultHasher::default())
    }
}

impl<K, V, S> Cache<K, V, S> {
    /// Like [`new`](Cache::new), with keys hashed by `hasher`.
    ///
    /// The highest bits of the hash, at most 16 of them, choose the shard, and its lower half the
    /// place in it: a hasher that leaves the highest bits alike, such as one that returns an
    /// integer as it is, puts all keys into one shard.
    ///
    /// ```
    /// use std::hash::RandomState;
    ///
    /// let cache = lru_engine::Cache::with_hasher(10, RandomState::new());
    /// cache.insert("a", 1);
    /// assert_eq!(cache.get("a"), Some(1));
    /// ```
    #[must_use]
    pub fn with_hasher(capacity: usize, hasher: S) -> Self {
        Self::of(Shards::new(capacity, None, shard_count_default(capacity)), hasher)
    }

    /// A cache of these shards that nobody listens to and nobody weighs for.
    pub(crate) fn of(shards: Shards<K, V>, hasher: S) -> Self {
        Self {
            shards,
            hasher,
            listener: None,
            weigher: None,
            pop_position: AtomicUsize::new(0),
            shares: PhantomData,
        }
    }

    /// The number of entries that [`len`](Self::len) never exceeds, as it was asked for.
    ///
    /// ```
    /// assert_eq!(lru_engine::Cache::<u32, u32>::new(10).capacity(), 10);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shards.budget().capacity()
    }

    /// The sum of the weights that [`weight`](Self::weight) never exceeds; `None` without a
    /// [`weigher`](crate::Builder::weigher).
    ///
    /// ```
    /// assert_eq!(lru_engine::Cache::<u32, u32>::new(10).weight_capacity(), None);
    /// ```
    #[must_use]
    pub fn weight_capacity(&self) -> Option<u64> {
        self.shards.weight_budget().map(WeightBudget::capacity)
    }

    /// The number of shards, a power of two.
    ///
    /// ```
    /// assert_eq!(lru_engine::Cache::<u32, u32>::new(100).shards(), 1);
    /// ```
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.count()
    }
}

impl<K, V, S: BuildHasher> Cache<K, V, S> {
    /// A clone of the value of a key, which becomes the most recently used of its shard. Counts a
    /// hit or a miss.
    ///
    /// The key may be given in any form that is [`Equivalent`] to `K`, such as `&str` for
    /// `String`. The value is cloned while its shard is locked; an `Arc` keeps that short, and
    /// [`get_with`](Self::get_with) avoids it.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a".to_owned(), 1);
    /// assert_eq!(cache.get("a"), Some(1));
    /// assert_eq!(cache.get("b"), None);
    /// ```
    #[inline(always)]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        V: Clone,
    {
        self.get_with(key, V::clone)
    }

    /// Like [`get`](Self::get), but instead of cloning the value it returns what `read` makes of
    /// it. `read` runs while the shard is locked: using this cache inside it panics.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", vec![1, 2, 3]);
    /// assert_eq!(cache.get_with("a", |value| value.len()), Some(3));
    /// ```
    // Some 350 bytes at each call, for a hit of 100 k entries in 13.3 ns instead of 15.4.
    #[inline(always)]
    pub fn get_with<Q, R>(&self, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        // Without the calls of the other way the compiler needs fewer registers on this one.
        if let Some(mut locked) = self.shards.try_lock(hash) {
            let value = locked.get(hash, key)?;
            return Some(read(value));
        }
        self.wait_to_get(hash, key, read)
    }

    /// Goes on where the lock has to be waited for, or this thread is inside a cache.
    #[cold]
    #[inline(never)]
    fn wait_to_get<Q, R>(&self, hash: u64, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let mut locked = self.shards.lock(hash);
        let value = locked.get(hash, key)?;
        Some(read(value))
    }

    /// A clone of the value of a key, left where it is in the order, and not counted.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// assert_eq!(cache.peek("a"), Some(1));
    /// assert_eq!(cache.stats().hits, 0);
    /// ```
    pub fn peek<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        V: Clone,
    {
        self.peek_with(key, V::clone)
    }

    /// Like [`peek`](Self::peek), but returns what `read` makes of the value. `read` runs while
    /// the shard is locked: using this cache inside it panics.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", vec![1, 2, 3]);
    /// assert_eq!(cache.peek_with("a", |value| value.len()), Some(3));
    /// ```
    pub fn peek_with<Q, R>(&self, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let shard = self.shards.lock(hash);
        let value = shard.peek(hash, key)?;
        Some(read(value))
    }

    /// Whether a key is there. Changes no order and counts nothing.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// assert!(cache.contains_key("a"));
    /// ```
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        self.shards.lock(hash).find(hash, key).is_some()
    }

    /// Takes the entry of a key out and returns its value. Voids the tickets for the key.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// assert_eq!(cache.remove("a"), Some(1));
    /// assert_eq!(cache.remove("a"), None);
    /// ```
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let (key, value) = self.void_and_remove(key)?;
        self.tell(&key, &value, Cause::Removed);
        // Before the result is ready, or Rust would leak it if this panics.
        drop(key);
        Some(value)
    }

    /// Makes the cache forget a key: drops its entry, and voids the tickets for it, so that what
    /// was read of it before now is not put in.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// let ticket = cache.ticket("a");
    /// let read = 1;
    /// cache.invalidate("a");
    /// assert!(ticket.fill(read).is_err());
    /// assert!(cache.is_empty());
    /// ```
    pub fn invalidate<Q>(&self, key: &Q)
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        if let Some((key, value)) = self.void_and_remove(key) {
            self.tell(&key, &value, Cause::Invalidated);
        }
    }

    fn void_and_remove<Q>(&self, key: &Q) -> Option<(K, V)>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let mut locked = self.shards.lock(hash);
        locked.outstanding().void(hash, key);
        locked.remove(hash, key)
    }
}

impl<K, V, S> fmt::Debug for Cache<K, V, S> {
    /// Shows the bounds and no entry: it locks nothing, so it can be used anywhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("capacity", &self.capacity())
            .field("shards", &self.shards.count())
            .finish_non_exhaustive()
    }
}
