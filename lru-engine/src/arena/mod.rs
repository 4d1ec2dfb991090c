//! Items in the order in which they were last used, each with a hash.
//!
//! Its one user is `shard`. It knows no keys and no capacities: the shard says what goes in and
//! what comes out. Items and their order are the [`list`]; the hashes lie in an array of their
//! own, because a hit needs none: they are read when an item leaves and when the index grows.
//!
//! Invariant: there are as many hashes as items, each at the position of its item. It must never
//! run code of `T`: items are moved, never compared, copied or dropped.

mod list;

use alloc::vec::Vec;
use core::mem;

use crate::arena::list::List;
use crate::arena::list::reserve_one;
use crate::prefetch::prefetch;

pub(crate) use crate::arena::list::SLOTS_MAX;
pub(crate) use crate::arena::list::SlotId;

/// The recency list, and a hash for each of its positions. The list lies in front: a hit reads it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Arena<T> {
    list: List<T>,
    hashes: Vec<u32>,
}

impl<T> Arena<T> {
    pub(crate) const fn new() -> Self {
        Self { list: List::new(), hashes: Vec::new() }
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.list.len()
    }

    /// Makes room for one more item, growing to at most `len_max`. After this the next push
    /// cannot fail.
    pub(crate) fn reserve_one(&mut self, len_max: usize) {
        self.list.reserve_one(len_max);
        reserve_one(&mut self.hashes, len_max);
    }

    pub(crate) fn item(&self, id: SlotId) -> &T {
        self.list.item(id)
    }

    /// Like [`item`](Self::item).
    ///
    /// # Safety
    ///
    /// `id` must be below the length.
    #[inline]
    #[expect(unsafe_code, reason = "hands on what `list` measured")]
    pub(crate) unsafe fn item_unchecked(&self, id: SlotId) -> &T {
        // SAFETY: the caller says so.
        unsafe { self.list.item_unchecked(id) }
    }

    /// The hashes, by position.
    #[inline]
    pub(crate) fn hashes(&self) -> &[u32] {
        &self.hashes
    }

    /// The least recently used item.
    #[inline]
    pub(crate) fn back(&self) -> Option<SlotId> {
        self.list.back()
    }

    /// The item at the highest position, which the next removal moves; `None` if there is none.
    pub(crate) fn last(&self) -> Option<SlotId> {
        self.len().checked_sub(1).map(|position| SlotId(position as u32))
    }

    /// Adds an item as the most recently used.
    #[inline]
    pub(crate) fn push_front(&mut self, hash: u32, item: T) -> SlotId {
        self.hashes.push(hash);
        self.list.push_front(item)
    }

    /// Adds an item as the least recently used.
    pub(crate) fn push_back(&mut self, hash: u32, item: T) -> SlotId {
        self.hashes.push(hash);
        self.list.push_back(item)
    }

    /// Makes the least recently used item the most recently used; says which it is, and its hash.
    #[inline]
    pub(crate) fn back_to_front(&mut self) -> Option<(SlotId, u32)> {
        let id = self.list.back_to_front()?;
        Some((id, *self.hashes.get(id.position())?))
    }

    /// Puts an item in the place of another; returns that.
    #[inline]
    pub(crate) fn replace(&mut self, id: SlotId, hash: u32, item: T) -> T {
        self.hashes[id.position()] = hash;
        mem::replace(self.list.item_mut(id), item)
    }

    /// Makes an item the most recently used, and returns it.
    #[inline]
    pub(crate) fn touch(&mut self, id: SlotId) -> &mut T {
        self.list.move_to_front(id)
    }

    /// Like [`touch`](Self::touch).
    ///
    /// # Safety
    ///
    /// `id` must be below the length.
    #[inline]
    #[expect(unsafe_code, reason = "hands on what `list` measured")]
    pub(crate) unsafe fn touch_unchecked(&mut self, id: SlotId) -> &mut T {
        // SAFETY: the caller says so.
        unsafe { self.list.move_to_front_unchecked(id) }
    }

    /// Has the processor fetch the item that is the least recently used one but one, and its hash.
    /// Returns the hash of the least recently used one, which the call before has had fetched.
    #[inline]
    pub(crate) fn prefetch_back(&self) -> Option<u32> {
        let back = self.back()?;
        let newer = self.list.prefetch_newer(back);
        if let Some(hash) = newer.and_then(|newer| self.hashes.get(newer.position())) {
            prefetch(hash);
        }
        self.hashes.get(back.position()).copied()
    }

