//! The engine against its naive twin: the same operations, and after each one the same answer,
//! the same whole order, the same counts.

use std::hash::BuildHasher;

use lru_engine::Cache;
use lru_engine::DefaultHasher;
use lru_engine::LruMap;
use lru_engine::Refused;
use lru_engine::Stats;
use proptest::prelude::*;

use crate::naive::Answer;
use crate::naive::BuildZero;
use crate::naive::Naive;
use crate::naive::Op;
use crate::watchdog::turns;

/// An engine under test.
trait Subject {
    fn apply(&mut self, op: Op) -> Answer;
    /// All entries, most recently used first.
    fn order(&self) -> Vec<(u8, u32)>;
    fn len(&self) -> usize;
    fn stats(&self) -> Stats;
    fn check_invariants(&self);
}

impl<S: BuildHasher> Subject for LruMap<u8, u32, S> {
    fn apply(&mut self, op: Op) -> Answer {
        match op {
            Op::Get(key) => Answer::Value(self.get(&key).copied()),
            Op::Change(key) => Answer::Value(self.get_mut(&key).map(|value| {
                *value = value.wrapping_add(1);
                *value
            })),
            Op::Peek(key) => Answer::Value(self.peek(&key).copied()),
            Op::Contains(key) => Answer::Is(self.contains_key(&key)),
            Op::Insert(key, value) => Answer::Value(self.insert(key, value)),
            Op::InsertCold(key, value) => match self.insert_cold(key, value) {
                Ok(()) => Answer::Done,
                Err(refused) => Answer::Refused(refused.key, refused.value, refused.reason),
            },
            Op::Remove(key) => Answer::Value(self.remove(&key)),
            Op::PopLru => Answer::Entry(self.pop_lru()),
            Op::Clear | Op::InvalidateAll => {
                self.clear();
                Answer::Done
            }
            // The rest is of `Cache` alone; here its like.
            Op::Load(key, value) => {
                let found = self.get(&key).copied();
                if found.is_none() {
                    self.insert(key, value);
                }
                Answer::Value(found.or(Some(value)))
            }
            Op::Fill(key, value) | Op::Write(key, value) => {
                self.insert(key, value);
                Answer::Done
            }
            Op::FillCold(key, value) => self.apply(Op::InsertCold(key, value)),
            Op::Invalidate(key) => {
                self.remove(&key);
                Answer::Done
            }
        }
    }

    fn order(&self) -> Vec<(u8, u32)> {
        let order: Vec<_> = self.iter().map(|(key, value)| (*key, *value)).collect();
        let mut reversed: Vec<_> = self.iter().rev().map(|(key, value)| (*key, *value)).collect();
        reversed.reverse();
        assert_eq!(order, reversed, "the order differs from the other end");
        assert_eq!(self.iter().len(), order.len());
        order
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn stats(&self) -> Stats {
        self.stats()
    }

    fn check_invariants(&self) {
        self.check_invariants();
    }
}

impl<S: BuildHasher> Subject for Cache<u8, u32, S> {
    fn apply(&mut self, op: Op) -> Answer {
        match op {
            Op::Get(key) => Answer::Value(self.get(&key)),
            // A shared cache changes a value by inserting another.
            Op::Change(key) => match self.get_with(&key, |value| value.wrapping_add(1)) {
                None => Answer::Value(None),
                Some(changed) => {
                    assert!(self.insert(key, changed).is_some());
                    Answer::Value(Some(changed))
                }
            },
            Op::Peek(key) => Answer::Value(self.peek(&key)),
            Op::Contains(key) => Answer::Is(self.contains_key(&key)),
            Op::Insert(key, value) => Answer::Value(self.insert(key, value)),
            Op::InsertCold(key, value) => handed_in(self.insert_cold(key, value)),
            Op::Remove(key) => Answer::Value(self.remove(&key)),
            Op::PopLru => Answer::Entry(self.pop_lru()),
            Op::Clear => done(Self::clear, self),
            Op::InvalidateAll => done(Self::invalidate_all, self),
            Op::Load(key, value) => Answer::Value(Some(self.get_or_insert_with(key, || value))),
            Op::Fill(key, value) => handed_in(self.ticket(key).fill(value)),
            Op::FillCold(key, value) => handed_in(self.ticket(key).fill_cold(value)),
            Op::Write(key, value) => handed_in(self.write_ticket(key).write(value)),
            Op::Invalidate(key) => done(|cache| cache.invalidate(&key), self),
        }
    }

