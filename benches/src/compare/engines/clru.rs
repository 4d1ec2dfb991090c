//! `clru`: a slab with links of the size of a pointer, and a table of positions.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Owned;
use crate::compare::engine::Policy;
use crate::compare::engine::Value;
use clru::CLruCache;
use lru_engine::DefaultHasher;
use std::num::NonZeroUsize;

/// This engine.
pub(crate) const ENGINE: Engine = Engine::owned::<Clru<_, _>, Clru<_, _>>("clru", Policy::Lru);

struct Clru<K, V>(CLruCache<K, V, DefaultHasher>);

impl<K: Key, V: Value> Owned<K, V> for Clru<K, V> {
    fn new(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).expect("a capacity above 0");
        Self(CLruCache::with_hasher(capacity, DefaultHasher::default()))
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
