//! The engine's own operations, from `u64` to `u64`, on one thread.
//!
//! Every value is the complement of its key, and every answer is compared with it; every run
//! compares the engine's own counts with what it was asked for.

use crate::keys::Keys;
use lru_engine::Cache;
use lru_engine::LruMap;

/// How many keys are drawn beforehand: 2 MiB of them, read in order, and more than the largest
/// cache holds.
const DRAWN: usize = 1 << 18;

/// The keys of a read-through, for each entry of the capacity.
const KEYS_PER_ENTRY: u64 = 10;

/// How often a small read-through draws, for each entry of the capacity.
const DRAWN_PER_ENTRY: usize = 100;

/// One kind of work, ready to be done any number of times.
pub trait Workload {
    /// Does it `times` times.
    ///
    /// # Panics
    /// If any answer or count is not what this work must give.
    fn run(&mut self, times: u64);
}

/// Lookups in a full [`LruMap`] of which each is a hit.
#[derive(Debug)]
pub struct MapHits {
    map: LruMap<u64, u64>,
    keys: Keys,
}

impl MapHits {
    /// Fills a map of `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        let mut map = LruMap::new(capacity);
        for key in 0..capacity as u64 {
            map.insert(key, !key);
        }
        Self { map, keys: Keys::uniform(DRAWN, capacity as u64) }
    }
}

impl Workload for MapHits {
    fn run(&mut self, times: u64) {
        let hits = self.map.stats().hits;
        for _ in 0..times {
            let key = self.keys.draw();
            assert_eq!(self.map.get(&key), Some(&!key));
        }
        assert_eq!(self.map.stats().hits - hits, times, "100 % hits");
    }
}

/// Inserts into a full [`LruMap`], each of which evicts the least recently used entry.
#[derive(Debug)]
pub struct MapChurn {
    map: LruMap<u64, u64>,
    next: u64,
}

impl MapChurn {
    /// Fills a map of `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        let mut map = LruMap::new(capacity);
        let next = capacity as u64;
        for key in 0..next {
            map.insert(key, !key);
        }
        Self { map, next }
    }
}

impl Workload for MapChurn {
    fn run(&mut self, times: u64) {
        let evictions = self.map.stats().evictions;
        for _ in 0..times {
            assert_eq!(self.map.insert(self.next, !self.next), None);
            self.next += 1;
        }
        assert_eq!(self.map.stats().evictions - evictions, times, "every insert evicts");
        assert_eq!(self.map.len(), self.map.capacity());
    }
}

/// Lookups of Zipf keys in an [`LruMap`] that holds a tenth of them, with an insert after each
/// miss.
#[derive(Debug)]
pub struct MapReadThrough {
    map: LruMap<u64, u64>,
    keys: Keys,
}

impl MapReadThrough {
    /// Reads the drawn keys once, so that the map is full and its content settled.
    pub fn new(capacity: usize) -> Self {
        let drawn = (DRAWN_PER_ENTRY * capacity).min(4 * DRAWN);
        let keys = Keys::zipf(drawn, KEYS_PER_ENTRY * capacity as u64);
        let mut workload = Self { map: LruMap::new(capacity), keys };
        workload.run(workload.keys.lap());
        workload
    }

    /// The share of hits, from 0 to 1, in one more lap of the drawn keys.
    pub fn hit_ratio(&mut self) -> f64 {
        let lap = self.keys.lap();
        let hits = self.map.stats().hits;
        self.run(lap);
        (self.map.stats().hits - hits) as f64 / lap as f64
    }
}

impl Workload for MapReadThrough {
    fn run(&mut self, times: u64) {
        let before = self.map.stats();
        for _ in 0..times {
            let key = self.keys.draw();
            match self.map.get(&key) {
                Some(value) => assert_eq!(*value, !key),
                None => assert_eq!(self.map.insert(key, !key), None),
            }
        }
        let after = self.map.stats();
        assert_eq!(after.hits - before.hits + after.inserts - before.inserts, times);
        assert!(self.map.len() <= self.map.capacity());
    }
}

/// Lookups in a [`Cache`] with its default shards, of which each is a hit.
#[derive(Debug)]
pub struct CacheHits {
    cache: Cache<u64, u64>,
    keys: Keys,
}

impl CacheHits {
    /// Fills a cache with `count` entries. Its capacity is twice that, so that no shard evicts.
    ///
    /// # Panics
    /// If a shard evicted all the same.
    pub fn new(count: usize) -> Self {
        let cache = Cache::new(2 * count);
        for key in 0..count as u64 {
            cache.insert(key, !key);
        }
        assert_eq!(cache.len(), count, "every key is resident");
        Self { cache, keys: Keys::uniform(DRAWN, count as u64) }
    }
}

impl Workload for CacheHits {
    fn run(&mut self, times: u64) {
        let hits = self.cache.stats().hits;
        for _ in 0..times {
            let key = self.keys.draw();
            assert_eq!(self.cache.get(&key), Some(!key));
        }
        assert_eq!(self.cache.stats().hits - hits, times, "100 % hits");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 64;

    /// House rule: every benchmark also runs at a tiny size and asserts its result.
    #[test]
    fn the_workloads_give_what_they_must() {
        let workloads: [&mut dyn Workload; 4] = [
            &mut MapHits::new(CAPACITY),
            &mut MapChurn::new(CAPACITY),
            &mut MapReadThrough::new(CAPACITY),
            &mut CacheHits::new(CAPACITY),
        ];
        for workload in workloads {
            workload.run(1);
            workload.run(10_000);
        }
    }

    /// The hit ratio of the read-through is that of an LRU, to the unit: a naive one in a `Vec`
    /// reads the same keys.
    #[test]
    fn the_read_through_hits_as_often_as_a_naive_lru() {
        let mut workload = MapReadThrough::new(CAPACITY);
        let ratio = workload.hit_ratio();
        let mut recent: Vec<u64> = Vec::new();
        let mut hits = 0_u64;
        for lap in 0..2 {
            for _ in 0..workload.keys.lap() {
                let key = workload.keys.draw();
                let found = recent.iter().position(|entry| *entry == key);
                hits += u64::from(lap == 1 && found.is_some());
                let place = found.unwrap_or_else(|| {
                    recent.truncate(CAPACITY - 1);
                    recent.push(key);
                    recent.len() - 1
                });
                recent[..=place].rotate_right(1);
            }
        }
        assert_eq!(ratio, hits as f64 / workload.keys.lap() as f64);
    }
}
