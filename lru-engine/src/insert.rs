//! What comes into a [`Cache`], and letting go of what leaves it for that.
//!
//! An insert finds its key, voids the tickets for it and enters under one lock. Only if its shard
//! is short of entries while the cache is full does it lock twice: it gives its lock back, evicts
//! from another shard, and looks its key up again. What leaves is told of and dropped when nothing
//! is locked. Where entries are weighed, `weighed` does all this.

use std::hash::BuildHasher;
use std::hash::Hash;

use crate::arena::SlotId;
use crate::budget::Place;
use crate::cache::Cache;
use crate::displaced::Displaced;
use crate::error::Refused;
use crate::listener::Cause;
use crate::sharded::Locked;
use crate::sharded::Shards;

impl<K, V> Shards<K, V> {
    /// Evicts the least recently used entry of a shard that has more than its even share, or else
    /// of any shard, and keeps its place. The place is for a shard that is short of entries.
    #[cold]
    fn evict_elsewhere(&self) -> Option<((K, V), Place<'_>)> {
        let first = self.richest();
        let evict = |is_rich: fn(&Locked<'_, K, V>) -> bool| {
            (first..first + self.count()).find_map(|position| {
                let mut locked = self.lock_at(position);
                let evicted = is_rich(&locked).then(|| locked.evict_back()).flatten()?;
                self.note_richest(position);
                // Only where entries are weighed, and a void ticket is handed in.
                if let Some(budget) = self.weight_budget() {
                    budget.give_back(evicted.weight);
                }
                Some((evicted.entry, evicted.place))
            })
        };
        evict(|locked| locked.len() > locked.share()).or_else(|| evict(|_| true))
    }
}

impl<K, V, S> Cache<K, V, S> {
    /// Looks a key up that is to be inserted, in the shard of its hash. Where that is short of
    /// entries, a place comes with it: of the budget, or of another shard's entry.
    #[inline]
    pub(crate) fn find_to_insert<'a>(
        &'a self,
        hash: u64,
        mut locked: Locked<'a, K, V>,
        find: impl Fn(&mut Locked<'a, K, V>) -> Option<SlotId>,
    ) -> (Locked<'a, K, V>, Option<SlotId>, Option<Place<'a>>) {
        let found = find(&mut locked);
        if found.is_some() || !locked.is_short() {
            return (locked, found, None);
        }
        let (mut locked, place) = self.take_place(hash, locked);
        let found = find(&mut locked);
        (locked, found, place)
    }

    #[cold]
    fn take_place<'a>(
        &'a self,
        hash: u64,
        locked: Locked<'a, K, V>,
    ) -> (Locked<'a, K, V>, Option<Place<'a>>) {
        let place = self.shards.budget().take();
        if place.is_some() {
            return (locked, place);
        }
        drop(locked);
        let place = self.shards.evict_elsewhere().map(|((key, value), vacated)| {
            self.tell(&key, &value, Cause::Evicted);
            vacated
        });
        (self.shards.lock(hash), place)
    }

    /// Tells the listener of an entry that has left. Nothing may be locked.
    pub(crate) fn tell(&self, key: &K, value: &V, cause: Cause) {
        if let Some(listener) = &self.listener {
            listener.tell(key, value, cause);
        }
    }

    /// Tells the listener of entries that have left, and drops them. Nothing may be locked.
    pub(crate) fn let_go(&self, entries: Vec<(K, V)>, cause: Cause) {
        match &self.listener {
            Some(listener) => listener.tell_all(entries, cause),
            None => drop(entries),
        }
    }

    #[cold]
    fn tell_and_settle(&self, displaced: Displaced<K, V>) -> Option<V> {
        match &displaced {
            Displaced::Nothing => {}
            Displaced::Replaced(key, value) => self.tell(key, value, Cause::Replaced),
            Displaced::Evicted(key, value) => self.tell(key, value, Cause::Evicted),
            Displaced::Refused(key, value) => self.tell(key, value, Cause::Refused),
        }
        displaced.into_replaced()
    }

    /// Lets go of what an insert displaced, and returns the former value of its key. Nothing may
    /// be locked.
    // Given away by value, what was displaced can stay in registers where nobody listens.
    #[inline]
    pub(crate) fn settle(&self, displaced: Displaced<K, V>) -> Option<V> {
        if self.listener.is_some() {
            return self.tell_and_settle(displaced);
        }
        displaced.into_replaced()
    }
}

impl<K: Hash + Eq, V, S: BuildHasher> Cache<K, V, S> {
    /// Makes `value` the value of `key`, and the entry the most recently used of its shard; evicts
    /// the shard's least recently used entry if the shard is full. Returns the value that the key
    /// had before.
    ///
    /// If the key is there, the cache keeps the key it has and drops the one given. A cache of
    /// capacity 0 drops both. All that is dropped is dropped with nothing locked.
    ///
    /// With a [`weigher`](crate::Builder::weigher) it evicts as many entries as make room for this
    /// one, and drops an entry that is heavier than all may be together. The former value of its
    /// key leaves the cache then too, since it is no longer the key's, and is returned.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(1);
    /// assert_eq!(cache.insert("a", 1), None);
    /// assert_eq!(cache.insert("a", 2), Some(1));
    /// assert_eq!(cache.insert("b", 3), None);
    /// assert!(!cache.contains_key("a"));
    /// ```
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        let hash = self.hasher.hash_one(&key);
        if let Some(weigher) = &self.weigher {
            return self.insert_weighed(hash, weigher, key, value);
        }
        let mut locked = self.shards.lock(hash);
        if locked.evicts_for(hash, &key) {
            let evicted = locked.guarded.shard.insert_evicting(hash, key, value);
            drop(locked);
            return self.settle(evicted);
        }
        self.insert_locked(hash, key, value, locked)
    }

    /// Inserts whatever there is to heed. Apart from [`insert`](Self::insert), which has the fewer
    /// instructions for the most frequent case in a full cache. If this panics, the lock is given
    /// back before what comes before it is dropped.
    #[inline(never)]
    fn insert_locked(&self, hash: u64, key: K, value: V, locked: Locked<'_, K, V>) -> Option<V> {
        let (mut locked, found, place) =
            self.find_to_insert(hash, locked, |locked| locked.find(hash, &key));
        locked.outstanding().void(hash, &key);
        let displaced = locked.insert(hash, found, (key, value), place);
        drop(locked);
        self.settle(displaced)
    }

    /// Makes an entry the least recently used of its shard, the first to be evicted. Displaces
    /// nothing: if the cache is full or has the key, it is left as it is.
    ///
    /// This is how a cache is filled beforehand, most important first, without pushing out what
    /// came meanwhile.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives key and value back and says whether the cache was full, had the key (if
    /// both, that it had the key), or could not take so heavy an entry even if it were empty.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(2);
    /// cache.insert("newest", 1);
    /// cache.insert_cold("older", 2)?;
    /// assert!(cache.insert_cold("oldest", 3).is_err());
    /// assert_eq!(cache.pop_lru(), Some(("older", 2)));
    /// # Ok::<(), lru_engine::Refused<&str, i32>>(())
    /// ```
    pub fn insert_cold(&self, key: K, value: V) -> Result<(), Refused<K, V>> {
        let hash = self.hasher.hash_one(&key);
        let weight = self.weigh(&key, &value);
        let mut locked = self.shards.lock(hash);
        let found = locked.find(hash, &key);
        if found.is_none() {
            locked.outstanding().void(hash, &key);
        }
        locked.insert_cold(hash, found, (key, value), weight)
    }
}
