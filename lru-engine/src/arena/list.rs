//! The recency list: a circle threaded through the slots of a slab, most recently used first.
//!
//! Being a circle it needs no tail of its own (the tail is the head's `prev`) and has no ends to
//! treat apart; turning it by one moves the least recent entry to the front without touching a
//! link, which is all that an insert into a full cache has to do.
//!
//! Invariants: `head` is `NIL` exactly when nothing is linked; for every linked slot,
//! `next(prev(slot)) == slot == prev(next(slot))`. It must never be given a slot of another slab.

use crate::arena::slab::Links;
use crate::arena::slab::Slab;
use crate::arena::slab::SlotId;

/// Where the circle starts. The links themselves are in the slab.
#[derive(Debug)]
pub(crate) struct List {
    head: SlotId,
}

impl List {
    pub(crate) const fn new() -> Self {
        Self { head: SlotId::NIL }
    }

    /// The most recently used slot.
    pub(crate) fn front(&self) -> Option<SlotId> {
        (self.head != SlotId::NIL).then_some(self.head)
    }

    /// The least recently used slot.
    pub(crate) fn back<T>(&self, slab: &Slab<T>) -> Option<SlotId> {
        self.front().map(|head| slab.links(head).prev)
    }

    /// Links `id` as the most recently used.
    pub(crate) fn link_front<T>(&mut self, slab: &mut Slab<T>, id: SlotId) {
        self.link_back(slab, id);
        self.head = id;
    }

    /// Links `id` as the least recently used.
    pub(crate) fn link_back<T>(&mut self, slab: &mut Slab<T>, id: SlotId) {
        let Some(head) = self.front() else {
            *slab.links_mut(id) = Links { prev: id, next: id };
            self.head = id;
            return;
        };
        let back = slab.links(head).prev;
        *slab.links_mut(id) = Links { prev: back, next: head };
        slab.links_mut(back).next = id;
        slab.links_mut(head).prev = id;
    }

    /// Takes `id` out of the circle.
    pub(crate) fn unlink<T>(&mut self, slab: &mut Slab<T>, id: SlotId) {
        let Links { prev, next } = slab.links(id);
        if next == id {
            self.head = SlotId::NIL;
            return;
        }
        slab.links_mut(prev).next = next;
        slab.links_mut(next).prev = prev;
        if self.head == id {
            self.head = next;
        }
    }

    /// Makes `id` the most recently used. Costs one comparison if it already is.
    pub(crate) fn move_to_front<T>(&mut self, slab: &mut Slab<T>, id: SlotId) {
        if self.head == id {
            return;
        }
        if slab.links(self.head).prev == id {
            self.head = id;
            return;
        }
        self.unlink(slab, id);
        self.link_front(slab, id);
    }
}
