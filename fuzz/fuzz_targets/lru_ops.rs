//! Any operations on an [`LruMap`] and on an LRU in a `Vec`: same answers, same order, same counts.
//!
//! The whole order and the map's invariants are compared after every operation.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lru_engine::LruMap;
use lru_engine::RefusedReason;

/// Keys are few, so that most operations meet an entry.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    Get(u8),
    Change(u8, u32),
    Peek(u8),
    Contains(u8),
    Insert(u8, u32),
    InsertCold(u8, u32),
    Remove(u8),
    PopLru,
    Clear,
}

#[derive(Arbitrary, Debug)]
struct Input {
    capacity: u8,
    /// What the keys are cut to: a capacity is as often above as below the number of keys.
    key_mask: u8,
    ops: Vec<Op>,
}

fuzz_target!(|input: Input| {
    let mut map = LruMap::new(usize::from(input.capacity));
    let mut model = Model { capacity: usize::from(input.capacity), ..Model::default() };
    for op in input.ops {
        let op = op.masked(input.key_mask);
        apply(op, &mut map, &mut model);
        map.check_invariants();
        let order: Vec<(u8, u32)> = map.iter().map(|(key, value)| (*key, *value)).collect();
        assert_eq!(order, model.entries, "after {op:?}");
        assert_eq!(map.len(), model.entries.len());
        let stats = map.stats();
        let counts = (stats.hits, stats.misses, stats.evictions);
        assert_eq!(counts, (model.hits, model.misses, model.evictions), "after {op:?}");
    }
});

impl Op {
    fn masked(self, mask: u8) -> Self {
        match self {
            Self::Get(key) => Self::Get(key & mask),
            Self::Change(key, value) => Self::Change(key & mask, value),
            Self::Peek(key) => Self::Peek(key & mask),
            Self::Contains(key) => Self::Contains(key & mask),
            Self::Insert(key, value) => Self::Insert(key & mask, value),
            Self::InsertCold(key, value) => Self::InsertCold(key & mask, value),
            Self::Remove(key) => Self::Remove(key & mask),
            Self::PopLru | Self::Clear => self,
        }
    }
}

/// Does the same to both and compares the answers.
fn apply(op: Op, map: &mut LruMap<u8, u32>, model: &mut Model) {
    match op {
        Op::Get(key) => assert_eq!(map.get(&key), model.touch(key).map(|value| &*value)),
        Op::Change(key, to) => {
            let former = map.get_mut(&key).map(|value| std::mem::replace(value, to));
            assert_eq!(former, model.touch(key).map(|value| std::mem::replace(value, to)));
        }
        Op::Peek(key) => assert_eq!(map.peek(&key), model.peek(key)),
        Op::Contains(key) => assert_eq!(map.contains_key(&key), model.peek(key).is_some()),
        Op::Insert(key, value) => assert_eq!(map.insert(key, value), model.insert(key, value)),
        Op::InsertCold(key, value) => {
            let refused = map.insert_cold(key, value).err().map(|refused| refused.reason);
            assert_eq!(refused, model.insert_cold(key, value));
        }
        Op::Remove(key) => assert_eq!(map.remove(&key), model.remove(key)),
        Op::PopLru => assert_eq!(map.pop_lru(), model.entries.pop()),
        Op::Clear => {
            map.clear();
            model.entries.clear();
        }
    }
}

/// An LRU that is short enough to be seen to be right.
#[derive(Default)]
struct Model {
    capacity: usize,
    /// Most recently used first.
    entries: Vec<(u8, u32)>,
    hits: u64,
    misses: u64,
    evictions: u64,
}

impl Model {
    fn position(&self, key: u8) -> Option<usize> {
        self.entries.iter().position(|entry| entry.0 == key)
    }

    fn peek(&self, key: u8) -> Option<&u32> {
        self.position(key).map(|at| &self.entries[at].1)
    }

    fn touch(&mut self, key: u8) -> Option<&mut u32> {
        let Some(at) = self.position(key) else {
            self.misses += 1;
            return None;
        };
        self.hits += 1;
        self.entries[..=at].rotate_right(1);
        Some(&mut self.entries[0].1)
    }

    fn insert(&mut self, key: u8, value: u32) -> Option<u32> {
        let former = self.remove(key);
        if self.capacity > 0 {
            self.entries.insert(0, (key, value));
        }
        if self.entries.len() > self.capacity {
            self.entries.pop();
            self.evictions += 1;
        }
        former
    }

    fn insert_cold(&mut self, key: u8, value: u32) -> Option<RefusedReason> {
        if self.position(key).is_some() {
            return Some(RefusedReason::Present);
        }
        if self.entries.len() >= self.capacity {
            return Some(RefusedReason::Full);
        }
        self.entries.push((key, value));
        None
    }

    fn remove(&mut self, key: u8) -> Option<u32> {
        self.position(key).map(|at| self.entries.remove(at).1)
    }
}
