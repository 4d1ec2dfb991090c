//! Items in the order in which they were last used, each at a fixed position.
//!
//! Its one user is `shard`. It knows no keys, hashes or capacities: the shard says what goes in
//! and what comes out. Keeping slots ([`slab`]) and their order ([`list`]) behind one type keeps
//! the two in step: an item is linked exactly while its slot is occupied.
//!
//! It runs no code of `T`: items are moved in and out, never compared, copied or dropped.

mod list;
mod slab;

use crate::arena::list::List;
use crate::arena::slab::Slab;

pub(crate) use crate::arena::slab::SLOTS_MAX;
pub(crate) use crate::arena::slab::SlotId;

/// A slab and the recency list through it.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    slab: Slab<T>,
    list: List,
    len: usize,
}

impl<T> Arena<T> {
    pub(crate) const fn new() -> Self {
        Self { slab: Slab::new(), list: List::new(), len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Makes room for one more item, growing to at most `slots_max` slots.
    pub(crate) fn reserve_one(&mut self, slots_max: usize) {
        self.slab.reserve_one(slots_max);
    }

    pub(crate) fn item(&self, id: SlotId) -> &T {
        self.slab.item(id)
    }

    pub(crate) fn item_mut(&mut self, id: SlotId) -> &mut T {
        self.slab.item_mut(id)
    }

    /// The least recently used slot.
    pub(crate) fn back(&self) -> Option<SlotId> {
        self.list.back(&self.slab)
    }

    /// Adds an item as the most recently used.
    pub(crate) fn push_front(&mut self, item: T) -> SlotId {
        let id = self.slab.put(item);
        self.list.link_front(&mut self.slab, id);
        self.len += 1;
        id
    }

    /// Adds an item as the least recently used.
    pub(crate) fn push_back(&mut self, item: T) -> SlotId {
        let id = self.slab.put(item);
        self.list.link_back(&mut self.slab, id);
        self.len += 1;
        id
    }

    /// Puts `item` into the slot `id` and makes it the most recently used; returns what was there.
    pub(crate) fn replace_to_front(&mut self, id: SlotId, item: T) -> T {
        self.list.move_to_front(&mut self.slab, id);
        self.slab.replace(id, item)
    }

    /// Makes an item the most recently used.
    pub(crate) fn touch(&mut self, id: SlotId) {
        self.list.move_to_front(&mut self.slab, id);
    }

    pub(crate) fn remove(&mut self, id: SlotId) -> T {
        self.list.unlink(&mut self.slab, id);
        self.len -= 1;
        self.slab.take(id)
    }

    /// The items, most recently used first.
    pub(crate) fn items(&self) -> Items<'_, T> {
        let front = self.list.front().unwrap_or(SlotId::NIL);
        let back = self.back().unwrap_or(SlotId::NIL);
        Items { slab: &self.slab, front, back, left: self.len }
    }
}

/// The items of an arena from both ends. `left` says when they have met.
#[derive(Debug)]
pub(crate) struct Items<'a, T> {
    slab: &'a Slab<T>,
    front: SlotId,
    back: SlotId,
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
        let id = self.front;
        self.front = self.slab.links(id).next;
        Some(self.slab.item(id))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> DoubleEndedIterator for Items<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let id = self.back;
        self.back = self.slab.links(id).prev;
        Some(self.slab.item(id))
    }
}

#[cfg(any(test, feature = "check"))]
impl<T> Arena<T> {
    /// Panics unless the circle runs through every occupied slot once, the same both ways.
    pub(crate) fn check_invariants(&self) {
        self.slab.check_invariants(self.len);
        let Some(head) = self.list.front() else {
            assert_eq!(self.len, 0, "nothing is linked, yet the length says otherwise");
            return;
        };
        let mut id = head;
        for walked in 1..=self.len {
            let next = self.slab.links(id).next;
            assert_eq!(self.slab.links(next).prev, id, "neighbours disagree");
            assert_eq!(next == head, walked == self.len, "the circle misses or repeats a slot");
            id = next;
        }
    }
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

    /// Issue: slots are recycled, and the order is the order of use.
    #[test]
    fn items_are_kept_in_order_of_use_and_slots_are_recycled() {
        let mut arena = Arena::new();
        assert_eq!(order(&arena), "");
        let a = arena.push_front('a');
        let b = arena.push_front('b');
        let c = arena.push_back('c');
        assert_eq!(order(&arena), "bac");
        arena.touch(c);
        assert_eq!(order(&arena), "cba");
        arena.touch(b);
        assert_eq!(order(&arena), "bca");
        assert_eq!(arena.remove(c), 'c');
        assert_eq!(arena.push_back('d'), c, "the vacated slot is used again");
        assert_eq!(order(&arena), "bad");
        assert_eq!(arena.replace_to_front(c, 'e'), 'd');
        assert_eq!(order(&arena), "eba");
        for id in [a, b, c] {
            arena.remove(id);
        }
        assert_eq!(order(&arena), "");
    }

    /// Issue: memory is bounded by the capacity and allocated as it fills.
    #[test]
    fn growth_stops_at_the_number_of_slots_allowed() {
        let mut slab = Slab::new();
        assert_eq!(slab.room(), 0);
        for _ in 0..1_000 {
            slab.reserve_one(1_000);
            slab.put(());
            assert!(slab.room() <= 1_000, "room for {} of 1000", slab.room());
        }
    }
}
