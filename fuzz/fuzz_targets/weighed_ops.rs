//! Any operations on a [`Cache`] and on an LRU in a `Vec`, weighed or not, with either bound or
//! both.
//!
//! With one shard the answers, the whole order and the weight are compared after every operation.
//! With several it is held that neither bound is exceeded, that what fits is there after it came
//! in, and that nothing leaves while there is room.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lru_engine::Cache;
use lru_engine::RefusedReason;

/// Keys are few, so that most operations meet an entry. A value is its own weight.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    Get(u8),
    Insert(u8, Weight),
    InsertCold(u8, Weight),
    Fill(u8, Weight),
    FillCold(u8, Weight),
    Write(u8, Weight),
    Load(u8, Weight),
    /// A ticket that comes too late.
    Late(u8, Weight),
    /// One that an insert overtakes.
    Overtaken(u8, Weight),
    Remove(u8),
    PopLru,
    Clear,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Weight {
    Light(u8),
    Any(u64),
}

impl Weight {
    fn value(self) -> u64 {
        match self {
            Self::Light(weight) => u64::from(weight % 16),
            Self::Any(weight) => weight,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    /// Without it nobody weighs, and inserts go another way.
    weight_capacity: Option<Weight>,
    capacity: Option<u8>,
    shard_bits: u8,
    /// What the keys are cut to.
    key_mask: u8,
    ops: Vec<Op>,
}

fuzz_target!(|input: Input| {
    let mut model = Model {
        capacity: input.capacity.map_or(usize::MAX, usize::from),
        weight_capacity: input.weight_capacity.map(Weight::value),
        entries: Vec::new(),
    };
    let builder = Cache::builder().capacity(model.capacity).shards(1 << (input.shard_bits % 4));
    let builder = match model.weight_capacity {
        Some(bound) => builder.weight_capacity(bound).weigher(|_key, value: &u64| *value),
        None => builder,
    };
    let cache = builder.build().expect("it has bounds");
    for op in input.ops {
        if cache.shards() == 1 {
            apply(op, input.key_mask, &cache, &mut model);
            let mut order = Vec::new();
            cache.for_each_by_recency(|key, value| order.push((*key, *value)));
            assert_eq!(order, model.entries, "after {op:?}");
            assert_eq!(cache.weight(), model.weight(), "after {op:?}");
        } else {
            apply_sharded(op, input.key_mask, &cache, &model);
        }
        cache.check_invariants();
        assert!(cache.len() <= model.capacity && cache.weight() <= model.bound());
        assert_eq!(cache.tickets_out(), 0, "after {op:?}");
    }
});

/// Does the same to both and compares the answers.
fn apply(op: Op, mask: u8, cache: &Cache<u8, u64>, model: &mut Model) {
    match op {
        Op::Get(key) => assert_eq!(cache.get(&(key & mask)), model.touch(key & mask)),
        Op::Insert(key, weight) => {
            let (key, weight) = (key & mask, weight.value());
            assert_eq!(cache.insert(key, weight), model.insert(key, weight).0);
        }
        Op::Fill(key, weight) | Op::Write(key, weight) => {
            let (key, weight) = (key & mask, weight.value());
            let filled = match op {
                Op::Fill(..) => cache.ticket(key).fill(weight),
                _ => cache.write_ticket(key).write(weight),
            };
            assert_eq!(filled.err().map(|refused| refused.reason), model.insert(key, weight).1);
        }
        Op::InsertCold(key, weight) | Op::FillCold(key, weight) => {
            let (key, weight) = (key & mask, weight.value());
            let inserted = match op {
                Op::InsertCold(..) => cache.insert_cold(key, weight),
                _ => cache.ticket(key).fill_cold(weight),
            };
            let refused = inserted.err().map(|refused| refused.reason);
            assert_eq!(refused, model.insert_cold(key, weight));
        }
        Op::Load(key, weight) => {
            let (key, weight) = (key & mask, weight.value());
            let found = model.touch(key);
            if found.is_none() {
                model.insert(key, weight);
            }
            assert_eq!(cache.get_or_insert_with(key, || weight), found.unwrap_or(weight));
        }
        Op::Late(key, weight) => {
            late(key & mask, weight.value(), cache);
            model.take(key & mask);
        }
        Op::Overtaken(key, weight) => {
            let (key, weight) = (key & mask, weight.value());
            let ticket = cache.ticket(key);
            assert_eq!(cache.insert(key, weight), model.insert(key, weight).0);
            assert_eq!(ticket.fill(weight).unwrap_err().reason, RefusedReason::Overtaken);
        }
        Op::Remove(key) => assert_eq!(cache.remove(&(key & mask)), model.take(key & mask)),
        Op::PopLru => assert_eq!(cache.pop_lru(), model.entries.pop()),
        Op::Clear => {
            cache.clear();
            model.entries.clear();
        }
    }
}

fn late(key: u8, weight: u64, cache: &Cache<u8, u64>) {
    let (read, write) = (cache.ticket(key), cache.write_ticket(key));
    cache.invalidate(&key);
    assert_eq!(read.fill(weight).unwrap_err().reason, RefusedReason::Overtaken);
    assert_eq!(write.write(weight).unwrap_err().reason, RefusedReason::Overtaken);
}

/// With several shards another entry leaves than the model says.
fn apply_sharded(op: Op, mask: u8, cache: &Cache<u8, u64>, model: &Model) {
    let (before, len, evicted) = (cache.weight(), cache.len(), cache.stats().evictions);
    match op {
        Op::Insert(key, weight) | Op::Fill(key, weight) | Op::Write(key, weight) => {
            let (key, weight) = (key & mask, weight.value());
            let former = cache.peek(&key);
            match op {
                Op::Insert(..) => assert_eq!(cache.insert(key, weight), former),
                Op::Fill(..) => drop(cache.ticket(key).fill(weight)),
                _ => drop(cache.write_ticket(key).write(weight)),
            }
            let can_enter = model.weight_of(weight) <= model.bound() && model.capacity > 0;
            assert_eq!(cache.peek(&key), can_enter.then_some(weight));
            let others = before - model.weight_of(former.unwrap_or(0));
            let has_place = former.is_some() || len < model.capacity;
            let fits = model.weight_of(weight) <= model.bound() - others && has_place;
            assert!(!fits || cache.stats().evictions == evicted, "{op:?} evicts although it fits");
        }
        Op::InsertCold(key, weight) => drop(cache.insert_cold(key & mask, weight.value())),
        Op::FillCold(key, weight) => drop(cache.ticket(key & mask).fill_cold(weight.value())),
        Op::Load(key, weight) => {
            cache.get_or_insert_with(key & mask, || weight.value());
        }
        Op::Late(key, weight) => late(key & mask, weight.value(), cache),
        Op::Overtaken(key, weight) => {
            let ticket = cache.ticket(key & mask);
            cache.insert(key & mask, weight.value());
            assert_eq!(ticket.fill(0).unwrap_err().reason, RefusedReason::Overtaken);
        }
        Op::Get(key) => assert_eq!(cache.get(&(key & mask)), cache.peek(&(key & mask))),
        Op::Remove(key) => assert_eq!(cache.peek(&(key & mask)), cache.remove(&(key & mask))),
        Op::PopLru => assert_eq!(cache.pop_lru().is_some(), len > 0),
        Op::Clear => {
            cache.clear();
            assert!(cache.is_empty());
        }
    }
}

/// An LRU that is short enough to be seen to be right.
struct Model {
    capacity: usize,
    /// `None` if nothing weighs anything.
    weight_capacity: Option<u64>,
    /// Most recently used first.
    entries: Vec<(u8, u64)>,
}

impl Model {
    fn bound(&self) -> u64 {
        self.weight_capacity.unwrap_or(0)
    }

    fn weight_of(&self, value: u64) -> u64 {
        self.weight_capacity.map_or(0, |_| value)
    }

    fn weight(&self) -> u64 {
        self.entries.iter().map(|entry| self.weight_of(entry.1)).sum()
    }

    fn take(&mut self, key: u8) -> Option<u64> {
        let position = self.entries.iter().position(|entry| entry.0 == key)?;
        Some(self.entries.remove(position).1)
    }

    fn touch(&mut self, key: u8) -> Option<u64> {
        let weight = self.take(key)?;
        self.entries.insert(0, (key, weight));
        Some(weight)
    }

    fn has_room(&self, value: u64) -> bool {
        let weight = self.weight_of(value);
        weight <= self.bound() - self.weight() && self.entries.len() < self.capacity
    }

    /// The former weight, and why the entry did not come in.
    fn insert(&mut self, key: u8, weight: u64) -> (Option<u64>, Option<RefusedReason>) {
        let former = self.take(key);
        if self.weight_of(weight) > self.bound() {
            return (former, Some(RefusedReason::TooHeavy));
        }
        if self.capacity == 0 {
            // What is not weighed is dropped without a word.
            return (former, self.weight_capacity.map(|_| RefusedReason::Full));
        }
        while !self.has_room(weight) {
            self.entries.pop();
        }
        self.entries.insert(0, (key, weight));
        (former, None)
    }

    fn insert_cold(&mut self, key: u8, weight: u64) -> Option<RefusedReason> {
        if self.entries.iter().any(|entry| entry.0 == key) {
            Some(RefusedReason::Present)
        } else if self.weight_of(weight) > self.bound() {
            Some(RefusedReason::TooHeavy)
        } else if !self.has_room(weight) {
            Some(RefusedReason::Full)
        } else {
            self.entries.push((key, weight));
            None
        }
    }
}
