//! The naive twin of the engine: an LRU in a `Vec`, most recently used first, every operation a
//! linear search. Short enough to be seen to be right.

use std::hash::BuildHasherDefault;
use std::hash::Hasher;

use lru_engine::RefusedReason;
use lru_engine::Stats;

/// An operation that both twins are given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Get(u8),
    /// Looks the key up and adds 1 to its value.
    Change(u8),
    Peek(u8),
    Contains(u8),
    Insert(u8, u32),
    InsertCold(u8, u32),
    Remove(u8),
    PopLru,
    Clear,
    /// Looks the key up, and loads it if it is missing.
    Load(u8, u32),
    /// The three ways to hand in a ticket that nothing overtook.
    Fill(u8, u32),
    FillCold(u8, u32),
    Write(u8, u32),
    Invalidate(u8),
    InvalidateAll,
}

/// What an operation answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Is(bool),
    Value(Option<u32>),
    Entry(Option<(u8, u32)>),
    Refused(u8, u32, RefusedReason),
}

#[derive(Debug)]
pub(crate) struct Naive {
    pub(crate) capacity: usize,
    /// Most recently used first.
    pub(crate) entries: Vec<(u8, u32)>,
    pub(crate) stats: Stats,
}

impl Naive {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, entries: Vec::new(), stats: Stats::default() }
    }

    fn position(&self, key: u8) -> Option<usize> {
        self.entries.iter().position(|entry| entry.0 == key)
    }

    fn lookup(&mut self, key: u8) -> Option<&mut u32> {
        let Some(position) = self.position(key) else {
            self.stats.misses += 1;
            return None;
        };
        self.stats.hits += 1;
        let entry = self.entries.remove(position);
        self.entries.insert(0, entry);
        Some(&mut self.entries[0].1)
    }

    fn insert(&mut self, key: u8, value: u32) -> Option<u32> {
        if let Some(position) = self.position(key) {
            self.stats.replacements += 1;
            let (_, former) = self.entries.remove(position);
            self.entries.insert(0, (key, value));
            return Some(former);
        }
        if self.capacity == 0 {
            return None;
        }
        self.stats.inserts += 1;
        self.entries.insert(0, (key, value));
        if self.entries.len() > self.capacity {
            self.stats.evictions += 1;
            self.entries.pop();
        }
        None
    }

    fn insert_cold(&mut self, key: u8, value: u32) -> Answer {
        let reason = if self.position(key).is_some() {
            RefusedReason::Present
        } else if self.entries.len() >= self.capacity {
            RefusedReason::Full
        } else {
            self.stats.inserts += 1;
            self.entries.push((key, value));
            return Answer::Done;
        };
        self.stats.cold_refusals += 1;
        Answer::Refused(key, value, reason)
    }

    fn removed(&mut self, position: Option<usize>) -> Option<(u8, u32)> {
        let entry = self.entries.remove(position?);
        self.stats.removals += 1;
        Some(entry)
    }

    pub(crate) fn apply(&mut self, op: Op) -> Answer {
        match op {
            Op::Get(key) => Answer::Value(self.lookup(key).copied()),
            Op::Change(key) => Answer::Value(self.lookup(key).map(|value| {
                *value = value.wrapping_add(1);
                *value
            })),
            Op::Peek(key) => Answer::Value(self.position(key).map(|at| self.entries[at].1)),
            Op::Contains(key) => Answer::Is(self.position(key).is_some()),
            Op::Insert(key, value) => Answer::Value(self.insert(key, value)),
            Op::InsertCold(key, value) => self.insert_cold(key, value),
            Op::Remove(key) => {
                let position = self.position(key);
                Answer::Value(self.removed(position).map(|(_, value)| value))
            }
            Op::PopLru => Answer::Entry(self.removed(self.entries.len().checked_sub(1))),
            Op::Clear | Op::InvalidateAll => {
                self.stats.removals += self.entries.len() as u64;
                self.entries.clear();
                Answer::Done
            }
            Op::Load(key, value) => {
                let found = self.lookup(key).copied();
                if found.is_none() {
                    self.insert(key, value);
                }
                Answer::Value(found.or(Some(value)))
            }
            Op::Fill(key, value) | Op::Write(key, value) => {
                self.insert(key, value);
                Answer::Done
            }
            Op::FillCold(key, value) => self.insert_cold(key, value),
            Op::Invalidate(key) => {
                let position = self.position(key);
                self.removed(position);
                Answer::Done
            }
        }
    }
}

/// The worst hasher there is: every key collides with every other.
#[derive(Debug, Default)]
pub(crate) struct Zero;

/// Builds [`Zero`].
pub(crate) type BuildZero = BuildHasherDefault<Zero>;

impl Hasher for Zero {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, _bytes: &[u8]) {}
}

/// Takes a number for its own hash.
#[derive(Debug, Default)]
pub(crate) struct Identity(u64);

/// Builds [`Identity`].
pub(crate) type BuildIdentity = BuildHasherDefault<Identity>;

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    }
}
