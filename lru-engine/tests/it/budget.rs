//! One budget of places for all shards, and one of weight.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

use lru_engine::Cache;
use lru_engine::RefusedReason;

use crate::naive::BuildIdentity;
use crate::naive::BuildZero;
use crate::random::Random;
use crate::watchdog::turns;
use crate::watchdog::watched;

fn sharded(capacity: usize, shards: usize) -> Cache<u64, u64> {
    Cache::builder().capacity(capacity).shards(shards).build().unwrap()
}

/// Design: no entry is lost below the capacity, with any number of shards; after removals too.
#[test]
fn a_cache_holds_as_many_keys_as_its_capacity() {
    // The large ones are too much for an interpreter.
    let largest = turns(5_000) as usize;
    for capacity in [1, 2, 3, 7, 64, 100, 1_000, 5_000].into_iter().filter(|it| *it <= largest) {
        for shards in [1, 2, 16, 64, 4_096] {
            let cache = sharded(capacity, shards);
            let keys = 0..capacity as u64;
            keys.clone().for_each(|key| {
                cache.insert(key, key);
            });
            assert!(keys.clone().all(|key| cache.peek(&key) == Some(key)), "{capacity}, {shards}");
            assert_eq!((cache.len(), cache.stats().evictions), (capacity, 0));

            keys.clone().step_by(2).for_each(|key| {
                cache.remove(&key);
            });
            cache.pop_lru();
            let missing = keys.clone().filter(|key| !cache.contains_key(key)).count();
            let more = 1_000_000..1_000_000 + missing as u64;
            more.clone().for_each(|key| {
                cache.insert(key, key);
            });
            assert!(more.into_iter().all(|key| cache.contains_key(&key)));
            assert_eq!((cache.len(), cache.stats().evictions), (capacity, 0));

            cache.clear();
            keys.clone().for_each(|key| cache.insert_cold(key, key).unwrap());
            let refused = cache.insert_cold(u64::MAX, 0).unwrap_err();
            assert_eq!(refused.reason, RefusedReason::Full);
            cache.check_invariants();
        }
    }
}

/// Design: a full cache evicts from the shard of the key, or from another if that one is empty;
/// what was inserted is always there.
#[test]
fn what_was_inserted_last_is_there_whatever_shard_is_empty() {
    for (capacity, shards) in [(1, 1), (2, 2), (4, 4), (5, 4), (8, 8), (64, 64), (100, 64)] {
        let cache = sharded(capacity, shards);
        for key in 0..turns(2_000).into() {
            assert_eq!(cache.insert(key, key), None);
            assert_eq!(cache.get(&key), Some(key), "{capacity}, {shards}");
            cache.check_invariants();
        }
        assert_eq!(cache.len(), capacity);
        let read = cache.ticket(5_000);
        assert!(read.fill(1).is_ok());
        assert!(cache.contains_key(&5_000));
    }
}

/// All keys in one shard of many: it takes the whole budget.
#[test]
fn one_shard_may_take_the_whole_budget() {
    let builder = Cache::builder().capacity(100).shards(64).hasher(BuildZero::default());
    let cache = builder.build().unwrap();
    (0..150).for_each(|key| {
        cache.insert(key, key);
    });
    let expected: Vec<i32> = (50..150).rev().collect();
    assert_eq!(cache.keys_by_recency(), expected);
}

/// Documentation of `Cache`: an insert into a full cache evicts from the shard of the key, or, if
/// that has less than its even share of the entries, from one that has more.
#[test]
fn a_shard_evicts_nothing_of_its_own_below_its_even_share() {
    let builder = Cache::builder().capacity(64).shards(4).hasher(BuildIdentity::default());
    let cache = builder.build().unwrap();
    let (rich, poor) = (|n: u64| n, |n: u64| 1 << 62 | n);
    for n in 0..64 {
        cache.insert(rich(n), n);
    }
    for n in 0..16 {
        cache.insert(poor(n), n);
        let left = (0..64).find(|n| cache.contains_key(&rich(*n)));
        assert_eq!(left, Some(n + 1), "the other shard gives up its least recently used");
        assert!((0..=n).all(|n| cache.contains_key(&poor(n))), "one of {n} is gone");
    }
    cache.insert(poor(16), 16);
    assert!(!cache.contains_key(&poor(0)) && cache.contains_key(&rich(16)));
    assert_eq!(cache.len(), 64);
    cache.check_invariants();
}

