//! `papaya`: a floor of a lookup by many threads, whose readers write nothing that is shared.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use lru_engine::DefaultHasher;
use papaya::HashMap;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::shared::<Papaya<_, _>, Papaya<_, _>>("papaya", Policy::Unbounded);

struct Papaya<K, V>(HashMap<K, V, DefaultHasher>);

impl<K: Key, V: Value> Shared<K, V> for Papaya<K, V> {
    fn new(capacity: usize) -> Self {
        let _ = capacity;
        Self(HashMap::with_hasher(DefaultHasher::default()))
    }

    #[inline(always)]
    fn get(&self, key: &K) -> Option<V> {
        self.0.pin().get(key).cloned()
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        self.0.pin().insert(key, value);
    }

    fn entries(&self) -> Option<usize> {
        Some(self.0.len())
    }
}
