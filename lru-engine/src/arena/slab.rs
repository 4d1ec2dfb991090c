//! The slots: one growing array of nodes, addressed by 32-bit positions and recycled through a
//! free list.
//!
//! Links live inside the node, so that following the list and reading the entry touch the same
//! memory, and so that an entry costs one place in one array and no allocation of its own.
//!
//! ```text
//! node:  prev  next | item          occupied: links of the recency list, item is Some
//!        NIL   next | None          vacant:   `next` is the next vacant slot or NIL
//! ```
//!
//! Invariants: a slot is either occupied or on the free list, never both; a position handed out
//! stays good until [`Slab::take`] is called for it. It must never move an occupied node to
//! another position: the index and the neighbours hold positions.

/// The most slots that an arena can have: positions are 32 bits wide, and the largest is
/// [`SlotId::NIL`].
pub(crate) const SLOTS_MAX: usize = (u32::MAX - 1) as usize;

/// The slots that the first growth makes room for, so that small caches do not grow one by one.
const SLOTS_FIRST: usize = 4;

/// The position of a slot in its arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotId(u32);

impl SlotId {
    /// No slot: the end of the free list, and the head of an empty recency list.
    pub(crate) const NIL: Self = Self(u32::MAX);

    const fn position(self) -> usize {
        self.0 as usize
    }
}

/// The two neighbours of a slot in the recency list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    /// The neighbour that was used more recently.
    pub(crate) prev: SlotId,
    /// The neighbour that was used less recently.
    pub(crate) next: SlotId,
}

#[derive(Debug)]
struct Node<T> {
    links: Links,
    item: Option<T>,
}

/// Slots of `T`, occupied or waiting on the free list.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    nodes: Vec<Node<T>>,
    free: SlotId,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { nodes: Vec::new(), free: SlotId::NIL }
    }

    /// Makes room for one more item, so that the next [`put`](Self::put) cannot fail.
    ///
    /// Growth doubles, and stops at `slots_max`: memory is bounded by the capacity.
    pub(crate) fn reserve_one(&mut self, slots_max: usize) {
        let len = self.nodes.len();
        if self.free != SlotId::NIL || len < self.nodes.capacity() {
            return;
        }
        let target = len.saturating_mul(2).max(SLOTS_FIRST).min(slots_max).max(len + 1);
        self.nodes.reserve_exact(target - len);
    }

    /// Occupies a slot with `item`. Its links are set by the caller.
    pub(crate) fn put(&mut self, item: T) -> SlotId {
        let links = Links { prev: SlotId::NIL, next: SlotId::NIL };
        if self.free == SlotId::NIL {
            assert!(self.nodes.len() < SLOTS_MAX, "an arena has at most {SLOTS_MAX} slots");
            let id = SlotId(self.nodes.len() as u32);
            self.nodes.push(Node { links, item: Some(item) });
            return id;
        }
        let id = self.free;
        let node = self.node_mut(id);
        debug_assert!(node.item.is_none(), "the free list holds vacant slots");
        let free_next = node.links.next;
        *node = Node { links, item: Some(item) };
        self.free = free_next;
        id
    }

    /// Vacates a slot. The caller has unlinked it.
    pub(crate) fn take(&mut self, id: SlotId) -> T {
        let free = self.free;
        let node = self.node_mut(id);
        let item = node.item.take().expect("only an occupied slot is vacated");
        node.links = Links { prev: SlotId::NIL, next: free };
        self.free = id;
        item
    }

    /// Puts `item` into an occupied slot and returns what it held; the links stay.
    pub(crate) fn replace(&mut self, id: SlotId, item: T) -> T {
        self.node_mut(id).item.replace(item).expect("only an occupied slot is replaced")
    }

    pub(crate) fn item(&self, id: SlotId) -> &T {
        self.node(id).item.as_ref().expect("a linked slot is occupied")
    }

    pub(crate) fn item_mut(&mut self, id: SlotId) -> &mut T {
        self.node_mut(id).item.as_mut().expect("a linked slot is occupied")
    }

    pub(crate) fn links(&self, id: SlotId) -> Links {
        self.node(id).links
    }

    pub(crate) fn links_mut(&mut self, id: SlotId) -> &mut Links {
        &mut self.node_mut(id).links
    }

    fn node(&self, id: SlotId) -> &Node<T> {
        &self.nodes[id.position()]
    }

    fn node_mut(&mut self, id: SlotId) -> &mut Node<T> {
        &mut self.nodes[id.position()]
    }
}

#[cfg(any(test, feature = "check"))]
impl<T> Slab<T> {
    /// Panics unless exactly `occupied` slots are occupied and all others are on the free list.
    pub(crate) fn check_invariants(&self, occupied: usize) {
        let items = self.nodes.iter().filter(|node| node.item.is_some()).count();
        assert_eq!(items, occupied, "occupied slots differ from the length");
        let mut vacant = 0;
        let mut id = self.free;
        while id != SlotId::NIL {
            vacant += 1;
            assert!(vacant <= self.nodes.len(), "the free list is a cycle");
            assert!(self.node(id).item.is_none(), "the free list holds an occupied slot");
            id = self.node(id).links.next;
        }
        assert_eq!(items + vacant, self.nodes.len(), "a slot is neither occupied nor free");
    }
}

#[cfg(test)]
impl<T> Slab<T> {
    /// The slots that memory is held for.
    pub(crate) fn room(&self) -> usize {
        self.nodes.capacity()
    }
}
