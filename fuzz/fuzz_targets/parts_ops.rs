//! The engine's inner parts alone: the list of items in order of use, and the index of positions.
//!
//! Both are private, so their files are compiled into this target, which sees more than a user can
//! bring about: any hash in any order, so that chunks of the index overflow into one another as a
//! good hasher hardly ever makes them. After every operation the whole order, all hashes and the
//! invariants of both are compared with an order and an array in a `Vec` each.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the engine uses the rest of them")]
#![allow(unfulfilled_lint_expectations, reason = "nothing here denies what the engine does")]

extern crate alloc;

#[path = "../../lru-engine/src/arena/mod.rs"]
mod arena;
#[path = "../../lru-engine/src/index/mod.rs"]
mod index;
#[path = "../../lru-engine/src/prefetch.rs"]
mod prefetch;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

use crate::arena::Arena;
use crate::arena::SlotId;
use crate::index::AtHome;
use crate::index::Index;

/// Positions are taken modulo the length.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    PushFront(Hash),
    PushBack(Hash),
    Touch(u16),
    Remove(u16),
    RemoveBack,
    /// An insert into a full cache: the list turns, and the item at its front is replaced.
    ReplaceBack(Hash),
    Find(Hash),
}

/// A hash with its home and its tag drawn apart, or any.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Hash {
    Near { home: u8, tag: u8 },
    Any(u32),
}

impl Hash {
    fn value(self, home_mask: u8) -> u32 {
        match self {
            Self::Near { home, tag } => u32::from(home & home_mask) | u32::from(tag) << 24,
            Self::Any(hash) => hash,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    /// What the homes are cut to: few of them overflow.
    home_mask: u8,
    len_max: u16,
    ops: Vec<Op>,
}

/// Both parts as a shard puts them together, and beside them what they should have.
struct Parts {
    arena: Arena<u32>,
    index: Index,
    len_max: usize,
    /// The items, most recently used first.
    order: Vec<u32>,
    /// Item and hash of each position.
    places: Vec<(u32, u32)>,
    next_item: u32,
}

fuzz_target!(|input: Input| {
    let mut parts = Parts {
        arena: Arena::new(),
        index: Index::new(),
        len_max: usize::from(input.len_max).max(1),
        order: Vec::new(),
        places: Vec::new(),
        next_item: 0,
    };
    for op in input.ops {
        parts.apply(op, input.home_mask);
        parts.check();
    }
});

impl Parts {
    fn apply(&mut self, op: Op, home_mask: u8) {
        match op {
            Op::PushFront(hash) | Op::PushBack(hash) => {
                if self.places.len() < self.len_max {
                    self.push(op, hash.value(home_mask));
                }
            }
            Op::Touch(position) => {
                if let Some(id) = self.id(position) {
                    let item = self.places[id.0 as usize].0;
                    assert_eq!(*self.arena.touch(id), item);
                    self.order.retain(|other| *other != item);
                    self.order.insert(0, item);
                }
            }
            Op::Remove(position) => {
                if let Some(id) = self.id(position) {
                    self.remove(id);
                }
            }
            Op::RemoveBack => {
                assert_eq!(self.arena.back().is_none(), self.order.is_empty());
                if let Some(id) = self.arena.back() {
                    assert_eq!(self.places[id.0 as usize].0, self.order[self.order.len() - 1]);
                    self.remove(id);
                }
            }
            Op::ReplaceBack(hash) => self.replace_back(hash.value(home_mask)),
            Op::Find(hash) => self.find(hash.value(home_mask)),
        }
    }

    fn id(&self, position: u16) -> Option<SlotId> {
        let len = self.places.len() as u32;
        (len > 0).then(|| SlotId(u32::from(position) % len))
    }

    fn push(&mut self, op: Op, hash: u32) {
        let item = self.next_item;
        self.next_item += 1;
        self.index.reserve_one(self.arena.hashes());
        self.arena.reserve_one(self.len_max);
        let id = match op {
            Op::PushBack(_) => {
                self.order.push(item);
                self.arena.push_back(hash, item)
            }
            _ => {
                self.order.insert(0, item);
                self.arena.push_front(hash, item)
            }
        };
        assert_eq!(id.0 as usize, self.places.len(), "a gap");
        self.index.insert(hash, id.0);
        self.places.push((item, hash));
    }

    fn remove(&mut self, id: SlotId) {
        let (item, _) = self.places.swap_remove(id.0 as usize);
        self.order.retain(|other| *other != item);
        self.index.remove(id.0, self.arena.hashes());
        if let Some(last) = self.arena.last().filter(|last| *last != id) {
            self.index.reposition(last.0, id.0, self.arena.hashes());
        }
        assert_eq!(self.arena.remove(id), item);
    }

    fn replace_back(&mut self, hash: u32) {
        let back = self.arena.back();
        let turned = self.arena.back_to_front();
        assert_eq!(turned.map(|(id, _)| id), back);
        let Some((id, evicted)) = turned else { return };
        assert_eq!(evicted, self.places[id.0 as usize].1, "the hash of another");
        self.index.remove_of_hash(evicted, id.0, self.arena.hashes());
        let item = self.next_item;
        self.next_item += 1;
        assert_eq!(Some(self.arena.replace(id, hash, item)), self.order.pop());
        self.index.insert(hash, id.0);
        self.order.insert(0, item);
        self.places[id.0 as usize] = (item, hash);
        if let Some(next) = self.arena.prefetch_back() {
            self.index.prefetch(next);
        }
    }

    /// Each entry of a hash is found under it, and what is found is one of the same tag.
    fn find(&self, hash: u32) {
        for (position, (_, held)) in self.places.iter().enumerate() {
            if *held == hash {
                self.find_position(hash, position as u32);
            }
        }
        self.index.find(hash.into(), |other| {
            assert!((other as usize) < self.places.len(), "a position that nobody has");
            false
        });
    }

    /// An entry is found under its hash, whatever bits are above it, and the first look never says
    /// that it is nowhere.
    fn find_position(&self, hash: u32, position: u32) {
        let hash = u64::from(hash) | u64::from(!hash) << 32;
        let found = self.index.find(hash, |other| other == position);
        assert_eq!(found, Some(position), "position {position} is lost");
        let at_home = self.index.find_at_home(hash, |other| other == position);
        assert!([AtHome::Found(position), AtHome::Perhaps].contains(&at_home), "{at_home:?}");
    }

    fn check(&self) {
        self.arena.check_invariants();
        self.index.check_invariants(self.arena.hashes());
        let hashes: Vec<u32> = self.places.iter().map(|place| place.1).collect();
        assert_eq!(self.arena.hashes(), hashes);
        assert_eq!(self.arena.items().copied().collect::<Vec<_>>(), self.order);
        let reversed: Vec<u32> = self.order.iter().rev().copied().collect();
        assert_eq!(self.arena.items().rev().copied().collect::<Vec<_>>(), reversed);
    }
}
