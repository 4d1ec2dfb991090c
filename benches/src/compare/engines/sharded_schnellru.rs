//! `schnellru` in 64 shards, each behind a `std::sync::Mutex`: what one builds by hand in an hour.

use crate::compare::engine::Engine;
use crate::compare::engine::Key;
use crate::compare::engine::Policy;
use crate::compare::engine::Shared;
use crate::compare::engine::Value;
use crate::compare::engines::lock;
use lru_engine::DefaultHasher;
use schnellru::ByLength;
use schnellru::LruMap;
use std::hash::BuildHasher;
use std::sync::Mutex;

/// This engine.
pub(crate) const ENGINE: Engine =
    Engine::shared::<Sharded<_, _>, Sharded<_, _>>("sharded_schnellru", Policy::ShardedLru);

const SHARDS: usize = 64;

/// Bits of a hash that its table doesn't use: neither the low ones nor the top seven.
const SHARD_BITS_FROM: u32 = 40;

/// On lines of its own: neighbouring ones are fetched in pairs.
#[repr(align(128))]
struct Shard<K, V>(Mutex<LruMap<K, V, ByLength, DefaultHasher>>);

struct Sharded<K, V> {
    shards: Box<[Shard<K, V>]>,
    hasher: DefaultHasher,
}

impl<K: Key, V: Value> Sharded<K, V> {
    #[inline(always)]
    fn shard(&self, hash: u64) -> &Shard<K, V> {
        &self.shards[(hash >> SHARD_BITS_FROM) as usize % SHARDS]
    }
}

impl<K: Key, V: Value> Shared<K, V> for Sharded<K, V> {
    fn new(capacity: usize) -> Self {
        let share = u32::try_from(capacity.div_ceil(SHARDS)).expect("it counts in 32 bits");
        let hasher = DefaultHasher::default();
        let shard = || LruMap::with_hasher(ByLength::new(share), hasher.clone());
        let shards = (0..SHARDS).map(|_| Shard(Mutex::new(shard()))).collect();
        Self { shards, hasher }
    }

    #[inline(always)]
    fn get(&self, key: &K) -> Option<V> {
        let hash = self.hasher.hash_one(key);
        let mut map = lock(&self.shard(hash).0);
        map.get_by_hash(hash, |found, _| found == key).map(|value| value.clone())
    }

    /// It has no insert by hash, so the hash is computed twice.
    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        let hash = self.hasher.hash_one(&key);
        lock(&self.shard(hash).0).insert(key, value);
    }

    fn entries(&self) -> Option<usize> {
        Some(self.shards.iter().map(|shard| lock(&shard.0).len()).sum())
    }
}