/// Issue: never above the capacity, not for a moment; and with fewer keys than places nothing is
/// ever evicted, whatever threads insert and remove.
#[test]
fn threads_never_see_more_entries_than_the_capacity() {
    const KEYS: u64 = 64;
    watched("budget", || {
        for (capacity, shards, is_evicting) in [(64, 16, false), (10, 8, true), (40, 4, true)] {
            let (cache, done) = (sharded(capacity, shards), AtomicBool::new(false));
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        assert!(cache.len() <= capacity);
                    }
                });
                let workers: Vec<_> = (0..3)
                    .map(|seed| {
                        let (cache, mut random) = (&cache, Random::new(seed));
                        scope.spawn(move || {
                            for _ in 0..turns(10_000) {
                                let key = random.below(KEYS);
                                match random.below(4) {
                                    0 => {
                                        cache.remove(&key);
                                    }
                                    1 => drop(cache.ticket(key).fill(key)),
                                    _ => {
                                        cache.insert(key, key);
                                    }
                                }
                            }
                        })
                    })
                    .collect();
                let ended: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
                done.store(true, Ordering::Relaxed);
                ended.into_iter().for_each(|end| end.unwrap());
            });
            cache.check_invariants();
            assert_eq!(cache.stats().evictions > 0, is_evicting, "{capacity}, {shards}");
        }
    });
}

/// One thread's turns: every way in and out, with weights from 0 to beyond the bound.
fn weigh_in_and_out(cache: &Cache<u64, u64>, seed: u64, weight_max: u64) {
    let mut random = Random::new(seed);
    for step in 0..turns(6_000) {
        let (key, weight) = (random.below(200), random.below(weight_max));
        match random.below(20) {
            0 => drop(cache.remove(&key)),
            1 => drop(cache.pop_lru()),
            2 => drop(cache.ticket(key).fill(weight)),
            3 => drop(cache.write_ticket(key).write(weight)),
            4 => drop(cache.insert_cold(key, weight)),
            5 => drop(cache.get_or_insert_with(key, || weight)),
            6 if step % 64 == 0 => cache.clear(),
            _ => drop(cache.insert(key, weight)),
        }
    }
}

/// Issue: the sum is never above the bound, not for a moment, over all shards, and in the end it
/// is that of the entries.
#[test]
fn threads_never_see_more_weight_than_the_bound() {
    watched("weights", || {
        for (bound, shards, weight_max, capacity) in
            [(1_000, 16, 60, 20), (100, 8, 130, usize::MAX), (500, 1, 40, usize::MAX)]
        {
            let builder = Cache::<u64, u64>::builder().weight_capacity(bound).shards(shards);
            let builder = builder.capacity(capacity);
            let cache = builder.weigher(|_key, value| *value).build().unwrap();
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let (weight, len) = (cache.weight(), cache.len());
                        assert!(weight <= bound && len <= capacity, "{weight} of {bound}, {len}");
                    }
                });
                let workers: Vec<_> = (0..3)
                    .map(|seed| {
                        let cache = &cache;
                        scope.spawn(move || weigh_in_and_out(cache, seed, weight_max))
                    })
                    .collect();
                let ended: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
                done.store(true, Ordering::Relaxed);
                ended.into_iter().for_each(|end| end.unwrap());
            });
            cache.check_invariants();
            let mut sum = 0;
            cache.for_each_by_recency(|_key, value| sum += value);
            assert_eq!(sum, cache.weight(), "bound {bound}, {shards} shards");
            assert!(cache.stats().evictions > 0 && cache.tickets_out() == 0);
        }
    });
}
