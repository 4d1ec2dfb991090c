//! `schnellru`: entries in the table itself, with bucket indices as links.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Owned;
use crate::compare::engine::Policy;
use crate::compare::engine::Value;
use lru_engine::DefaultHasher;
use schnellru::ByLength;
use schnellru::LruMap;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::owned::<Schnell<_, _>, Schnell<_, _>>("schnellru", Policy::Lru);

struct Schnell<K, V>(LruMap<K, V, ByLength, DefaultHasher>);

impl<K: Key, V: Value> Owned<K, V> for Schnell<K, V> {
    fn new(capacity: usize) -> Self {
        let capacity = u32::try_from(capacity).expect("it counts in 32 bits");
        Self(LruMap::with_hasher(ByLength::new(capacity), DefaultHasher::default()))
    }

    #[inline(always)]
    fn get(&mut self, key: &K) -> Option<V> {
        self.0.get(key).map(|value| value.clone())
    }

    #[inline(always)]
    fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, value);
    }

    fn entries(&self) -> usize {
        self.0.len()
    }
}
