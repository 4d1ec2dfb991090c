//! How often the engine calls the user's `Hash` and `Eq`, and clones a key.

use std::cell::Cell;
use std::hash::BuildHasher;
use std::hash::BuildHasherDefault;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::num::ParseIntError;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use lru_engine::Cache;
use lru_engine::LruMap;

use crate::naive::BuildZero;
use crate::watchdog::watched;

thread_local! {
    static HASHES: Cell<u32> = const { Cell::new(0) };
    static COMPARISONS: Cell<u32> = const { Cell::new(0) };
}

struct Key(u32);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        HASHES.set(HASHES.get() + 1);
        self.0.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        COMPARISONS.set(COMPARISONS.get() + 1);
        self.0 == other.0
    }
}

impl Eq for Key {}

/// Calls of `Hash` and of `Eq` during `act`.
fn calls<R>(act: impl FnOnce() -> R) -> (u32, u32) {
    HASHES.set(0);
    COMPARISONS.set(0);
    act();
    (HASHES.get(), COMPARISONS.get())
}

fn cache<S: BuildHasher>(capacity: usize, hasher: S) -> Cache<Key, u32, S> {
    Cache::builder().capacity(capacity).shards(1).hasher(hasher).build().unwrap()
}

/// Issue: no user `Hash` on eviction, growth or removal: one call for each key that is given.
#[test]
fn a_key_is_hashed_once_a_call() {
    let cache = Cache::new(1_000);
    let mut map = LruMap::new(1_000);
    // Filling grows array and index many times; the second thousand evicts the first.
    for key in 0..2_000 {
        assert_eq!(calls(|| cache.insert(Key(key), key)).0, 1);
        assert_eq!(calls(|| map.insert(Key(key), key)).0, 1);
    }
    assert!(cache.stats().evictions >= 1_000);
    assert_eq!(calls(|| cache.remove(&Key(1_999))).0, 1);
    assert_eq!(calls(|| cache.insert_cold(Key(5_000), 0)).0, 1);
    assert_eq!(calls(|| cache.get(&Key(1_998))).0, 1);
    assert_eq!(calls(|| cache.pop_lru()), (0, 0));
    assert_eq!(calls(|| cache.clear()), (0, 0));
    assert_eq!(calls(|| map.pop_lru()), (0, 0));
    assert_eq!(calls(|| map.clear()), (0, 0));
}

/// Documentation of the crate: `Eq` is called on the key that is there, seldom on another, and by
/// no eviction. Of 1000 lookups that miss, 8 in 256 compare a key if the tags are spread evenly;
/// 100 are more than 6 standard deviations above that. `SipHash` with its fixed keys does spread
/// them, and alike in every run.
#[test]
fn few_keys_are_compared_that_are_not_equal() {
    let spread = cache(1_000, BuildHasherDefault::<DefaultHasher>::default());
    let mut compared = 0;
    for key in 0..2_000 {
        let (hashes, comparisons) = calls(|| spread.insert(Key(key), key));
        assert_eq!(hashes, 1);
        compared += comparisons;
    }
    assert!(compared < 200, "{compared} comparisons of keys that differ, in 2000 inserts");
    let (_, comparisons) = calls(|| {
        for key in 1_000..2_000 {
            assert_eq!(spread.get(&Key(key)), Some(key));
        }
    });
    assert!((1_000..1_100).contains(&comparisons), "{comparisons} comparisons in 1000 hits");

    let colliding = cache(3, BuildZero::default());
    for key in 0..3 {
        colliding.insert(Key(key), key);
    }
    // All three are compared with the key to be inserted, none because it is to be evicted.
    assert_eq!(calls(|| colliding.insert(Key(9), 9)), (1, 3));
}

/// A key that counts its clones.
#[derive(Debug, Hash, PartialEq, Eq)]
struct Counted(u32);

static CLONES: AtomicUsize = AtomicUsize::new(0);

impl Clone for Counted {
    fn clone(&self) -> Self {
        CLONES.fetch_add(1, Ordering::SeqCst);
        Self(self.0)
    }
}

/// Documentation of `get_or_insert_with_by_ref`: a key of its own is made where it is loaded, once,
/// and neither for a hit nor to wait.
#[test]
fn a_key_by_reference_is_owned_only_where_it_is_loaded() {
    watched("by reference", || {
        let (cache, loading) = (Cache::new(10), Barrier::new(2));
        let load = || {
            loading.wait();
            while cache.stats().load_waits < 1 {
                thread::yield_now();
            }
            7
        };
        let (one, two) = thread::scope(|scope| {
            let leader = scope.spawn(|| cache.get_or_insert_with_by_ref(&Counted(1), load));
            loading.wait();
            let joins = scope.spawn(|| {
                let load = || -> Result<u32, ParseIntError> { unreachable!("it is loaded") };
                cache.try_get_or_insert_with_by_ref(&Counted(1), load)
            });
            (leader.join().unwrap(), joins.join().unwrap().unwrap())
        });
        assert_eq!((one, two), (7, 7));
        assert_eq!(cache.get_or_insert_with_by_ref(&Counted(1), || unreachable!()), 7);
        assert_eq!((CLONES.load(Ordering::SeqCst), cache.get(&Counted(1))), (1, Some(7)));
    });
}