    fn order(&self) -> Vec<(u8, u32)> {
        let mut order = Vec::new();
        self.for_each_by_recency(|key, value| order.push((*key, *value)));
        let keys: Vec<u8> = order.iter().map(|entry| entry.0).collect();
        assert_eq!(self.keys_by_recency(), keys);
        order
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn stats(&self) -> Stats {
        self.stats()
    }

    fn check_invariants(&self) {
        self.check_invariants();
    }
}

fn done<S>(act: impl FnOnce(&Cache<u8, u32, S>), cache: &Cache<u8, u32, S>) -> Answer {
    act(cache);
    Answer::Done
}

fn handed_in(result: Result<(), Refused<u8, u32>>) -> Answer {
    match result {
        Ok(()) => Answer::Done,
        Err(refused) => Answer::Refused(refused.key, refused.value, refused.reason),
    }
}

fn one_shard<S>(capacity: usize, hasher: S) -> Cache<u8, u32, S> {
    Cache::builder().capacity(capacity).shards(1).hasher(hasher).build().unwrap()
}

/// Whether [`Op::Change`] is one operation, or two that are counted one by one.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    InPlace,
    ByInsert,
}

/// Gives both twins the same operations, and compares everything that can be seen after each.
#[track_caller]
fn check(subject: &mut impl Subject, change: Change, capacity: usize, ops: &[Op]) {
    let mut naive = Naive::new(capacity);
    for (step, &op) in ops.iter().enumerate() {
        let misses = naive.stats.misses;
        let expected = naive.apply(op);
        // Only a cache has loads.
        if matches!(op, Op::Load(..)) && change == Change::ByInsert {
            naive.stats.loads += naive.stats.misses - misses;
        }
        if matches!(op, Op::Change(_))
            && change == Change::ByInsert
            && expected != Answer::Value(None)
        {
            naive.stats.replacements += 1;
        }
        assert_eq!(subject.apply(op), expected, "answer of step {step}, {op:?}");
        compare(subject, &naive, step, op);
    }
}

#[track_caller]
fn compare(subject: &impl Subject, naive: &Naive, step: usize, op: Op) {
    subject.check_invariants();
    assert_eq!(subject.order(), naive.entries, "order after step {step}, {op:?}");
    assert_eq!(subject.len(), naive.entries.len());
    assert_eq!(subject.stats(), naive.stats, "counts after step {step}, {op:?}");
}

/// The subjects: each type, with a good hasher and with the worst, and a cache that weighs.
fn check_all(capacity: usize, ops: &[Op]) {
    check(&mut LruMap::new(capacity), Change::InPlace, capacity, ops);
    let mut map = LruMap::with_hasher(capacity, BuildZero::default());
    check(&mut map, Change::InPlace, capacity, ops);
    let mut cache = one_shard(capacity, DefaultHasher::default());
    check(&mut cache, Change::ByInsert, capacity, ops);
    let mut cache = one_shard(capacity, BuildZero::default());
    check(&mut cache, Change::ByInsert, capacity, ops);
    // Where each entry weighs 1, a bound on the weight is a capacity, but that none fits into 0.
    if capacity > 0 {
        let builder = Cache::builder().weight_capacity(capacity as u64).shards(1);
        let mut cache = builder.weigher(|_key, _value| 1).build().unwrap();
        check(&mut cache, Change::ByInsert, capacity, ops);
    }
}

fn any_op(keys: u8) -> impl Strategy<Value = Op> {
    let key = 0..keys;
    prop_oneof![
        4 => key.clone().prop_map(Op::Get),
        1 => key.clone().prop_map(Op::Change),
        1 => key.clone().prop_map(Op::Peek),
        1 => key.clone().prop_map(Op::Contains),
        5 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Op::Insert(key, value)),
        2 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Op::InsertCold(key, value)),
        2 => key.clone().prop_map(Op::Remove),
        1 => Just(Op::PopLru),
        2 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Op::Load(key, value)),
        1 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Op::Fill(key, value)),
        1 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Op::FillCold(key, value)),
        1 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Op::Write(key, value)),
        1 => key.prop_map(Op::Invalidate),
    ]
}

/// Mostly [`any_op`]; a `Clear` now and then, rare enough for a cache to fill between two.
fn any_ops(keys: u8, count_max: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![40 => any_op(keys), 1 => Just(Op::Clear), 1 => Just(Op::InvalidateAll)];
    prop::collection::vec(op, 0..count_max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: turns(384), ..ProptestConfig::default() })]

    /// Issue: the whole order after each step, over every operation; few keys, small capacities.
    #[test]
    fn small_caches_do_as_their_naive_twin(capacity in 0_usize..7, ops in any_ops(9, 120)) {
        check_all(capacity, &ops);
    }

    /// Issue: the same with enough entries for the array and the index to grow several times.
    #[test]
    fn larger_caches_do_as_their_naive_twin(capacity in 8_usize..90, ops in any_ops(120, 400)) {
        check_all(capacity, &ops);
    }
}

