//! How often the engine calls the user's `Hash` and `Eq`.

use std::cell::Cell;
use std::hash::BuildHasher;
use std::hash::Hash;
use std::hash::Hasher;

use lru_engine::Cache;
use lru_engine::LruMap;

use crate::naive::BuildZero;

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

/// Documentation of the crate: `Eq` is called on entries whose whole hash is equal, and by no
/// eviction.
#[test]
fn keys_are_compared_only_if_their_hashes_are_equal() {
    let spread = cache(100, lru_engine::DefaultHasher::default());
    for key in 0..1_000 {
        assert_eq!(calls(|| spread.insert(Key(key), key)), (1, 0));
    }
    assert_eq!(calls(|| spread.get(&Key(999))), (1, 1));
    assert_eq!(calls(|| spread.get(&Key(0))), (1, 0));

    let colliding = cache(3, BuildZero::default());
    for key in 0..3 {
        colliding.insert(Key(key), key);
    }
    // All three are compared with the key to be inserted, none because it is to be evicted.
    assert_eq!(calls(|| colliding.insert(Key(9), 9)), (1, 3));
}
