//! How many shards a cache has when nobody says: by the cores and by the capacity.

use std::thread;

use crate::hash::SHARD_BITS_MAX;

/// The most shards that a cache has.
pub(crate) const SHARDS_MAX: usize = 1 << SHARD_BITS_MAX;

/// Shards for each core: enough that two threads rarely meet in one.
const SHARDS_PER_CORE: usize = 32;

/// The entries that a shard has on average at least, unless a number of shards is asked for. In
/// smaller ones the chance that keys crowd into one shard costs hits: of the traces OLTP and scarab
/// 128 lost up to 0.065 points of hit ratio, and 256 up to 0.041 (2026-11-20, means of 10 seeds).
const SHARD_CAPACITY_MIN: usize = 256;

/// The number of shards of a cache of this capacity, unless one is asked for.
pub(crate) fn shard_count_default(capacity: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let count_max = (capacity / SHARD_CAPACITY_MIN).max(1);
    let by_capacity = 1 << count_max.ilog2().min(SHARD_BITS_MAX);
    cores.saturating_mul(SHARDS_PER_CORE).min(SHARDS_MAX).next_power_of_two().min(by_capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Design: a power of two, never fewer than 256 entries a shard unless asked for.
    #[test]
    fn the_default_number_of_shards_follows_the_capacity() {
        for (capacity, count_max) in
            [(0, 1), (1, 1), (511, 1), (512, 2), (2_000, 4), (2_048, 8), (usize::MAX, SHARDS_MAX)]
        {
            let count = shard_count_default(capacity);
            assert!(count.is_power_of_two() && count <= count_max, "{count} for {capacity}");
            assert!(count == 1 || capacity / count >= SHARD_CAPACITY_MIN);
        }
    }
}
