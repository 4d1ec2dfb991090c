//! `mini_moka::sync`.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use lru_engine::DefaultHasher;
use mini_moka::sync::Cache;
use mini_moka::sync::ConcurrentCacheExt;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::shared::<MiniMoka<_, _>, MiniMoka<_, _>>("mini_moka", Policy::Other("W-TinyLFU"));

struct MiniMoka<K, V>(Cache<K, V, DefaultHasher>);

impl<K: Key, V: Value> Shared<K, V> for MiniMoka<K, V> {
    fn new(capacity: usize) -> Self {
        let builder = Cache::builder().max_capacity(capacity as u64);
        Self(builder.build_with_hasher(DefaultHasher::default()))
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
        // Its own count is that of its last housekeeping.
        Some(self.0.iter().count())
    }

    fn settle(&self) {
        self.0.sync();
    }
}
