//! `foyer`, in memory only, as LRU and as S3-FIFO, with its default shards and shares of queues.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Load;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use foyer_memory::Cache;
use foyer_memory::CacheProperties;
use foyer_memory::EvictionConfig;
use foyer_memory::LruConfig;
use foyer_memory::S3FifoConfig;
use lru_engine::DefaultHasher;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::LazyLock;
use tokio::runtime::Runtime;

/// As LRU.
pub(crate) const LRU: Engine =
    Engine::shared::<Foyer<_, _, false>, Foyer<_, _, false>>("foyer_lru", Policy::ShardedLru);

/// As S3-FIFO.
pub(crate) const S3_FIFO: Engine = Engine::shared::<Foyer<_, _, true>, Foyer<_, _, true>>(
    "foyer_s3fifo",
    Policy::Other("S3-FIFO"),
);

/// Its loads are futures that something has to drive.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("threads for the loads of foyer"));

struct Foyer<K, V, const S3: bool>(Cache<K, V, DefaultHasher, CacheProperties>)
where
    K: Key,
    V: Value;

impl<K: Key, V: Value, const S3: bool> Shared<K, V> for Foyer<K, V, S3> {
    fn new(capacity: usize) -> Self {
        let eviction: EvictionConfig =
            if S3 { S3FifoConfig::default().into() } else { LruConfig::default().into() };
        let builder = Cache::builder(capacity).with_eviction_config(eviction);
        Self(builder.with_hash_builder(DefaultHasher::default()).build())
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
        Some(self.0.entries())
    }

    fn get_or_load(&self, key: &K, load: &Load<V>) -> Option<V> {
        let load = Arc::clone(load);
        RUNTIME.block_on(async {
            let fetch = self.0.get_or_fetch(key, || async move { Ok::<V, Infallible>(load()) });
            fetch.await.ok().map(|entry| entry.value().clone())
        })
    }
}
