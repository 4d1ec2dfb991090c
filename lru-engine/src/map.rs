//! The single owner's cache: one shard, a hasher, and `&mut self` in place of a lock.
//!
//! Everything that leaves the shard is dropped when the shard is done changing, so a destructor
//! that panics finds the map valid.

use core::fmt;
use core::hash::BuildHasher;
use core::hash::Hash;

use equivalent::Equivalent;

use crate::error::Refused;
use crate::hash::DefaultHasher;
use crate::iter::Iter;
use crate::shard::Shard;
use crate::stats::Stats;

/// An LRU cache with one owner.
///
/// It holds at most [`capacity`](Self::capacity) entries; to insert one more evicts the least
/// recently used one. Every operation takes constant time, apart from growth and from
/// [`clear`](Self::clear). Nothing is allocated before it is needed.
///
/// However large the capacity, there are at most 4 294 967 294 entries (2³² − 2).
///
/// ```
/// use lru_engine::LruMap;
///
/// let mut map = LruMap::new(2);
/// map.insert("a", 1);
/// map.insert("b", 2);
/// map.get("a");
/// map.insert("c", 3); // evicts "b", the least recently used
///
/// assert_eq!(map.iter().collect::<Vec<_>>(), [(&"c", &3), (&"a", &1)]);
/// ```
pub struct LruMap<K, V, S = DefaultHasher> {
    shard: Shard<K, V>,
    capacity: usize,
    hasher: S,
}

impl<K, V> LruMap<K, V> {
    /// An empty map of at most `capacity` entries.
    ///
    /// A map of capacity 0 stores nothing; `usize::MAX` is allowed, and costs nothing by itself.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(0);
    /// map.insert("a", 1);
    /// assert!(map.is_empty());
    /// ```
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with_hasher(capacity, DefaultHasher::default())
    }
}

impl<K, V, S> LruMap<K, V, S> {
    /// An empty map of at most `capacity` entries, which hashes keys with `hasher`.
    ///
    /// Of a hash the lower 32 bits are used, the lowest of them to choose a place: a hasher that
    /// returns an integer as it is will do, one that leaves the low bits alike makes the map slow.
    ///
    /// ```
    /// use std::hash::RandomState;
    ///
    /// let mut map = lru_engine::LruMap::with_hasher(10, RandomState::new());
    /// map.insert("a", 1);
    /// assert_eq!(map.get("a"), Some(&1));
    /// ```
    #[must_use]
    pub fn with_hasher(capacity: usize, hasher: S) -> Self {
        Self { shard: Shard::new(capacity), capacity, hasher }
    }

    /// The number of entries.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(10);
    /// map.insert("a", 1);
    /// assert_eq!(map.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shard.len()
    }

    /// Whether there is no entry.
    ///
    /// ```
    /// assert!(lru_engine::LruMap::<u32, u32>::new(10).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of entries that [`len`](Self::len) never exceeds, as it was asked for.
    ///
    /// ```
    /// assert_eq!(lru_engine::LruMap::<u32, u32>::new(10).capacity(), 10);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// What the map has done so far.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(10);
    /// map.insert("a", 1);
    /// map.get("a");
    /// assert_eq!((map.stats().inserts, map.stats().hits), (1, 1));
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shard.stats()
    }

    /// The entries, most recently used first. Looking changes no order.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(10);
    /// map.insert("a", 1);
    /// map.insert("b", 2);
    /// assert_eq!(map.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["b", "a"]);
    /// assert_eq!(map.iter().next_back(), Some((&"a", &1)));
    /// ```
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::new(self.shard.entries())
    }

    /// Takes the least recently used entry out.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(10);
    /// map.insert("a", 1);
    /// map.insert("b", 2);
    /// assert_eq!(map.pop_lru(), Some(("a", 1)));
    /// ```
    pub fn pop_lru(&mut self) -> Option<(K, V)> {
        self.shard.pop_back()
    }

    /// Drops all entries and gives their memory back. Takes time by the number of entries.
    ///
    /// If the destructor of an entry panics, the map is empty all the same.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(10);
    /// map.insert("a", 1);
    /// map.clear();
    /// assert!(map.is_empty());
    /// ```
    pub fn clear(&mut self) {
        drop(self.shard.clear());
    }

    /// Panics unless the map's invariants hold. For tests; takes time by the number of entries.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(10);
    /// map.insert("a", 1);
    /// map.check_invariants();
    /// ```
    #[cfg(any(test, feature = "check"))]
    pub fn check_invariants(&self) {
        self.shard.check_invariants();
    }
}

