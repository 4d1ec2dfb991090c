//! One bounded, single-threaded LRU: an index from hash to slot, and the arena of entries.
//!
//! It is given ready hashes and gives back everything that leaves, so that its callers decide
//! where the destructors of keys and values run. Entering is two steps, [`Shard::find`] and then
//! [`Shard::insert`]: the first runs the user's `Eq` and changes nothing, the second changes the
//! shard and runs no user code. A panic in `Eq` therefore finds the shard valid, and the entry to
//! be inserted still in the caller's hands.
//!
//! Of a 64-bit hash the lower half is stored and used: 32 bits tell as many entries apart as there
//! are positions, and the cache in front of its shards chooses by the upper half.
//!
//! Invariants: the index holds the position of each item of the arena once, under its stored hash,
//! and no other; the length is never above the capacity; `inserts - evictions - removals` is the
//! length.
//!
//! It must never hash a key (growth, eviction and removal use the stored hash), drop a key or a
//! value, lock, or read a clock.

#![expect(unsafe_code, reason = "a hit checks no position: see `arena::list` for the figures")]

use core::mem;

use equivalent::Equivalent;

use crate::arena::Arena;
use crate::arena::Items;
use crate::arena::SLOTS_MAX;
use crate::arena::SlotId;
use crate::displaced::Displaced;
use crate::error::Refused;
use crate::error::RefusedReason;
use crate::index::AtHome;
use crate::index::Index;
use crate::stats::Stats;

/// A key and its value.
#[derive(Debug)]
pub(crate) struct Entry<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
}

/// All that a cleared shard held. Dropping it drops the entries and frees their memory.
#[derive(Debug)]
pub(crate) struct Cleared<K, V> {
    _arena: Arena<Entry<K, V>>,
    _index: Index,
}

/// An LRU of at most `capacity` entries.
///
/// In this order all that a hit reads and writes of it lies in one cache line, together with the
/// word of a lock in front of it: threads that take turns at a shard move one line to and fro.
/// Where the compiler chose the order it was three, and hits of 2 threads took 1.05 times as long
/// (2026-11-20, 100 k entries).
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Shard<K, V> {
    index: Index,
    hits: u64,
    arena: Arena<Entry<K, V>>,
    /// All counts but that of hits.
    counts: Stats,
    capacity: usize,
}

