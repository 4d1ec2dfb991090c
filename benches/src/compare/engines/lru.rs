//! `lru`: nodes in boxes of their own, and a map of pointers to them.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Owned;
use crate::compare::engine::Policy;
use crate::compare::engine::Value;
use lru::LruCache;
use lru_engine::DefaultHasher;
use std::num::NonZeroUsize;

/// This engine.
pub(crate) const ENGINE: Engine = Engine::owned::<Lru<_, _>, Lru<_, _>>("lru", Policy::Lru);

struct Lru<K, V>(LruCache<K, V, DefaultHasher>);

impl<K: Key, V: Value> Owned<K, V> for Lru<K, V> {
    fn new(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).expect("a capacity above 0");
        Self(LruCache::with_hasher(capacity, DefaultHasher::default()))
    }

    #[inline(always)]
    fn get(&mut self, key: &K) -> Option<V> {
        self.0.get(key).cloned()
    }

    #[inline(always)]
    fn insert(&mut self, key: K, value: V) {
        self.0.put(key, value);
    }

    fn entries(&self) -> usize {
        self.0.len()
    }
}
