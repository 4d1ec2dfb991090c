//! The shards of a cache, each behind its own lock, and which shard a hash belongs to.
//!
//! Under a shard's lock lie its entries and the tickets that are out for its keys. The places that
//! entries occupy come from one budget for all shards, so a shard grows until the whole cache is
//! full, and from then on evicts its own least recently used entry. If keys happened to crowd into
//! some shards while the cache filled, the others take places back from those as they need them:
//! left as they were, four shards lost 0.09 points of hit ratio of the trace OLTP at a capacity of
//! 1000, and evened out 0.03, as fixed shares do (2026-11-20, means of 5 seeds).
//!
//! Shards are padded to 128 bytes, the two cache lines that processors fetch together, so that
//! threads on neighbouring shards do not slow each other.
//!
//! Invariants: the number of shards is a power of two and never changes; each entry occupies a
//! place of the budget, and its weight where entries are weighed; a thread holds at most one lock
//! of a cache.

use std::ops::Deref;
use std::sync::atomic::Ordering;

use equivalent::Equivalent;

use crate::arena::SlotId;
use crate::budget::Budget;
use crate::budget::Place;
use crate::count::SHARDS_MAX;
use crate::displaced::Displaced;
use crate::error::Refused;
use crate::error::RefusedReason;
use crate::hash::shard_position;
use crate::mark::Mark;
use crate::outstanding::Outstanding;
use crate::outstanding::Slip;
use crate::outstanding::Verdict;
use crate::shard::Cleared;
use crate::shard::Shard;
use crate::sync::AtomicUsize;
use crate::weight::WeightBudget;
use crate::weight::Weights;

// The models of what stands on the lock take the checker's own: that lets a waiting thread sleep
// until it is woken, where the shards' lock would look again and again. This lock has its own
// model.
#[cfg(not(any(loom, shuttle)))]
use crate::lock::Guard;
#[cfg(not(any(loom, shuttle)))]
use crate::lock::Lock;
#[cfg(any(loom, shuttle))]
use crate::sync::Guard;
#[cfg(any(loom, shuttle))]
use crate::sync::Lock;

/// What one lock guards; in front the shard, of which see the layout.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Guarded<K, V> {
    pub(crate) shard: Shard<K, V>,
    outstanding: Outstanding<K, V>,
    /// Empty unless the cache has a weigher.
    pub(crate) weights: Weights,
}

#[derive(Debug)]
#[repr(align(128))]
struct Padded<K, V>(Lock<Guarded<K, V>>);

/// A power of two of locked shards.
#[derive(Debug)]
pub(crate) struct Shards<K, V> {
    shards: Box<[Padded<K, V>]>,
    budget: Budget,
    /// Only in a cache that has a weigher.
    weight_budget: Option<Box<WeightBudget>>,
    /// The entries that each shard has at least when a full cache has come to rest.
    share: usize,
    /// The shard that was found to have more than its share the last time that one was looked for.
    richest: AtomicUsize,
}

impl<K, V> Shards<K, V> {
    /// Shards for `capacity` entries in all. `count` is rounded up to a power of two; there are at
    /// most [`SHARDS_MAX`], and no more than entries.
    pub(crate) fn new(capacity: usize, weight_capacity: Option<u64>, count: usize) -> Self {
        let asked_bits = count.clamp(1, SHARDS_MAX).next_power_of_two().ilog2();
        let bits = asked_bits.min(capacity.max(1).ilog2());
        let guarded = || Guarded {
            shard: Shard::new(capacity),
            outstanding: Outstanding::new(),
            weights: Weights::default(),
        };
        let shards = (0..1 << bits).map(|_| Padded(Lock::new(guarded()))).collect();
        let (budget, share) = (Budget::new(capacity), capacity >> bits);
        let weight_budget = weight_capacity.map(|capacity| Box::new(WeightBudget::new(capacity)));
        Self { shards, budget, weight_budget, share, richest: AtomicUsize::new(0) }
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.len()
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) fn weight_budget(&self) -> Option<&WeightBudget> {
        self.weight_budget.as_deref()
    }

    /// The shard to begin with when one is looked for that has more than its share.
    pub(crate) fn richest(&self) -> usize {
        self.richest.load(Ordering::Relaxed)
    }

    pub(crate) fn note_richest(&self, position: usize) {
        self.richest.store(position & (self.count() - 1), Ordering::Relaxed);
    }

