//! The operations of a [`Cache`] that go through its shards, one lock after the other.
//!
//! None sees the cache at one moment while other threads change it, since no two shards are locked
//! at once; each says what that means for its answer. They take time by the number of shards.

use std::iter;
use std::sync::atomic::Ordering;

use crate::cache::Cache;
use crate::listener::Cause;
use crate::stats::Stats;
use crate::weight::WeightBudget;

impl<K, V, S> Cache<K, V, S> {
    /// The number of entries. Locks nothing.
    ///
    /// An entry that another thread is inserting may be counted already; the number never exceeds
    /// the capacity.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// assert_eq!(cache.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.budget().taken()
    }

    /// The sum of the weights of all entries; 0 without a
    /// [`weigher`](crate::Builder::weigher). Locks nothing.
    ///
    /// What another thread is inserting may be counted already; the sum never exceeds the bound.
    ///
    /// ```
    /// let builder = lru_engine::Cache::<u32, String>::builder().weight_capacity(100);
    /// let cache = builder.weigher(|_key, value| value.len() as u64).build()?;
    /// cache.insert(1, "four".to_owned());
    /// cache.insert(2, String::new());
    /// assert_eq!((cache.weight(), cache.len()), (4, 2));
    /// # Ok::<(), lru_engine::BuildError>(())
    /// ```
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.shards.weight_budget().map_or(0, WeightBudget::taken)
    }

    /// Whether there is no entry. Locks nothing.
    ///
    /// ```
    /// assert!(lru_engine::Cache::<u32, u32>::new(10).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the cache has done so far, added up over the shards, each read at its own moment.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// cache.get("a");
    /// assert_eq!((cache.stats().inserts, cache.stats().hits), (1, 1));
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        for mut shard in self.shards.lock_each() {
            sum.add(shard.stats());
            sum.add(shard.outstanding().stats());
        }
        sum
    }

    /// Takes the least recently used entry of a shard out; the shards take turns. With one shard
    /// it is the least recently used entry of all.
    ///
    /// `None` says that each shard was empty when it was looked at.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// cache.insert("b", 2);
    /// assert_eq!(cache.pop_lru(), Some(("a", 1)));
    /// ```
    pub fn pop_lru(&self) -> Option<(K, V)> {
        let first = self.pop_position.fetch_add(1, Ordering::Relaxed);
        let (key, value) = (0..self.shards.count())
            .find_map(|turn| self.shards.lock_at(first.wrapping_add(turn)).pop_back())?;
        self.tell(&key, &value, Cause::Removed);
        Some((key, value))
    }

    /// Drops all entries and gives their memory back, one shard after the other: an entry that
    /// another thread inserts meanwhile may stay. Takes time by the number of entries. Voids all
    /// tickets.
    ///
    /// The entries are dropped when all shards have been emptied, with nothing locked.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// cache.clear();
    /// assert!(cache.is_empty());
    /// ```
    pub fn clear(&self) {
        self.drop_all(Cause::Cleared);
    }

    /// Makes the cache forget every key: drops all entries and voids all tickets, so that nothing
    /// that was read before now is put in. What [`clear`](Self::clear) does, with
    /// [`Cause::Invalidated`] for the listener.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// let ticket = cache.ticket("a");
    /// cache.invalidate_all();
    /// assert!(ticket.fill(1).is_err());
    /// ```
    pub fn invalidate_all(&self) {
        self.drop_all(Cause::Invalidated);
    }

    fn drop_all(&self, cause: Cause) {
        let mut told = Vec::new();
        let mut cleared = Vec::new();
        for mut locked in self.shards.lock_each() {
            locked.outstanding().void_all();
            if self.listener.is_some() {
                told.reserve(locked.len());
                told.extend(iter::from_fn(|| locked.pop_back()));
            }
            cleared.push(locked.clear());
        }
        drop(cleared);
        self.let_go(told, cause);
    }

    /// Calls `visit` with every entry, shard by shard, each shard's most recently used first.
    /// With one shard that is the order of the whole cache. Looking changes no order.
    ///
    /// A shard stays locked while its entries are visited: keep `visit` short. Using this cache
    /// inside it panics.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// cache.insert("b", 2);
    /// let mut sum = 0;
    /// cache.for_each_by_recency(|_key, value| sum += value);
    /// assert_eq!(sum, 3);
    /// ```
    pub fn for_each_by_recency(&self, mut visit: impl FnMut(&K, &V)) {
        for shard in self.shards.lock_each() {
            for entry in shard.entries() {
                visit(&entry.key, &entry.value);
            }
        }
    }

    /// The keys, shard by shard, each shard's most recently used first. With one shard that is
    /// the order of the whole cache.
    ///
    /// A shard stays locked while its keys are cloned.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// cache.insert("b", 2);
    /// cache.get("a");
    /// assert_eq!(cache.keys_by_recency(), ["a", "b"]);
    /// ```
    #[must_use]
    pub fn keys_by_recency(&self) -> Vec<K>
    where
        K: Clone,
    {
        let mut keys = Vec::new();
        self.for_each_by_recency(|key, _value| keys.push(key.clone()));
        keys
    }

    /// Clones of at most `limit` entries after the first `skip`, in the order of
    /// [`keys_by_recency`](Self::keys_by_recency). Looking changes no order.
    ///
    /// A shard stays locked while entries are passed over and cloned: `skip` and `limit` bound
    /// that.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// for key in ["a", "b", "c", "d"] {
    ///     cache.insert(key, key.len());
    /// }
    /// assert_eq!(cache.entries_by_recency(1, 2), [("c", 1), ("b", 1)]);
    /// ```
    #[must_use]
    pub fn entries_by_recency(&self, skip: usize, limit: usize) -> Vec<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        let mut passed = 0;
        let mut entries = Vec::new();
        for shard in self.shards.lock_each() {
            for entry in shard.entries() {
                if entries.len() == limit {
                    return entries;
                }
                if passed < skip {
                    passed += 1;
                } else {
                    entries.push((entry.key.clone(), entry.value.clone()));
                }
            }
        }
        entries
    }

    /// How many tickets are out: loads in progress and what they are taken for otherwise. Takes
    /// time by their number.
    ///
    /// ```
    /// let cache = lru_engine::Cache::<&str, u32>::new(10);
    /// let ticket = cache.ticket("a");
    /// assert_eq!(cache.tickets_out(), 1);
    /// drop(ticket);
    /// assert_eq!(cache.tickets_out(), 0);
    /// ```
    #[must_use]
    pub fn tickets_out(&self) -> usize {
        self.shards.lock_each().map(|mut locked| locked.outstanding().len()).sum()
    }

    /// Panics unless the invariants of every shard hold. For tests, while no other thread uses the
    /// cache; takes time by the number of entries.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// cache.check_invariants();
    /// ```
    #[cfg(any(test, feature = "check"))]
    pub fn check_invariants(&self) {
        let (mut len, mut weight) = (0, 0);
        for mut locked in self.shards.lock_each() {
            locked.check_invariants();
            locked.outstanding().check_invariants();
            len += locked.len();
            weight += locked.weights().sum();
            if self.weigher.is_some() {
                locked.weights().check_invariants(locked.len());
            }
        }
        assert_eq!(weight, self.weight(), "the bound and the shards differ in weight");
        assert_eq!(len, self.len(), "the budget and the shards differ in length");
        assert!(len <= self.capacity(), "{len} entries of {}", self.capacity());
    }
}
