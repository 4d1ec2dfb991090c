//! `hashbrown::HashMap`: the floor of a lookup with one owner.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Owned;
use crate::compare::engine::Policy;
use crate::compare::engine::Value;
use hashbrown::HashMap;
use lru_engine::DefaultHasher;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::owned::<Map<_, _>, Map<_, _>>("hashbrown", Policy::Unbounded);

struct Map<K, V>(HashMap<K, V, DefaultHasher>);

impl<K: Key, V: Value> Owned<K, V> for Map<K, V> {
    fn new(capacity: usize) -> Self {
        let _ = capacity;
        Self(HashMap::with_hasher(DefaultHasher::default()))
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
