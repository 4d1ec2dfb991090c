//! The default hasher, and which bits of a hash choose what.
//!
//! One 64-bit hash serves twice: its upper half chooses the shard, its lower half the place in
//! that shard's index. Were they the same bits, all keys of a shard would crowd into a part of it.
//!
//! ```text
//! bit  63.........48 47......32 31..24 23....................0
//!      shard (≤ 16)             tag    place in the index
//! ```
//!
//! What the place needs grows with the index, from bit 0 up, and reaches into the tag above 2²⁴
//! chunks, which is more than 100 million entries in one shard.

use core::fmt;
use core::hash::BuildHasher;
use core::hash::Hasher;

/// The hasher used unless another is given: fast on short keys, seeded at random.
///
/// It resists flooding (keys chosen so that they collide) as well as hashbrown's default does: the
/// seed differs from process to process and from instance to instance. It is made of randomised
/// addresses, with `std` also of the time, and is not cryptographic: where that is not enough, use
/// `std::hash::RandomState`. Which algorithm it is may change in any release.
///
/// Keys in a row spread over shards and index as by chance, whatever the seed. (Without foldhash's
/// last step one seed in a hundred gave 5000 of them over 32 shards a chi-square above 6 for each
/// degree of freedom, and over 512 chunks above 5, where chance gives 1: 2026-11-20.)
///
/// ```
/// use lru_engine::{DefaultHasher, LruMap};
///
/// let mut map = LruMap::with_hasher(100, DefaultHasher::default());
/// map.insert("one", 1);
/// assert_eq!(map.get("one"), Some(&1));
/// ```
#[derive(Clone, Default)]
pub struct DefaultHasher(foldhash::quality::RandomState);

impl BuildHasher for DefaultHasher {
    type Hasher = KeyHasher;

    #[inline]
    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(self.0.build_hasher())
    }
}

impl fmt::Debug for DefaultHasher {
    /// Leaves the seed out: who can read it can make keys collide.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultHasher").finish_non_exhaustive()
    }
}

/// The state of one hash being computed by [`DefaultHasher`].
///
/// ```
/// use core::hash::{BuildHasher, Hasher};
///
/// let build = lru_engine::DefaultHasher::default();
/// let (mut a, mut b) = (build.build_hasher(), build.build_hasher());
/// a.write_u64(7);
/// b.write_u64(7);
/// assert_eq!(a.finish(), b.finish());
/// ```
#[derive(Clone)]
pub struct KeyHasher(foldhash::quality::FoldHasher<'static>);

/// Passes each width on to foldhash, which has a fast path for it.
macro_rules! forward {
    ($($name:ident: $type:ty),*) => {$(
        #[inline]
        fn $name(&mut self, value: $type) {
            self.0.$name(value);
        }
    )*};
}

impl Hasher for KeyHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0.finish()
    }

    forward!(write: &[u8], write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64);
    forward!(write_u128: u128, write_usize: usize);
}

impl fmt::Debug for KeyHasher {
    /// Leaves the state out, for it gives the seed away.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyHasher").finish_non_exhaustive()
    }
}

/// The most bits of a hash that choose a shard.
pub(crate) const SHARD_BITS_MAX: u32 = 16;

/// The shard, of so many, that a hash belongs to: its highest bits, for a power of two.
///
/// The index uses the lower half of the hash. A multiplication takes four instructions, where
/// shifting by a number of bits and masking took eleven: a hit waits for memory, and the fewer
/// instructions it has, the more hits the processor has under way at once.
#[inline]
pub(crate) fn shard_position(hash: u64, shards: usize) -> usize {
    debug_assert!(shards <= 1 << SHARD_BITS_MAX, "{shards} shards");
    (((hash >> 32) * shards as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    /// Design: shard bits are disjoint from those that the index uses.
    #[test]
    fn neither_the_tag_nor_the_position_chooses_the_shard() {
        let tag_and_position = u64::from(u32::MAX);
        for shards in (0..=SHARD_BITS_MAX).map(|bits| 1 << bits) {
            assert_eq!(shard_position(tag_and_position, shards), 0);
            assert_eq!(shard_position(u64::MAX, shards), shards - 1);
        }
    }

    /// Record of the budget: keys in a row spread as by chance over the shards and over the index,
    /// whatever the seed. The chi-square for each degree of freedom is 1 on average; at 31 degrees
    /// one of 400 is expected above 2, and none above 3.
    #[test]
    fn keys_in_a_row_spread_whatever_the_seed() {
        const KEYS: u64 = 5_000;
        // An interpreter has time for a few.
        const SEED_MAX: u64 = if cfg!(miri) { 2 } else { 400 };
        static SEEDS: LazyLock<Vec<foldhash::SharedSeed>> =
            LazyLock::new(|| (1..=SEED_MAX).map(foldhash::SharedSeed::from_u64).collect());
        let chi_square = |count: usize, place: &dyn Fn(u64) -> usize| {
            let mut found = vec![0.0_f64; count];
            (0..KEYS).for_each(|key| found[place(key)] += 1.0);
            let expected = KEYS as f64 / count as f64;
            let of = |found: &f64| (found - expected) * (found - expected) / expected;
            found.iter().map(of).sum::<f64>() / (count - 1) as f64
        };
        for (seed, shared) in (1..).zip(SEEDS.iter()) {
            let seed: u64 = seed;
            let hash = |key: u64| {
                let mut hasher = KeyHasher(foldhash::quality::FoldHasher::with_seed(!seed, shared));
                hasher.write_u64(key * 1_000);
                hasher.finish()
            };
            let shards = chi_square(32, &|key| shard_position(hash(key), 32));
            let chunks = chi_square(512, &|key| hash(key) as usize % 512);
            let tags = chi_square(256, &|key| (hash(key) >> 24) as usize % 256);
            assert!(shards < 3.0, "seed {seed}: {shards} over shards");
            assert!(chunks < 1.5, "seed {seed}: {chunks} over chunks");
            assert!(tags < 1.6, "seed {seed}: {tags} over tags");
        }
    }

    /// Design: the default resists flooding, so no two instances share a seed.
    #[test]
    fn two_default_hashers_disagree() {
        let (a, b) = (DefaultHasher::default(), DefaultHasher::default());
        assert!((0..8_u64).any(|key| a.hash_one(key) != b.hash_one(key)));
    }
}