impl<K, V> Shard<K, V> {
    /// An empty shard. Above [`SLOTS_MAX`] the capacity is [`SLOTS_MAX`].
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            index: Index::new(),
            hits: 0,
            arena: Arena::new(),
            counts: Stats::default(),
            capacity: capacity.min(SLOTS_MAX),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.arena.len()
    }

    pub(crate) const fn stats(&self) -> Stats {
        Stats { hits: self.hits, ..self.counts }
    }

    /// Whether there is no room for one more entry.
    pub(crate) const fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// The slot of the least recently used entry.
    pub(crate) fn back(&self) -> Option<SlotId> {
        self.arena.back()
    }

    /// The slot that the next entry to leave has its place filled from.
    pub(crate) fn last(&self) -> Option<SlotId> {
        self.arena.last()
    }

    /// Makes the entry of a slot the most recently used.
    pub(crate) fn touch(&mut self, id: SlotId) {
        self.arena.touch(id);
    }

    /// Counts an entry that is weighed and was refused.
    pub(crate) fn count_refusal(&mut self) {
        self.counts.weight_refusals += 1;
    }

    /// The entries, most recently used first.
    pub(crate) fn entries(&self) -> Items<'_, Entry<K, V>> {
        self.arena.items()
    }

    /// The slot of a key. Runs `Equivalent` on entries that agree in some bits of the hash.
    #[inline]
    pub(crate) fn find<Q>(&self, hash: u64, key: &Q) -> Option<SlotId>
    where
        Q: Equivalent<K> + ?Sized,
    {
        self.index.find(hash, self.is_of(key)).map(SlotId)
    }

    /// Whether one look at the index tells that a key is not there.
    #[inline]
    pub(crate) fn is_surely_absent<Q>(&self, hash: u64, key: &Q) -> bool
    where
        Q: Equivalent<K> + ?Sized,
    {
        self.find_at_home(hash, key) == AtHome::Absent
    }

    #[inline]
    fn find_at_home<Q>(&self, hash: u64, key: &Q) -> AtHome
    where
        Q: Equivalent<K> + ?Sized,
    {
        self.index.find_at_home(hash, self.is_of(key))
    }

    /// Whether the entry at a position of the index is that of a key.
    #[inline]
    fn is_of<Q>(&self, key: &Q) -> impl Fn(u32) -> bool
    where
        Q: Equivalent<K> + ?Sized,
    {
        |position| {
            // SAFETY: the index holds no position but those of the arena's items.
            let entry = unsafe { self.arena.item_unchecked(SlotId(position)) };
            key.equivalent(&entry.key)
        }
    }

    /// The slot of some entry of this hash, as far as hashes are stored. Runs no user code.
    pub(crate) fn find_of_hash(&self, hash: u64) -> Option<SlotId> {
        let hashes = self.arena.hashes();
        let matches = |position: u32| hashes[position as usize] == hash as u32;
        self.index.find(hash, matches).map(SlotId)
    }

    /// The value of a key, left where it is in the order, and not counted.
    #[inline]
    pub(crate) fn peek<Q>(&self, hash: u64, key: &Q) -> Option<&V>
    where
        Q: Equivalent<K> + ?Sized,
    {
        self.find(hash, key).map(|id| &self.arena.item(id).value)
    }

    /// The value of a key, which becomes the most recently used. Counts a hit or a miss.
    #[inline]
    pub(crate) fn get<Q>(&mut self, hash: u64, key: &Q) -> Option<&mut V>
    where
        Q: Equivalent<K> + ?Sized,
    {
        match self.find_at_home(hash, key) {
            // SAFETY: it has just been found.
            AtHome::Found(position) => Some(unsafe { self.hit(SlotId(position)) }),
            AtHome::Absent => {
                self.counts.misses += 1;
                None
            }
            AtHome::Perhaps => self.get_after(hash, key),
        }
    }

    /// Goes on where the chunk that the hash names is full of others.
    #[cold]
    #[inline(never)]
    fn get_after<Q>(&mut self, hash: u64, key: &Q) -> Option<&mut V>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let Some(id) = self.find(hash, key) else {
            self.counts.misses += 1;
            return None;
        };
        // SAFETY: it has just been found.
        Some(unsafe { self.hit(id) })
    }

    /// # Safety
    ///
    /// There must be an entry in the slot.
    #[inline]
    unsafe fn hit(&mut self, id: SlotId) -> &mut V {
        self.hits += 1;
        // SAFETY: the caller says so.
        let entry = unsafe { self.arena.touch_unchecked(id) };
        &mut entry.value
    }

    /// Makes an entry the most recently used. `found` is what [`find`](Self::find) said of its key.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        found: Option<SlotId>,
        key: K,
        value: V,
    ) -> Displaced<K, V> {
        if let Some(id) = found {
            self.counts.replacements += 1;
            let former = mem::replace(&mut self.arena.touch(id).value, value);
            return Displaced::Replaced(key, former);
        }
        if self.len() < self.capacity {
            self.insert_growing(hash as u32, Entry { key, value });
            return Displaced::Nothing;
        }
        if self.capacity == 0 {
            return Displaced::Refused(key, value);
        }
        self.insert_evicting(hash, key, value)
    }

    /// Makes an entry, whose key is not there, the most recently used, in a place of its own.
    // Out of line, for a cache is full most of its life, and evicts the faster.
    #[inline(never)]
    fn insert_growing(&mut self, hash: u32, entry: Entry<K, V>) {
        self.reserve_one();
        self.counts.inserts += 1;
        let id = self.arena.push_front(hash, entry);
        self.index.insert(hash, id.0);
    }

    /// Makes an entry, whose key is not there, the most recently used, in the place of the least
    /// recently used one, whatever room there is. The shard must not be empty.
    #[inline]
    pub(crate) fn insert_evicting(&mut self, hash: u64, key: K, value: V) -> Displaced<K, V> {
        self.counts.inserts += 1;
        self.counts.evictions += 1;
        let evicted = self.replace_back(hash as u32, Entry { key, value });
        Displaced::Evicted(evicted.key, evicted.value)
    }

    /// Takes the least recently used entry out, to make room elsewhere.
    pub(crate) fn evict_back(&mut self) -> Option<(K, V)> {
        let entry = self.pop_back()?;
        self.counts.removals -= 1;
        self.counts.evictions += 1;
        Some(entry)
    }

    /// Makes an entry the least recently used, if there is room and its key is not there.
    /// `found` is what [`find`](Self::find) said of its key.
    pub(crate) fn insert_cold(
        &mut self,
        hash: u64,
        found: Option<SlotId>,
        key: K,
        value: V,
    ) -> Result<(), Refused<K, V>> {
        let reason = match found {
            Some(_) => RefusedReason::Present,
            None if self.len() < self.capacity => {
                self.counts.inserts += 1;
                self.reserve_one();
                let hash = hash as u32;
                let id = self.arena.push_back(hash, Entry { key, value });
                self.index.insert(hash, id.0);
                return Ok(());
            }
            None => RefusedReason::Full,
        };
        Err(self.refuse_cold(key, value, reason))
    }

    /// Counts an entry that [`insert_cold`](Self::insert_cold) did not take.
    pub(crate) fn refuse_cold(&mut self, key: K, value: V, reason: RefusedReason) -> Refused<K, V> {
        self.counts.cold_refusals += 1;
        Refused { key, value, reason }
    }

    /// Takes the entry of a key out, and gives it back whole: its key is dropped by the caller,
    /// outside any lock.
    pub(crate) fn remove<Q>(&mut self, hash: u64, key: &Q) -> Option<(K, V)>
    where
        Q: Equivalent<K> + ?Sized,
    {
        self.find(hash, key).map(|id| self.remove_slot(id))
    }

    /// Takes the least recently used entry out.
    pub(crate) fn pop_back(&mut self) -> Option<(K, V)> {
        self.arena.back().map(|id| self.remove_slot(id))
    }

    /// Takes everything out, memory included.
    pub(crate) fn clear(&mut self) -> Cleared<K, V> {
        self.counts.removals += self.len() as u64;
        Cleared {
            _arena: mem::replace(&mut self.arena, Arena::new()),
            _index: mem::replace(&mut self.index, Index::new()),
        }
    }

    /// Makes room for one entry more, before anything is changed.
    fn reserve_one(&mut self) {
        self.index.reserve_one(self.arena.hashes());
        self.arena.reserve_one(self.capacity);
    }

    /// Puts an entry into the slot of the least recently used one, as the most recently used.
    /// The circle only turns: no link is written.
    #[inline]
    fn replace_back(&mut self, hash: u32, entry: Entry<K, V>) -> Entry<K, V> {
        let back = self.arena.back_to_front();
        let (id, evicted) = back.expect("a full shard of capacity above 0 has a last entry");
        self.index.remove_of_hash(evicted, id.0, self.arena.hashes());
        let evicted = self.arena.replace(id, hash, entry);
        self.index.insert(hash, id.0);
        // What the next eviction here takes out of the index, and whom it makes the last.
        if let Some(next) = self.arena.prefetch_back() {
            self.index.prefetch(next);
        }
        evicted
    }

    /// Takes the entry of a slot out, which [`find`](Self::find) has found.
    pub(crate) fn remove_slot(&mut self, id: SlotId) -> (K, V) {
        self.counts.removals += 1;
        self.index.remove(id.0, self.arena.hashes());
        if let Some(last) = self.arena.last().filter(|last| *last != id) {
            self.index.reposition(last.0, id.0, self.arena.hashes());
        }
        let Entry { key, value } = self.arena.remove(id);
        (key, value)
    }
}

#[cfg(any(test, feature = "check"))]
impl<K, V> Shard<K, V> {
    /// Panics unless the shard's invariants hold.
    pub(crate) fn check_invariants(&self) {
        self.arena.check_invariants();
        assert!(self.len() <= self.capacity, "{} entries of {}", self.len(), self.capacity);
        self.index.check_invariants(self.arena.hashes());
        let stats = self.counts;
        assert_eq!(
            stats.inserts - stats.evictions - stats.removals,
            self.len() as u64,
            "the counts do not add up to the length"
        );
    }
}

#[cfg(all(test, not(loom), target_pointer_width = "64"))]
impl<K, V> Shard<K, V> {
    /// Where that ends what a hit reads and writes, in bytes.
    pub(crate) const HIT_END: usize = mem::offset_of!(Self, arena) + Arena::<Entry<K, V>>::HIT_END;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue: `usize::MAX` is legal, preallocates nothing, and positions stay within 32 bits.
    #[test]
    fn a_shard_has_no_more_entries_than_positions() {
        let shard = Shard::<u8, u8>::new(usize::MAX);
        assert_eq!(shard.capacity, SLOTS_MAX);
        assert_eq!(shard.index.room(), 0);
    }
}
