//! `quick_cache::sync`, with its default shards and shares of hot entries and of ghosts.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Load;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use lru_engine::DefaultHasher;
use quick_cache::UnitWeighter;
use quick_cache::sync::Cache;
use quick_cache::sync::DefaultLifecycle;
use std::convert::Infallible;

/// This engine.
pub(crate) const ENGINE: Engine = Engine::shared::<QuickSync<_, _>, QuickSync<_, _>>(
    "quick_cache",
    Policy::Other("S3-FIFO and CLOCK-Pro"),
);

type Quick<K, V> = Cache<K, V, UnitWeighter, DefaultHasher, DefaultLifecycle<K, V>>;

struct QuickSync<K, V>(Quick<K, V>);

impl<K: Key, V: Value> Shared<K, V> for QuickSync<K, V> {
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
    fn get(&self, key: &K) -> Option<V> {
        self.0.get(key)
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        self.0.insert(key, value);
    }

    fn entries(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn get_or_load(&self, key: &K, load: &Load<V>) -> Option<V> {
        self.0.get_or_insert_with(key, || Ok::<V, Infallible>(load())).ok()
    }
}
