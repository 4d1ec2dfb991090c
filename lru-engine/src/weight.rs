//! Weights: who says how heavy an entry is, the bound on their sum, and the weights in a shard.
//!
//! The sum over all shards is one atomic number, and whatever comes in takes its weight from what
//! is left of the bound before it enters; only what has left gives it back. So the sum of the
//! weights of all entries is never above the bound, not for a moment.
//!
//! The weights of a shard lie by position in an array of their own, which a cache without a
//! weigher never allocates: it pays one look at the length of an empty array when an entry leaves.
//! The closure is kept without its type, like the listener's and for the same reason.
//!
//! Invariants: `taken` is never above the capacity, so no sum here overflows; when nothing runs it
//! is the sum over the shards. It must never call the weigher while anything is locked.

use std::any::Any;
use std::fmt;
use std::mem;
use std::panic::RefUnwindSafe;
use std::panic::UnwindSafe;
use std::sync::atomic::Ordering;

use crate::arena::SlotId;
use crate::sync::AtomicU64;

/// A weigher and the function that knows its type.
pub(crate) struct Weigher<K, V> {
    closure: Box<dyn Any + Send + Sync>,
    call: fn(&(dyn Any + Send + Sync), &K, &V) -> u64,
}

// A cache is valid whatever its weigher did before it panicked.
impl<K, V> UnwindSafe for Weigher<K, V> {}
impl<K, V> RefUnwindSafe for Weigher<K, V> {}

impl<K, V> Weigher<K, V> {
    pub(crate) fn new<F>(weigher: F) -> Self
    where
        F: Fn(&K, &V) -> u64 + Send + Sync + 'static,
    {
        fn call<K, V, F>(closure: &(dyn Any + Send + Sync), key: &K, value: &V) -> u64
        where
            F: Fn(&K, &V) -> u64 + 'static,
        {
            let closure = closure.downcast_ref::<F>();
            closure.expect("the closure is of the type that it was made with")(key, value)
        }
        Self { closure: Box::new(weigher), call: call::<K, V, F> }
    }

    /// How heavy an entry is. Nothing may be locked.
    pub(crate) fn weigh(&self, key: &K, value: &V) -> u64 {
        (self.call)(&*self.closure, key, value)
    }
}

impl<K, V> fmt::Debug for Weigher<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weigher").finish_non_exhaustive()
    }
}

/// What the entries of all shards may weigh together. Like the places it has two cache lines to
/// itself.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct WeightBudget {
    taken: AtomicU64,
    capacity: u64,
}

impl WeightBudget {
    pub(crate) fn new(capacity: u64) -> Self {
        Self { taken: AtomicU64::new(0), capacity }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How much is taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes a weight whole, or nothing.
    // The number guards no memory of its own: entries are handed over under the shards' locks.
    fn take(&self, weight: u64) -> bool {
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        let mut taken = self.taken();
        while weight <= self.capacity - taken {
            match self.taken.compare_exchange_weak(taken, taken + weight, success, failure) {
                Ok(_) => return true,
                Err(other) => taken = other,
            }
        }
        false
    }

    /// Gives back what entries weighed that have left.
    pub(crate) fn give_back(&self, weight: u64) {
        if weight > 0 {
            self.taken.fetch_sub(weight, Ordering::Relaxed);
        }
    }

    /// Nothing yet.
    pub(crate) fn hold(&self) -> Held<'_> {
        Held { budget: self, weight: 0 }
    }
}

/// Weight that is taken and not yet an entry's, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    budget: &'a WeightBudget,
    weight: u64,
}

impl Held<'_> {
    /// Takes what is missing to `weight`; says whether it is held, and takes nothing if not.
    pub(crate) fn fill_to(&mut self, weight: u64) -> bool {
        let is_held = self.weight >= weight || self.budget.take(weight - self.weight);
        if is_held {
            self.weight = self.weight.max(weight);
        }
        is_held
    }

    /// Keeps the weight of an entry that has left.
    pub(crate) fn keep(&mut self, weight: u64) {
        self.weight += weight;
    }

    /// Leaves `weight` of it to an entry that has come in, and gives the rest back.
    pub(crate) fn occupy(&mut self, weight: u64) {
        self.weight -= weight;
        self.release();
    }

    /// Gives everything back.
    pub(crate) fn release(&mut self) {
        self.budget.give_back(mem::take(&mut self.weight));
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.release();
    }
}

/// What the entries of one shard weigh, each at the position of its entry.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    by_position: Vec<u64>,
    sum: u64,
}

impl Weights {
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    pub(crate) fn of(&self, id: SlotId) -> u64 {
        self.by_position[id.0 as usize]
    }

    /// The weight of the entry that has come in at the highest position.
    pub(crate) fn push(&mut self, weight: u64) {
        self.by_position.push(weight);
        self.sum += weight;
    }

    /// The weight of a value that has come in for another; returns what that weighed.
    pub(crate) fn replace(&mut self, id: SlotId, weight: u64) -> u64 {
        let former = mem::replace(&mut self.by_position[id.0 as usize], weight);
        self.sum = self.sum - former + weight;
        former
    }

    /// Forgets an entry that is about to leave; that of the highest position moves to its place.
    /// Returns what it weighed: 0 where nothing is weighed.
    #[inline]
    pub(crate) fn remove(&mut self, id: SlotId) -> u64 {
        if self.by_position.is_empty() {
            return 0;
        }
        let weight = self.by_position.swap_remove(id.0 as usize);
        self.sum -= weight;
        weight
    }

    /// Forgets everything, memory included; returns what it weighed.
    pub(crate) fn clear(&mut self) -> u64 {
        mem::take(self).sum
    }
}

#[cfg(any(test, feature = "check"))]
impl Weights {
    /// Panics unless there is a weight for each of `len` entries and the sum is theirs.
    pub(crate) fn check_invariants(&self, len: usize) {
        assert_eq!(self.by_position.len(), len, "weights and entries differ in number");
        assert_eq!(self.by_position.iter().sum::<u64>(), self.sum, "the weights do not add up");
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Issue: never above the bound; what is not occupied comes back, and no sum overflows.
    #[test]
    fn a_weight_is_taken_whole_and_given_back_unless_it_is_occupied() {
        let budget = WeightBudget::new(10);
        let mut held = budget.hold();
        assert!(held.fill_to(6) && held.fill_to(4));
        assert_eq!(budget.taken(), 6);
        assert!(!budget.hold().fill_to(5) && !budget.hold().fill_to(u64::MAX));
        held.occupy(4);
        drop(held);
        assert_eq!(budget.taken(), 4);
        budget.give_back(4);
        let whole = WeightBudget::new(u64::MAX);
        let mut held = whole.hold();
        assert!(held.fill_to(u64::MAX) && !whole.hold().fill_to(1));
    }
}
