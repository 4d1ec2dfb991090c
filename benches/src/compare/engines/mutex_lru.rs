//! `lru` behind one `std::sync::Mutex`.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Load;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use crate::compare::engines::lock;
use lru::LruCache;
use lru_engine::DefaultHasher;
use std::num::NonZeroUsize;
use std::sync::Mutex;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::shared::<MutexLru<_, _>, MutexLru<_, _>>("mutex_lru", Policy::Lru);

struct MutexLru<K, V>(Mutex<LruCache<K, V, DefaultHasher>>);

impl<K: Key, V: Value> Shared<K, V> for MutexLru<K, V> {
    fn new(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).expect("a capacity above 0");
        Self(Mutex::new(LruCache::with_hasher(capacity, DefaultHasher::default())))
    }

    #[inline(always)]
    fn get(&self, key: &K) -> Option<V> {
        lock(&self.0).get(key).cloned()
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        let replaced = lock(&self.0).push(key, value);
        drop(replaced);
    }

    fn entries(&self) -> Option<usize> {
        Some(lock(&self.0).len())
    }

    /// Loads under the lock: whoever wants another key waits as well.
    fn get_or_load(&self, key: &K, load: &Load<V>) -> Option<V> {
        Some(lock(&self.0).get_or_insert_ref(key, || load()).clone())
    }
}
