//! `TinyUFO`, as its `new` makes it. It never compares keys, and can't tell its length.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use tinyufo::TinyUfo;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::shared::<Ufo<_, _>, Ufo<_, _>>("tinyufo", Policy::Other("S3-FIFO with TinyLFU"))
        .hashing_by("ahash");

struct Ufo<K, V>(TinyUfo<K, V>);

impl<K: Key, V: Value> Shared<K, V> for Ufo<K, V> {
    fn new(capacity: usize) -> Self {
        Self(TinyUfo::new(capacity, capacity))
    }

    #[inline(always)]
    fn get(&self, key: &K) -> Option<V> {
        self.0.get(key)
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        let evicted = self.0.put(key, value, 1);
        drop(evicted);
    }

    fn entries(&self) -> Option<usize> {
        None
    }
}
