//! The shards of a cache, each behind its own lock, and which shard a hash belongs to.
//!
//! A standard mutex: uncontended it costs two atomic read-modify-writes like any other, and its
//! waiters sleep. Its poison is ignored, because a shard is valid wherever user code can panic.
//! Shards are padded to 128 bytes, the two cache lines that processors fetch together, so that
//! threads on neighbouring shards do not slow each other.
//!
//! Invariants: the number of shards is a power of two and never changes; their capacities add up
//! to the capacity of the whole; a thread holds at most one lock of a cache.

use std::ops::Deref;
use std::ops::DerefMut;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;

use crate::hash::SHARD_BITS_MAX;
use crate::hash::shard_position;
use crate::mark::Mark;
use crate::shard::Shard;

/// The most shards that a cache has.
const SHARDS_MAX: usize = 1 << SHARD_BITS_MAX;

/// Shards for each core: enough that two threads rarely meet in one.
const SHARDS_PER_CORE: usize = 32;

/// The entries that a shard has at least, unless a number of shards is asked for. In smaller ones
/// the chance that keys crowd into one shard costs hits.
const SHARD_CAPACITY_MIN: usize = 128;

#[derive(Debug)]
#[repr(align(128))]
struct Padded<K, V>(Mutex<Shard<K, V>>);

/// A power of two of locked shards.
#[derive(Debug)]
pub(crate) struct Shards<K, V> {
    shards: Box<[Padded<K, V>]>,
    bits: u32,
}

impl<K, V> Shards<K, V> {
    /// Shares `capacity` out over `count` shards, as evenly as it goes. `count` is rounded up to a
    /// power of two; it is at most [`SHARDS_MAX`], and no shard has a capacity of 0 unless all do.
    pub(crate) fn new(capacity: usize, count: usize) -> Self {
        let asked_bits = count.clamp(1, SHARDS_MAX).next_power_of_two().ilog2();
        let bits = asked_bits.min(capacity.max(1).ilog2());
        let count = 1 << bits;
        let (share, rest) = (capacity / count, capacity % count);
        let shard = |position| Shard::new(share + usize::from(position < rest));
        let shards = (0..count).map(|position| Padded(Mutex::new(shard(position)))).collect();
        Self { shards, bits }
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.len()
    }

    /// Locks the shard that a hash belongs to.
    #[inline]
    pub(crate) fn lock(&self, hash: u64) -> Locked<'_, K, V> {
        self.lock_at(shard_position(hash, self.bits))
    }

    /// Locks the shard at a position, counted from 0 and round again past the last.
    #[inline]
    pub(crate) fn lock_at(&self, position: usize) -> Locked<'_, K, V> {
        let mark = Mark::enter(self.shards.as_ptr().addr());
        let shard = &self.shards[position & (self.shards.len() - 1)].0;
        Locked { shard: shard.lock().unwrap_or_else(PoisonError::into_inner), _mark: mark }
    }

    /// Every shard in turn, each locked until the next is asked for.
    pub(crate) fn lock_each(&self) -> impl Iterator<Item = Locked<'_, K, V>> {
        (0..self.count()).map(|position| self.lock_at(position))
    }
}

/// The number of shards of a cache of this capacity, unless one is asked for.
pub(crate) fn shard_count_default(capacity: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let count_max = (capacity / SHARD_CAPACITY_MIN).max(1);
    let by_capacity = 1 << count_max.ilog2().min(SHARD_BITS_MAX);
    cores.saturating_mul(SHARDS_PER_CORE).min(SHARDS_MAX).next_power_of_two().min(by_capacity)
}

/// A shard that this thread has locked. It is unlocked first and unmarked second.
#[derive(Debug)]
pub(crate) struct Locked<'a, K, V> {
    shard: MutexGuard<'a, Shard<K, V>>,
    _mark: Mark,
}

impl<K, V> Deref for Locked<'_, K, V> {
    type Target = Shard<K, V>;

    #[inline]
    fn deref(&self) -> &Shard<K, V> {
        &self.shard
    }
}

impl<K, V> DerefMut for Locked<'_, K, V> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Shard<K, V> {
        &mut self.shard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Design: a power of two, never fewer than 128 entries a shard unless asked for.
    #[test]
    fn the_default_number_of_shards_follows_the_capacity() {
        for (capacity, count_max) in
            [(0, 1), (1, 1), (255, 1), (256, 2), (1_000, 4), (1_024, 8), (usize::MAX, SHARDS_MAX)]
        {
            let count = shard_count_default(capacity);
            assert!(count.is_power_of_two() && count <= count_max, "{count} for {capacity}");
            assert!(count == 1 || capacity / count >= SHARD_CAPACITY_MIN);
        }
    }

    /// Issue: the shares add up to the capacity, and none is 0 while another is not.
    #[test]
    fn the_capacity_is_shared_out_to_the_last_entry() {
        for (capacity, asked, count) in [
            (0, 64, 1),
            (1, 64, 1),
            (5, 64, 4),
            (1_000, 3, 4),
            (1_000, 64, 64),
            (1 << 20, usize::MAX, SHARDS_MAX),
        ] {
            let shards = Shards::<u8, u8>::new(capacity, asked);
            assert_eq!(shards.count(), count);
            let shares: Vec<usize> = shards.lock_each().map(|shard| shard.capacity()).collect();
            assert_eq!(shares.iter().sum::<usize>(), capacity);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }
}