    /// Takes an item out. The [`last`](Self::last) item moves to its position.
    pub(crate) fn remove(&mut self, id: SlotId) -> T {
        self.hashes.swap_remove(id.position());
        self.list.remove(id)
    }

    /// The items, most recently used first.
    pub(crate) fn items(&self) -> Items<'_, T> {
        Items {
            list: &self.list,
            front: self.list.front(),
            back: self.list.back(),
            left: self.len(),
        }
    }
}

/// The items of an arena from both ends. `left` says when they have met.
#[derive(Debug)]
pub(crate) struct Items<'a, T> {
    list: &'a List<T>,
    front: Option<SlotId>,
    back: Option<SlotId>,
    left: usize,
}

impl<T> Clone for Items<'_, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, T> Iterator for Items<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.left = self.left.checked_sub(1)?;
        let id = self.front?;
        self.front = self.list.older(id);
        Some(self.list.item(id))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> DoubleEndedIterator for Items<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let id = self.back?;
        self.back = self.list.newer(id);
        Some(self.list.item(id))
    }
}

#[cfg(any(test, feature = "check"))]
impl<T> Arena<T> {
    /// Panics unless the list is whole and has a hash for each item.
    pub(crate) fn check_invariants(&self) {
        self.list.check_invariants();
        assert_eq!(self.hashes.len(), self.len(), "items and hashes differ in number");
    }
}

#[cfg(all(test, not(loom), target_pointer_width = "64"))]
impl<T> Arena<T> {
    /// Where that ends what a hit reads and writes, in bytes.
    pub(crate) const HIT_END: usize = core::mem::offset_of!(Self, hashes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(arena: &Arena<char>) -> String {
        arena.check_invariants();
        let forwards: String = arena.items().collect();
        let backwards: String = arena.items().rev().collect();
        assert_eq!(forwards.chars().rev().collect::<String>(), backwards);
        forwards
    }

    /// Issue: the order is the order of use, and there are no gaps: the last item fills them.
    #[test]
    fn items_are_kept_in_order_of_use_without_gaps() {
        let mut arena = Arena::new();
        assert_eq!(order(&arena), "");
        let a = arena.push_front(1, 'a');
        let b = arena.push_front(2, 'b');
        let c = arena.push_back(3, 'c');
        assert_eq!(order(&arena), "bac");
        arena.touch(c);
        assert_eq!(order(&arena), "cba");
        arena.touch(b);
        assert_eq!(order(&arena), "bca");
        assert_eq!(arena.remove(a), 'a');
        assert_eq!(
            (arena.item(a), arena.hashes()),
            (&'c', [3, 2].as_slice()),
            "the last item fills the gap"
        );
        assert_eq!(order(&arena), "bc");
        assert_eq!(arena.push_back(4, 'd'), c, "the position of the last is free again");
        assert_eq!(order(&arena), "bcd");
        assert_eq!(arena.back_to_front(), Some((c, 4)));
        assert_eq!(arena.replace(c, 5, 'e'), 'd');
        assert_eq!((order(&arena).as_str(), arena.hashes()[c.position()]), ("ebc", 5));
        for (left, order_left) in [(2, "eb"), (1, "b"), (0, "")] {
            let back = if left == 1 { arena.list.front() } else { arena.back() };
            arena.remove(back.unwrap());
            assert_eq!((arena.len(), order(&arena).as_str()), (left, order_left));
        }
    }

    /// Issue: memory is bounded by the capacity and allocated as it fills.
    #[test]
    fn growth_stops_at_the_number_of_items_allowed() {
        // An interpreter looks at the whole array for each borrow of it.
        const ITEMS: usize = if cfg!(miri) { 100 } else { 1_000 };
        let mut arena = Arena::new();
        assert_eq!((arena.list.room(), arena.hashes.capacity()), (0, 0));
        for position in 0..ITEMS {
            arena.reserve_one(ITEMS);
            arena.push_front(position as u32, ());
            assert!(arena.hashes.capacity() <= ITEMS, "room for {}", arena.hashes.capacity());
        }
        let mut arena = Arena::new();
        for position in 0..ITEMS {
            arena.reserve_one(ITEMS);
            arena.push_front(position as u32, 1);
            assert!(arena.list.room() <= ITEMS, "room for {} of {ITEMS}", arena.list.room());
        }
    }
}
