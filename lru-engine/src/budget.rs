//! The capacity of a cache as one budget of places, which its shards take from and give back to.
//!
//! One budget and not a share for each shard, because keys never spread evenly: with fixed shares
//! a cache would evict while another shard has room. An entry occupies one place for as long as it
//! is in a shard. A full cache only reads here: an entry that takes over the place of another in
//! its shard changes no number.
//!
//! Invariants: there are never more places taken than the capacity, not for a moment; when nothing
//! runs, as many are taken as there are entries. Hence the number of places taken is the length
//! of the cache.

use std::sync::atomic::Ordering;

use crate::sync::AtomicUsize;

/// Places for entries. It has two cache lines to itself, so that filling the cache does not slow
/// those who only look for its shards.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Budget {
    taken: AtomicUsize,
    capacity: usize,
}

/// A place for one entry, given back unless it is occupied.
#[derive(Debug)]
#[must_use = "dropping a place gives it back"]
pub(crate) struct Place<'a> {
    budget: Option<&'a Budget>,
}

impl Budget {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { taken: AtomicUsize::new(0), capacity }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes a place, unless all are taken; then nothing is written.
    // The number guards no memory of its own: entries are handed over under the shards' locks.
    #[inline]
    pub(crate) fn take(&self) -> Option<Place<'_>> {
        let mut taken = self.taken();
        while taken < self.capacity {
            let next = taken + 1;
            let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
            match self.taken.compare_exchange_weak(taken, next, success, failure) {
                Ok(_) => return Some(self.place()),
                Err(other) => taken = other,
            }
        }
        None
    }

    /// Whether all places are taken.
    #[inline]
    pub(crate) fn is_spent(&self) -> bool {
        self.taken() >= self.capacity
    }

    /// The place of an entry that has left, to be occupied by another or given back.
    pub(crate) fn place(&self) -> Place<'_> {
        Place { budget: Some(self) }
    }

    /// Gives the places of `count` entries back that have left.
    pub(crate) fn give_back(&self, count: usize) {
        if count > 0 {
            self.taken.fetch_sub(count, Ordering::Relaxed);
        }
    }
}

impl Place<'_> {
    /// Leaves the place to an entry that has come in.
    pub(crate) fn occupy(mut self) {
        self.budget = None;
    }
}

impl Drop for Place<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(budget) = self.budget {
            budget.give_back(1);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Design: a shard takes from the budget until it is spent; what is not occupied comes back.
    #[test]
    fn a_place_is_given_back_unless_it_is_occupied() {
        let budget = Budget::new(2);
        budget.take().unwrap().occupy();
        let place = budget.take().unwrap();
        assert!(budget.take().is_none());
        drop(place);
        assert_eq!(budget.taken(), 1);
        budget.give_back(1);
        assert_eq!(budget.taken(), 0);
        assert!(Budget::new(0).take().is_none());
    }
}