    /// Locks the shard that a hash belongs to.
    #[inline]
    pub(crate) fn lock(&self, hash: u64) -> Locked<'_, K, V> {
        self.lock_shard(&self.shards[shard_position(hash, self.count())])
    }

    /// Locks the shard that a hash belongs to, if that takes no waiting and this thread is inside
    /// no cache: what is left to do then is as short as can be.
    #[inline]
    pub(crate) fn try_lock(&self, hash: u64) -> Option<Locked<'_, K, V>> {
        let shard = &self.shards[shard_position(hash, self.count())];
        let mark = Mark::try_enter(self.shards.as_ptr().addr())?;
        Some(Locked { guarded: shard.0.try_lock()?, shards: self, _mark: mark })
    }

    /// Whether a hash belongs to the shard at a position, counted as in
    /// [`lock_at`](Self::lock_at).
    pub(crate) fn is_at(&self, hash: u64, position: usize) -> bool {
        shard_position(hash, self.count()) == position & (self.count() - 1)
    }

    /// Locks the shard at a position, counted from 0 and round again past the last.
    #[inline]
    pub(crate) fn lock_at(&self, position: usize) -> Locked<'_, K, V> {
        self.lock_shard(&self.shards[position & (self.count() - 1)])
    }

    #[inline]
    fn lock_shard<'a>(&'a self, shard: &'a Padded<K, V>) -> Locked<'a, K, V> {
        let mark = Mark::enter(self.shards.as_ptr().addr());
        Locked { guarded: shard.0.lock(), shards: self, _mark: mark }
    }

    /// Every shard in turn, each locked until the next is asked for.
    pub(crate) fn lock_each(&self) -> impl Iterator<Item = Locked<'_, K, V>> {
        (0..self.count()).map(|position| self.lock_at(position))
    }
}

/// A shard that this thread has locked. It is unlocked first and unmarked second.
///
/// Looking goes straight to the [`Shard`]; whatever changes the number of entries goes through
/// the functions here and in `weighed`, which keep the budgets in step.
#[derive(Debug)]
pub(crate) struct Locked<'a, K, V> {
    pub(crate) guarded: Guard<'a, Guarded<K, V>>,
    shards: &'a Shards<K, V>,
    _mark: Mark,
}

/// An entry that was evicted, whose place and weight are kept for another.
#[derive(Debug)]
pub(crate) struct Evicted<'a, K, V> {
    pub(crate) entry: (K, V),
    pub(crate) place: Place<'a>,
    pub(crate) weight: u64,
}

impl<'a, K, V> Locked<'a, K, V> {
    /// The value of a key, which becomes the most recently used. Counts a hit or a miss.
    #[inline]
    pub(crate) fn get<Q>(&mut self, hash: u64, key: &Q) -> Option<&mut V>
    where
        Q: Equivalent<K> + ?Sized,
    {
        self.guarded.shard.get(hash, key)
    }

    /// The tickets that are out for keys of this shard.
    #[inline]
    pub(crate) fn outstanding(&mut self) -> &mut Outstanding<K, V> {
        &mut self.guarded.outstanding
    }

    /// Whether a ticket that is out is void.
    pub(crate) fn verdict(&self, slip: Slip) -> Verdict {
        self.guarded.outstanding.verdict(slip)
    }

    /// The slot of the key of a ticket that is out.
    pub(crate) fn find_ticketed(&self, slip: Slip) -> Option<SlotId>
    where
        K: Eq,
    {
        self.guarded.shard.find(slip.hash, self.guarded.outstanding.key(slip))
    }

    /// Whether the shard has less than its even share of the capacity.
    #[inline]
    pub(crate) fn is_short(&self) -> bool {
        self.guarded.shard.len() < self.share()
    }

    /// Whether to insert a key is to put its entry in the place of the shard's least recently used
    /// one, and to do nothing else. Says no where one look at the index does not tell.
    #[inline]
    pub(crate) fn evicts_for(&self, hash: u64, key: &K) -> bool
    where
        K: Eq,
    {
        let Guarded { shard, outstanding, .. } = &*self.guarded;
        shard.is_surely_absent(hash, key)
            && shard.len() >= self.share().max(1)
            && outstanding.is_empty()
            && self.shards.budget.is_spent()
    }

    /// The entries that are the shard's even share of the capacity.
    #[inline]
    pub(crate) fn share(&self) -> usize {
        self.shards.share
    }

