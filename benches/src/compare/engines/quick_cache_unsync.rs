//! `quick_cache::unsync`, with its default shares of hot entries and of ghosts.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Owned;
use crate::compare::engine::Policy;
use crate::compare::engine::Value;
use lru_engine::DefaultHasher;
use quick_cache::UnitWeighter;
use quick_cache::unsync::Cache;
use quick_cache::unsync::DefaultLifecycle;

/// This engine.
pub(crate) const ENGINE: Engine = Engine::owned::<QuickUnsync<_, _>, QuickUnsync<_, _>>(
    "quick_cache_unsync",
    Policy::Other("S3-FIFO and CLOCK-Pro"),
);

type Quick<K, V> = Cache<K, V, UnitWeighter, DefaultHasher, DefaultLifecycle<K, V>>;

struct QuickUnsync<K, V>(Quick<K, V>);

impl<K: Key, V: Value> Owned<K, V> for QuickUnsync<K, V> {
    fn new(capacity: usize) -> Self {
        Self(Cache::with(
            capacity,
            capacity as u64,
            UnitWeighter,
            DefaultHasher::default(),
            DefaultLifecycle::default(),
        ))
    }

    #[inline(always)]
    fn get(&mut self, key: &K) -> Option<V> {
        self.0.get(key).cloned()
    }

    #[inline(always)]
    fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, value);
    }

    fn entries(&self) -> usize {
        self.0.len()
    }
}