const LEN_MAX: usize = if cfg!(miri) { 2 } else { 5 };

/// Every sequence of at most `LEN_MAX` operations over `KEYS` keys, keys numbered in the order in
/// which they first occur (any other sequence is one of these with its keys renamed).
fn each_sequence(ops: &mut Vec<Op>, keys: u8, visit: &mut impl FnMut(&[Op])) {
    const KEYS: u8 = 3;
    visit(ops);
    if ops.len() == LEN_MAX {
        return;
    }
    let value = ops.len() as u32;
    let mut next = |op, keys| {
        ops.push(op);
        each_sequence(ops, keys, visit);
        ops.pop();
    };
    for key in 0..KEYS.min(keys + 1) {
        let keys = keys.max(key + 1);
        for op in
            [Op::Insert(key, value), Op::InsertCold(key, value), Op::Get(key), Op::Remove(key)]
        {
            next(op, keys);
        }
    }
    next(Op::PopLru, keys);
    next(Op::Clear, keys);
}

/// Checks after the last operation only: what came before is a sequence of its own.
fn check_last(mut subject: impl Subject, capacity: usize, ops: &[Op]) {
    let Some((&last, before)) = ops.split_last() else { return };
    let mut naive = Naive::new(capacity);
    for &op in before {
        subject.apply(op);
        naive.apply(op);
    }
    assert_eq!(subject.apply(last), naive.apply(last), "capacity {capacity}, {ops:?}");
    for key in 0..3 {
        let (peek, contains) = (Op::Peek(key), Op::Contains(key));
        assert_eq!(subject.apply(peek), naive.apply(peek), "capacity {capacity}, {ops:?}");
        assert_eq!(subject.apply(contains), naive.apply(contains), "capacity {capacity}, {ops:?}");
    }
    compare(&subject, &naive, before.len(), last);
}

/// Issue: exhaustive for a small universe. All sequences of up to 5 operations over 3 keys, for
/// each capacity from 0 to 3, on both types.
#[test]
fn every_short_sequence_does_as_the_naive_twin() {
    let mut sequences = 0_u32;
    each_sequence(&mut Vec::new(), 0, &mut |ops| {
        sequences += 1;
        for capacity in 0..=3 {
            check_last(LruMap::with_hasher(capacity, BuildZero::default()), capacity, ops);
            check_last(one_shard(capacity, BuildZero::default()), capacity, ops);
        }
    });
    // 14 operations to choose from once all keys have occurred, fewer before.
    assert!(cfg!(miri) || sequences > 100_000, "only {sequences} sequences");
}

/// Issue: capacity 0 stores nothing; `usize::MAX` is legal.
#[test]
fn the_extreme_capacities_are_legal() {
    for shards in [1, 64] {
        let cache = Cache::builder().capacity(usize::MAX).shards(shards).build().unwrap();
        for key in 0..1_000_u32 {
            cache.insert(key, key);
        }
        assert_eq!((cache.len(), cache.capacity(), cache.shards()), (1_000, usize::MAX, shards));
        cache.check_invariants();

        let nothing = Cache::builder().capacity(0).shards(shards).build().unwrap();
        assert_eq!(nothing.insert(1, 1), None);
        assert_eq!((nothing.len(), nothing.capacity()), (0, 0));
        nothing.check_invariants();
    }
    let mut map = LruMap::new(usize::MAX);
    map.insert(1, 1);
    assert_eq!((map.len(), map.capacity()), (1, usize::MAX));
}

/// Issue: a cache with many shards is never above its capacity, and each shard's order is exact:
/// what a shard still has is what its own naive twin has.
#[test]
fn each_of_many_shards_does_as_a_naive_twin() {
    let (capacity, seed) = (40, 7);
    let cache = Cache::builder().capacity(capacity).shards(4).build().unwrap();
    let mut random = crate::random::Random::new(seed);
    let mut recent: Vec<u8> = Vec::new();
    for step in 0..turns(20_000) {
        let key = random.below(250) as u8;
        if cache.get(&key).is_none() {
            cache.insert(key, step);
        }
        recent.retain(|&earlier| earlier != key);
        recent.insert(0, key);
        assert!(cache.len() <= capacity, "seed {seed}, step {step}");
    }
    cache.check_invariants();
    // Shard by shard the keys are in order of use, with as many turns back as there are borders.
    let positions: Vec<usize> = cache
        .keys_by_recency()
        .iter()
        .map(|key| recent.iter().position(|earlier| earlier == key).unwrap())
        .collect();
    let borders = positions.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(borders < cache.shards(), "{positions:?}");
    assert_eq!(cache.len(), capacity, "250 keys fill every one of 4 shards");
}
