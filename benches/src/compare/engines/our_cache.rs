//! `lru_engine::Cache`, with its default shards and with one.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Load;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use lru_engine::Cache;

/// With the shards that it chooses itself.
pub(crate) const DEFAULT_SHARDS: Engine =
    Engine::shared::<OurCache<_, _, 0>, OurCache<_, _, 0>>("Cache", Policy::ShardedLru);

/// With one shard: the order of the whole cache.
pub(crate) const ONE_SHARD: Engine =
    Engine::shared::<OurCache<_, _, 1>, OurCache<_, _, 1>>("Cache_1_shard", Policy::Lru);

/// With so many shards, or with its own choice of them if that is 0.
struct OurCache<K, V, const SHARDS: usize>(Cache<K, V>);

impl<K: Key, V: Value, const SHARDS: usize> Shared<K, V> for OurCache<K, V, SHARDS> {
    fn new(capacity: usize) -> Self {
        let builder = Cache::builder().capacity(capacity);
        let builder = if SHARDS == 0 { builder } else { builder.shards(SHARDS) };
        Self(builder.build().expect("valid settings"))
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
        Some(self.0.get_or_insert_with(key.clone(), || load()))
    }
}
