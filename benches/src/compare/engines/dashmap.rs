//! `dashmap`: a floor of a lookup by many threads, sharded behind locks.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Load;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use dashmap::DashMap;
use lru_engine::DefaultHasher;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::shared::<Dash<_, _>, Dash<_, _>>("dashmap", Policy::Unbounded);

struct Dash<K, V>(DashMap<K, V, DefaultHasher>);

impl<K: Key, V: Value> Shared<K, V> for Dash<K, V> {
    fn new(capacity: usize) -> Self {
        let _ = capacity;
        Self(DashMap::with_hasher(DefaultHasher::default()))
    }

    #[inline(always)]
    fn get(&self, key: &K) -> Option<V> {
        self.0.get(key).map(|entry| entry.value().clone())
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        self.0.insert(key, value);
    }

    fn entries(&self) -> Option<usize> {
        Some(self.0.len())
    }

    /// Loads under the lock of a shard: whoever wants another key of it waits as well.
    fn get_or_load(&self, key: &K, load: &Load<V>) -> Option<V> {
        Some(self.0.entry(key.clone()).or_insert_with(|| load()).clone())
    }
}
