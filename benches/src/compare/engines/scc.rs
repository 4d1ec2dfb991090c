//! `scc::HashCache`: least recently used within a bucket of 32. It rounds its capacity up to a
//! power of two.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Load;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use lru_engine::DefaultHasher;
use scc::HashCache;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::shared::<Scc<_, _>, Scc<_, _>>("scc", Policy::Other("LRU in buckets of 32"));

struct Scc<K, V>(HashCache<K, V, DefaultHasher>);

impl<K: Key, V: Value> Shared<K, V> for Scc<K, V> {
    fn new(capacity: usize) -> Self {
        Self(HashCache::with_capacity_and_hasher(0, capacity, DefaultHasher::default()))
    }

    #[inline(always)]
    fn get(&self, key: &K) -> Option<V> {
        self.0.get_sync(key).map(|entry| entry.get().clone())
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        self.0.entry_sync(key).put_entry(value);
    }

    fn entries(&self) -> Option<usize> {
        Some(self.0.len())
    }

    /// Loads under the lock of a bucket: whoever wants another key of it waits as well.
    fn get_or_load(&self, key: &K, load: &Load<V>) -> Option<V> {
        let (_evicted, entry) = self.0.entry_sync(key.clone()).or_put_with(|| load());
        Some(entry.get().clone())
    }
}
