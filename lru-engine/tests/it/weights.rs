//! Weights: the weighed cache against a naive twin, and every way in and out.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::Weak;

use lru_engine::BuildError;
use lru_engine::Cache;
use lru_engine::Cause;
use lru_engine::RefusedReason;
use proptest::prelude::*;

use crate::random::Random;
use crate::watchdog::turns;
use crate::watchdog::watched;

/// Values are their own weight here.
fn weighed(weight_capacity: u64, shards: usize) -> Cache<u8, u64> {
    let builder = Cache::builder().weight_capacity(weight_capacity).shards(shards);
    builder.weigher(|_key, value| *value).build().unwrap()
}

/// An LRU of weights in a `Vec`, most recently used first.
#[derive(Debug)]
struct Naive {
    capacity: usize,
    weight_capacity: u64,
    entries: Vec<(u8, u64)>,
}

impl Naive {
    fn weight(&self) -> u64 {
        self.entries.iter().map(|entry| entry.1).sum()
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

    /// The former weight, and whether the entry came in.
    fn insert(&mut self, key: u8, weight: u64) -> (Option<u64>, bool) {
        let former = self.take(key);
        if weight > self.weight_capacity || self.capacity == 0 {
            return (former, false);
        }
        while self.weight_capacity - self.weight() < weight || self.entries.len() >= self.capacity {
            self.entries.pop();
        }
        self.entries.insert(0, (key, weight));
        (former, true)
    }

    fn insert_cold(&mut self, key: u8, weight: u64) -> Option<RefusedReason> {
        if self.entries.iter().any(|entry| entry.0 == key) {
            Some(RefusedReason::Present)
        } else if weight > self.weight_capacity {
            Some(RefusedReason::TooHeavy)
        } else if weight > self.weight_capacity - self.weight()
            || self.entries.len() >= self.capacity
        {
            Some(RefusedReason::Full)
        } else {
            self.entries.push((key, weight));
            None
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Get(u8),
    Insert(u8, u64),
    Fill(u8, u64),
    Write(u8, u64),
    Load(u8, u64),
    InsertCold(u8, u64),
    FillCold(u8, u64),
    Remove(u8),
    Pop,
    Clear,
}

fn any_op() -> impl Strategy<Value = Op> {
    // Up to twice the largest bound, light ones more often, and some beyond any.
    let weight = prop_oneof![6 => 0_u64..8, 2 => 0_u64..40, 1 => Just(u64::MAX)];
    let entry = (0_u8..9, weight);
    prop_oneof![
        3 => (0_u8..9).prop_map(Op::Get),
        6 => entry.clone().prop_map(|(key, weight)| Op::Insert(key, weight)),
        1 => entry.clone().prop_map(|(key, weight)| Op::Fill(key, weight)),
        1 => entry.clone().prop_map(|(key, weight)| Op::Write(key, weight)),
        1 => entry.clone().prop_map(|(key, weight)| Op::Load(key, weight)),
        2 => entry.clone().prop_map(|(key, weight)| Op::InsertCold(key, weight)),
        1 => entry.prop_map(|(key, weight)| Op::FillCold(key, weight)),
        2 => (0_u8..9).prop_map(Op::Remove),
        1 => Just(Op::Pop),
    ]
}

/// Gives both the same operation; the answers are the same.
fn step(cache: &Cache<u8, u64>, naive: &mut Naive, op: Op) {
    match op {
        Op::Get(key) => assert_eq!(cache.get(&key), naive.touch(key)),
        Op::Insert(key, weight) => {
            assert_eq!(cache.insert(key, weight), naive.insert(key, weight).0);
        }
        Op::Fill(key, weight) | Op::Write(key, weight) => {
            let filled = match op {
                Op::Fill(..) => cache.ticket(key).fill(weight),
                _ => cache.write_ticket(key).write(weight),
            };
            let (_, is_in) = naive.insert(key, weight);
            let is_heavy = weight > naive.weight_capacity;
            let reason = if is_heavy { RefusedReason::TooHeavy } else { RefusedReason::Full };
            let expected = (!is_in).then_some(reason);
            assert_eq!(filled.err().map(|refused| refused.reason), expected);
        }
        Op::Load(key, weight) => {
            let loaded = cache.get_or_insert_with(key, || weight);
            let found = naive.touch(key);
            if found.is_none() {
                naive.insert(key, weight);
            }
            assert_eq!(loaded, found.unwrap_or(weight));
        }
        Op::InsertCold(key, weight) | Op::FillCold(key, weight) => {
            let inserted = match op {
                Op::InsertCold(..) => cache.insert_cold(key, weight),
                _ => cache.ticket(key).fill_cold(weight),
            };
            let refused = inserted.err().map(|refused| refused.reason);
            assert_eq!(refused, naive.insert_cold(key, weight));
        }
        Op::Remove(key) => assert_eq!(cache.remove(&key), naive.take(key)),
        Op::Pop => assert_eq!(cache.pop_lru(), naive.entries.pop()),
        Op::Clear => {
            cache.clear();
            naive.entries.clear();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: turns(512), ..ProptestConfig::default() })]

    /// Issue: the whole order and all weights after each step; either bound, and both.
    #[test]
    fn a_weighed_cache_does_as_its_naive_twin(
        weight_capacity in 0_u64..20,
        capacity in prop_oneof![3 => Just(usize::MAX), 2 => 0_usize..5],
        ops in prop::collection::vec(prop_oneof![40 => any_op(), 1 => Just(Op::Clear)], 0..120),
    ) {
        let builder = Cache::builder().capacity(capacity).weight_capacity(weight_capacity);
        let cache = builder.shards(1).weigher(|_key, value| *value).build().unwrap();
        let mut naive = Naive { capacity, weight_capacity, entries: Vec::new() };
        for op in ops {
            step(&cache, &mut naive, op);
            cache.check_invariants();
            let mut order = Vec::new();
            cache.for_each_by_recency(|key, value| order.push((*key, *value)));
            assert_eq!(order, naive.entries, "after {op:?}");
            assert_eq!((cache.weight(), cache.tickets_out()), (naive.weight(), 0), "after {op:?}");
        }
    }

    /// Issue: one budget over any number of shards. What fits is there after it was inserted,
    /// however heavy, and nothing leaves while there is room.
    #[test]
    fn what_fits_the_whole_bound_comes_in_whatever_shard_is_its_own(
        shards in prop_oneof![Just(2_usize), Just(8), Just(64)],
        inserts in prop::collection::vec((any::<u8>(), 0_u64..120), 0..200),
    ) {
        let cache = weighed(100, shards);
        for (key, weight) in inserts {
            let (former, before) = (cache.peek(&key), cache.weight());
            let evicted = cache.stats().evictions;
            assert_eq!(cache.insert(key, weight), former);
            cache.check_invariants();
            assert_eq!(cache.peek(&key), (weight <= 100).then_some(weight));
            let fits = before - former.unwrap_or(0) + weight <= 100;
            assert!(cache.weight() <= 100 && (!fits || cache.stats().evictions == evicted));
        }
    }
}

/// Issue: replacement by a heavier value evicts others and never itself, by a lighter one nothing;
/// weight 0 is legal.
#[test]
fn a_replacement_evicts_what_it_must_and_never_itself() {
    let cache = weighed(10, 1);
    [(1, 2), (2, 3), (3, 0), (4, 5)].into_iter().for_each(|(key, weight)| {
        cache.insert(key, weight);
    });
    assert_eq!(cache.insert(1, 1), Some(2));
    assert_eq!((cache.keys_by_recency(), cache.weight()), (vec![1, 4, 3, 2], 9));
    assert_eq!(cache.insert(2, 4), Some(3), "the least recent one grows");
    assert_eq!((cache.keys_by_recency(), cache.weight()), (vec![2, 1, 4, 3], 10));
    assert_eq!(cache.insert(3, 10), Some(0), "and takes the whole bound");
    assert_eq!((cache.keys_by_recency(), cache.weight()), (vec![3], 10));
    cache.insert(5, 0);
    assert_eq!((cache.len(), cache.weight(), cache.stats().evictions), (2, 10, 3));
}

/// Issue: an entry heavier than the whole bound is refused and said so, by every way in; the
/// former value of its key is no longer true and leaves.
#[test]
fn what_is_heavier_than_the_bound_is_refused_and_said_so() {
    for shards in [1, 8] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let builder = Cache::<u8, u64>::builder().weight_capacity(10).shards(shards);
        let builder = builder.listener(move |removal| {
            tell.lock().unwrap().push((*removal.key, *removal.value, removal.cause));
        });
        let cache = builder.weigher(|_key, value| *value).build().unwrap();
        let expect = |expected: &[(u8, u64, Cause)]| {
            assert_eq!(std::mem::take(&mut *told.lock().unwrap()), expected);
            cache.check_invariants();
        };
        assert_eq!(cache.insert(1, 10), None, "as heavy as the whole bound, never mind the shards");
        assert_eq!(cache.insert(1, 11), Some(10));
        expect(&[(1, 10, Cause::Replaced), (1, 11, Cause::Refused)]);
        assert!(cache.is_empty());
        let heavy = |refused: Result<(), lru_engine::Refused<u8, u64>>| {
            let refused = refused.unwrap_err();
            assert_eq!((refused.key, refused.value), (1, u64::MAX));
            assert_eq!(refused.reason, RefusedReason::TooHeavy);
        };
        heavy(cache.insert_cold(1, u64::MAX));
        heavy(cache.ticket(1).fill_cold(u64::MAX));
        expect(&[]);
        cache.insert(1, 1);
        let early = cache.ticket(1);
        heavy(cache.ticket(1).fill(u64::MAX));
        expect(&[(1, 1, Cause::Replaced)]);
        assert!(early.fill(1).is_ok());
        heavy(cache.write_ticket(1).write(u64::MAX));
        expect(&[(1, 1, Cause::Replaced)]);
        let early = cache.ticket(1);
        cache.insert(1, u64::MAX);
        assert_eq!(early.fill(2).unwrap_err().reason, RefusedReason::Overtaken);
        assert_eq!(cache.get_or_insert_with(2, || 12), 12, "an answer, and not kept");
        assert!(cache.is_empty());
        assert_eq!(cache.stats().weight_refusals, 5);
    }
}

/// Issue: both bounds over several shards; and tickets that come too late leave the weights whole,
/// wherever they look for a place.
#[test]
fn both_bounds_hold_over_shards_with_late_tickets() {
    let builder = Cache::<u8, u64>::builder().capacity(8).weight_capacity(40).shards(8);
    let cache = builder.weigher(|_key, value| *value).build().unwrap();
    let mut random = Random::new(3);
    for step in 0..turns(4_000) {
        let (key, weight) = (random.below(200) as u8, random.below(12));
        cache.insert(key, weight);
        assert_eq!(cache.peek(&key), Some(weight), "step {step}");
        let (late, late_write) = (cache.ticket(!key), cache.write_ticket(!key));
        cache.invalidate(&!key);
        assert_eq!(late.fill(weight).unwrap_err().reason, RefusedReason::Overtaken);
        assert_eq!(late_write.write(weight).unwrap_err().reason, RefusedReason::Overtaken);
        cache.check_invariants();
        assert!(cache.len() <= 8 && cache.weight() <= 40);
    }
}

/// Issue: sums of weights do not overflow.
#[test]
fn the_largest_weights_do_not_overflow() {
    for shards in [1, 4] {
        let cache = weighed(u64::MAX, shards);
        for (key, weight) in [(1, u64::MAX), (2, 1), (3, u64::MAX - 1), (4, u64::MAX), (5, 0)] {
            cache.insert(key, weight);
            assert_eq!(cache.peek(&key), Some(weight));
            cache.check_invariants();
        }
        assert_eq!(
            (cache.len(), cache.weight(), cache.weight_capacity()),
            (2, u64::MAX, Some(u64::MAX))
        );
    }
}

/// Documentation of `Builder`: a weigher and its bound come together.
#[test]
fn a_weigher_and_its_bound_come_together() {
    let bound = Cache::<u8, u64>::builder().weight_capacity(1);
    assert_eq!(bound.build().unwrap_err(), BuildError::WeigherMissing);
    let weigher = Cache::<u8, u64>::builder().capacity(1).weigher(|_, value| *value);
    assert_eq!(weigher.build().unwrap_err(), BuildError::WeightCapacityMissing);
    assert_eq!((weighed(7, 1).capacity(), weighed(7, 64).shards()), (usize::MAX, 64));
}

/// Issue: the weigher runs with nothing locked, so it may use the cache, once for each entry.
#[test]
fn a_weigher_may_use_the_cache() {
    watched("weigher", || {
        let own: Arc<OnceLock<Weak<Cache<u8, u64>>>> = Arc::default();
        let within = Arc::clone(&own);
        let builder = Cache::<u8, u64>::builder().weight_capacity(100).shards(1);
        let builder = builder.weigher(move |key, value| {
            if *key < 100
                && let Some(cache) = within.get().and_then(Weak::upgrade)
            {
                cache.insert(key + 100, 1);
                assert!(cache.tickets_out() <= 1);
            }
            *value
        });
        let cache = Arc::new(builder.build().unwrap());
        own.set(Arc::downgrade(&cache)).unwrap();
        cache.insert(1, 1);
        cache.insert_cold(2, 1).unwrap();
        cache.ticket(3).fill(1).unwrap();
        cache.ticket(4).fill_cold(1).unwrap();
        cache.write_ticket(5).write(1).unwrap();
        cache.get_or_insert_with(6, || 1);
        assert_eq!((cache.len(), cache.weight()), (12, 12));
        cache.check_invariants();
    });
}
