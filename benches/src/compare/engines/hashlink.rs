//! `hashlink`: nodes in boxes of their own, and a table of pointers to them.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Owned;
use crate::compare::engine::Policy;
use crate::compare::engine::Value;
use hashlink::LruCache;
use lru_engine::DefaultHasher;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::owned::<Hashlink<_, _>, Hashlink<_, _>>("hashlink", Policy::Lru);

struct Hashlink<K, V>(LruCache<K, V, DefaultHasher>);

impl<K: Key, V: Value> Owned<K, V> for Hashlink<K, V> {
    fn new(capacity: usize) -> Self {
        Self(LruCache::with_hasher(capacity, DefaultHasher::default()))
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
