//! `lru_engine::LruMap`, with its defaults.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Owned;
use crate::compare::engine::Policy;
use crate::compare::engine::Value;
use lru_engine::LruMap;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::owned::<OurMap<_, _>, OurMap<_, _>>("LruMap", Policy::Lru);

struct OurMap<K, V>(LruMap<K, V>);

impl<K: Key, V: Value> Owned<K, V> for OurMap<K, V> {
    fn new(capacity: usize) -> Self {
        Self(LruMap::new(capacity))
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
