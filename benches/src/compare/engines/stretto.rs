//! `stretto`: inserts are queued and may be dropped, and a thread of its own applies them.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use stretto::Cache;

/// This engine.
pub(crate) const ENGINE: Engine = Engine::shared::<Stretto<_, _>, Stretto<_, _>>(
    "stretto",
    Policy::Other("sampled LFU with TinyLFU"),
)
.hashing_by("xxHash and SeaHash");

struct Stretto<K, V>(Cache<K, V>);

impl<K: Key, V: Value> Shared<K, V> for Stretto<K, V> {
    fn new(capacity: usize) -> Self {
        // As its documentation advises: ten counters for each entry.
        let capacity_cost = i64::try_from(capacity).expect("a capacity below 2^63");
        let builder = Cache::builder(10 * capacity, capacity_cost).set_ignore_internal_cost(true);
        Self(builder.finalize().expect("a cache of valid settings"))
    }

    #[inline(always)]
    fn get(&self, key: &K) -> Option<V> {
        self.0.get(key).map(|entry| entry.value().clone())
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        self.0.insert(key, value, 1);
    }

    fn entries(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn settle(&self) {
        self.0.wait().expect("its thread runs");
    }
}