impl<K, V, S: BuildHasher> LruMap<K, V, S> {
    /// The value of a key, which becomes the most recently used. Counts a hit or a miss.
    ///
    /// The key may be given in any form that is [`Equivalent`] to `K`, such as `&str` for
    /// `String`.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(10);
    /// map.insert("a".to_owned(), 1);
    /// assert_eq!(map.get("a"), Some(&1));
    /// assert_eq!(map.get("b"), None);
    /// ```
    #[inline]
    pub fn get<Q>(&mut self, key: &Q) -> Option<&V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.get_mut(key).map(|value| &*value)
    }

    /// Like [`get`](Self::get), with the value to be changed in place.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(10);
    /// map.insert("a", 1);
    /// *map.get_mut("a").unwrap() += 1;
    /// assert_eq!(map.get("a"), Some(&2));
    /// ```
    #[inline]
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.shard.get(self.hasher.hash_one(key), key)
    }

    /// The value of a key, left where it is in the order, and not counted.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(1);
    /// map.insert("a", 1);
    /// assert_eq!(map.peek("a"), Some(&1));
    /// assert_eq!(map.stats().hits, 0);
    /// ```
    pub fn peek<Q>(&self, key: &Q) -> Option<&V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.shard.peek(self.hasher.hash_one(key), key)
    }

    /// Whether a key is there. Changes no order and counts nothing.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(1);
    /// map.insert("a", 1);
    /// assert!(map.contains_key("a"));
    /// ```
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.shard.find(self.hasher.hash_one(key), key).is_some()
    }

    /// Takes the entry of a key out and returns its value.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(10);
    /// map.insert("a", 1);
    /// assert_eq!(map.remove("a"), Some(1));
    /// assert_eq!(map.remove("a"), None);
    /// ```
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let (key, value) = self.shard.remove(self.hasher.hash_one(key), key)?;
        // Before the result is ready, or Rust would leak it if this panics.
        drop(key);
        Some(value)
    }
}

impl<K: Hash + Eq, V, S: BuildHasher> LruMap<K, V, S> {
    /// Makes `value` the value of `key`, and the entry the most recently used; evicts the least
    /// recently used entry if the map is full. Returns the value that the key had before.
    ///
    /// If the key is there, the map keeps the key it has and drops the one given. A map of
    /// capacity 0 drops both.
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(1);
    /// assert_eq!(map.insert("a", 1), None);
    /// assert_eq!(map.insert("a", 2), Some(1));
    /// assert_eq!(map.insert("b", 3), None);
    /// assert!(!map.contains_key("a"));
    /// ```
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = self.hasher.hash_one(&key);
        let found = self.shard.find(hash, &key);
        self.shard.insert(hash, found, key, value).into_replaced()
    }

    /// Makes an entry the least recently used, the first to be evicted. Displaces nothing: if the
    /// map is full or has the key, it is left as it is.
    ///
    /// This is how a cache is filled beforehand, most important first, without pushing out what
    /// came meanwhile.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives key and value back and says whether the map was full or had the key (if
    /// both, that it had the key).
    ///
    /// ```
    /// let mut map = lru_engine::LruMap::new(2);
    /// map.insert("newest", 1);
    /// map.insert_cold("older", 2)?;
    /// assert!(map.insert_cold("oldest", 3).is_err());
    /// assert_eq!(map.pop_lru(), Some(("older", 2)));
    /// # Ok::<(), lru_engine::Refused<&str, i32>>(())
    /// ```
    pub fn insert_cold(&mut self, key: K, value: V) -> Result<(), Refused<K, V>> {
        let hash = self.hasher.hash_one(&key);
        let found = self.shard.find(hash, &key);
        self.shard.insert_cold(hash, found, key, value)
    }
}

impl<'a, K, V, S> IntoIterator for &'a LruMap<K, V, S> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for LruMap<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}