    /// Makes an entry the most recently used. `found` is what [`find`](Shard::find) said of its
    /// key. It takes `place`, or a place of the budget, or that of the least recently used entry.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        found: Option<SlotId>,
        (key, value): (K, V),
        place: Option<Place<'a>>,
    ) -> Displaced<K, V> {
        let shard = &mut self.guarded.shard;
        if found.is_some() {
            return shard.insert(hash, found, key, value);
        }
        match place.or_else(|| self.shards.budget.take()) {
            Some(place) => {
                let displaced = shard.insert(hash, None, key, value);
                // A shard of 2³² − 2 entries evicts although there is a place.
                if matches!(displaced, Displaced::Nothing) {
                    place.occupy();
                }
                displaced
            }
            None if shard.len() == 0 => Displaced::Refused(key, value),
            None => shard.insert_evicting(hash, key, value),
        }
    }

    /// Makes an entry the least recently used, if its key is not there and the budget has a place.
    pub(crate) fn insert_cold(
        &mut self,
        hash: u64,
        found: Option<SlotId>,
        (key, value): (K, V),
        weight: Option<u64>,
    ) -> Result<(), Refused<K, V>> {
        let shard = &mut self.guarded.shard;
        if found.is_some() {
            return shard.insert_cold(hash, found, key, value);
        }
        let mut held = None;
        if let Some((weight, budget)) = weight.zip(self.shards.weight_budget()) {
            if weight > budget.capacity() {
                return Err(shard.refuse_cold(key, value, RefusedReason::TooHeavy));
            }
            let held = held.insert(budget.hold());
            if !held.fill_to(weight) {
                return Err(shard.refuse_cold(key, value, RefusedReason::Full));
            }
        }
        let Some(place) = self.shards.budget.take() else {
            return Err(shard.refuse_cold(key, value, RefusedReason::Full));
        };
        shard.insert_cold(hash, None, key, value)?;
        place.occupy();
        if let Some((mut held, weight)) = held.zip(weight) {
            held.occupy(weight);
            self.guarded.weights.push(weight);
        }
        Ok(())
    }

    /// The shards that this is one of.
    pub(crate) fn owner(&self) -> &'a Shards<K, V> {
        self.shards
    }

    /// What the entries of the shard weigh.
    pub(crate) fn weights(&self) -> &Weights {
        &self.guarded.weights
    }

    /// Evicts the least recently used entry.
    pub(crate) fn evict_back(&mut self) -> Option<Evicted<'a, K, V>> {
        let back = self.guarded.shard.back()?;
        let weight = self.guarded.weights.remove(back);
        let entry = self.guarded.shard.evict_back()?;
        Some(Evicted { entry, place: self.shards.budget.place(), weight })
    }

    /// Takes the entry of a key out.
    pub(crate) fn remove<Q>(&mut self, hash: u64, key: &Q) -> Option<(K, V)>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let found = self.guarded.shard.find(hash, key)?;
        Some(self.remove_slot(found))
    }

    /// Takes some entry of this hash out, as far as hashes are stored. Runs no user code.
    pub(crate) fn remove_of_hash(&mut self, hash: u64) -> Option<(K, V)> {
        let found = self.guarded.shard.find_of_hash(hash)?;
        Some(self.remove_slot(found))
    }

    /// Takes the entry of a slot out.
    pub(crate) fn remove_slot(&mut self, found: SlotId) -> (K, V) {
        let weighed = self.shards.weight_budget();
        let weighed = weighed.map(|budget| (budget, self.guarded.weights.remove(found)));
        let entry = self.guarded.shard.remove_slot(found);
        self.shards.budget.give_back(1);
        if let Some((budget, weight)) = weighed {
            budget.give_back(weight);
        }
        entry
    }

    /// Takes the least recently used entry out.
    pub(crate) fn pop_back(&mut self) -> Option<(K, V)> {
        let back = self.guarded.shard.back()?;
        Some(self.remove_slot(back))
    }

    /// Takes everything out, memory included.
    pub(crate) fn clear(&mut self) -> Cleared<K, V> {
        let len = self.guarded.shard.len();
        let weight = self.guarded.weights.clear();
        let cleared = self.guarded.shard.clear();
        self.shards.budget.give_back(len);
        if let Some(budget) = self.shards.weight_budget() {
            budget.give_back(weight);
        }
        cleared
    }
}

impl<K, V> Deref for Locked<'_, K, V> {
    type Target = Shard<K, V>;

    #[inline]
    fn deref(&self) -> &Shard<K, V> {
        &self.guarded.shard
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::mem;

    /// Documentation of `Shard`: a hit moves one cache line of its shard from core to core.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn what_a_hit_writes_of_a_shard_lies_in_one_cache_line() {
        let word = align_of::<Guarded<String, String>>();
        assert_eq!(mem::offset_of!(Guarded<String, String>, shard), 0);
        assert!(word + Shard::<String, String>::HIT_END <= 64);
        assert!(word + Shard::<u8, u8>::HIT_END <= 64);
    }

    /// Documentation of `Builder::shards`: a power of two, and no more shards than entries.
    #[test]
    fn the_number_of_shards_asked_for_is_rounded_and_bounded() {
        for (capacity, asked, count) in [
            (0, 64, 1),
            (1, 64, 1),
            (5, 64, 4),
            (1_000, 3, 4),
            (1_000, 64, 64),
            (1 << 20, usize::MAX, SHARDS_MAX),
        ] {
            assert_eq!(Shards::<u8, u8>::new(capacity, None, asked).count(), count);
        }
    }
}
