//! Threads that use one cache at once.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;

use lru_engine::Cache;

use crate::random::Random;
use crate::watchdog::turns;
use crate::watchdog::watched;

/// What was made, and what of it was dropped.
#[derive(Debug, Default)]
struct Counts {
    made: AtomicU64,
    dropped: AtomicU64,
}

/// A value that knows its key, and counts its end.
#[derive(Debug)]
struct Value<'a> {
    key: u64,
    counts: &'a Counts,
    is_dropped: AtomicBool,
}

impl<'a> Value<'a> {
    fn new(key: u64, counts: &'a Counts) -> Self {
        counts.made.fetch_add(1, Ordering::Relaxed);
        Self { key, counts, is_dropped: AtomicBool::new(false) }
    }
}

impl Clone for Value<'_> {
    fn clone(&self) -> Self {
        Self::new(self.key, self.counts)
    }
}

impl Drop for Value<'_> {
    fn drop(&mut self) {
        assert!(!self.is_dropped.swap(true, Ordering::Relaxed), "dropped twice");
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

const THREADS: u64 = 4;
const STEPS: u64 = turns(20_000) as u64;
const SWEEPS: u64 = turns(2_000) as u64;
const KEYS: u64 = 300;

/// One thread's turns: every method, on random keys.
fn hammer<'a>(cache: &Cache<u64, Value<'a>>, counts: &'a Counts, seed: u64) {
    let mut random = Random::new(seed);
    for step in 0..STEPS {
        let key = random.below(KEYS);
        match random.below(100) {
            0..45 => {
                let found = cache.get_with(&key, |value| value.key);
                assert!(found.is_none_or(|of| of == key), "seed {seed}, step {step}");
            }
            45..50 => assert!(cache.get(&key).is_none_or(|value| value.key == key)),
            50..55 => assert!(cache.peek(&key).is_none_or(|value| value.key == key)),
            55..85 => {
                let former = cache.insert(key, Value::new(key, counts));
                assert!(former.is_none_or(|value| value.key == key), "seed {seed}, step {step}");
            }
            85..90 => {
                if let Err(refused) = cache.insert_cold(key, Value::new(key, counts)) {
                    assert_eq!((refused.key, refused.value.key), (key, key));
                }
            }
            90..95 => assert!(cache.remove(&key).is_none_or(|value| value.key == key)),
            95..99 => assert!(cache.pop_lru().is_none_or(|(key, value)| value.key == key)),
            _ if step % 500 == 0 => cache.clear(),
            _ => cache.for_each_by_recency(|key, value| assert_eq!(value.key, *key)),
        }
        if step % 16 == 0 {
            let len = cache.len();
            assert!(len <= cache.capacity(), "{len} entries, seed {seed}, step {step}");
        }
    }
}

fn check(capacity: usize, shards: usize, seed: u64) {
    let counts = Counts::default();
    let cache = Cache::builder().capacity(capacity).shards(shards).build().unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (cache, counts) = (&cache, &counts);
            scope.spawn(move || hammer(cache, counts, seed + thread));
        }
    });
    cache.check_invariants();
    let stats = cache.stats();
    let alive = counts.made.load(Ordering::Relaxed) - counts.dropped.load(Ordering::Relaxed);
    assert_eq!(alive, cache.len() as u64, "alive is what is cached, seed {seed}");
    assert!(stats.hits > 0 && stats.misses > 0 && stats.inserts > 0, "{stats:?}");
    assert!(stats.evictions > 0, "{stats:?}");
    drop(cache);
    assert_eq!(
        counts.made.load(Ordering::Relaxed),
        counts.dropped.load(Ordering::Relaxed),
        "each value is dropped once, seed {seed}"
    );
}

/// Issue: the length is never above the capacity, a value is found under its own key only, and
/// each value is dropped once; on one shard and on several.
#[test]
fn threads_find_what_was_put_and_nothing_is_lost() {
    watched("hammer", || {
        check(64, 1, 100);
        check(64, 4, 200);
        check(100, 16, 300);
    });
}

/// One thread's turns: everything that goes through the shards one by one.
fn sweep(cache: &Cache<u64, ()>, thread: u64) {
    for step in 0..SWEEPS {
        cache.insert(step * THREADS + thread, ());
        assert!(cache.len() <= cache.capacity());
        match (step + thread) % 4 {
            0 => drop(cache.pop_lru()),
            1 => assert!(cache.keys_by_recency().len() <= cache.capacity()),
            2 => assert!(cache.stats().inserts > step),
            _ => cache.clear(),
        }
    }
}

/// Issue: at most one lock at a time, so threads that go through all the shards, from different
/// places, cannot wait for each other in a circle.
#[test]
fn sweeps_over_all_shards_do_not_wait_in_a_circle() {
    watched("sweeps", || {
        let cache = Cache::builder().capacity(64).shards(8).build().unwrap();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let cache = &cache;
                scope.spawn(move || sweep(cache, thread));
            }
        });
        cache.check_invariants();
        assert_eq!(cache.stats().inserts, THREADS * SWEEPS);
    });
}

/// Issue: a panic of one thread inside a locked shard does not stop the others.
#[test]
fn a_panic_in_one_thread_leaves_the_cache_to_the_others() {
    watched("poison", || {
        let cache = Cache::builder().capacity(8).shards(1).build().unwrap();
        cache.insert(1, "one");
        thread::scope(|scope| {
            let panicking = scope.spawn(|| cache.get_with(&1, |_| panic!("the reader's own")));
            assert!(panicking.join().is_err());
            let other = scope.spawn(|| cache.get(&1));
            assert_eq!(other.join().unwrap(), Some("one"));
        });
        cache.check_invariants();
    });
}
