//! Which partition a key belongs to: the same as for the Java client, so that an order's versions
//! stay in one partition and in order, whichever producer sent them.
//!
//! The crate `kafka` has a partitioner of its own, which puts keys elsewhere.

/// The partition of a key among so many, as Kafka's default partitioner has it.
pub(super) fn of_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff).cast_signed() % partitions.max(1)
}

/// `MurmurHash2` of 32 bits with the seed that Kafka's clients agreed on.
fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const FACTOR: u32 = 0x5bd1_e995;
    let (words, rest) = bytes.as_chunks::<4>();
    // Keys are shorter than 4 GiB: a message is.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        word ^= word >> 24;
        hash = hash.wrapping_mul(FACTOR) ^ word.wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u32::from_le_bytes(last)).wrapping_mul(FACTOR);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use crate::topic::kafka::partition::murmur2;
    use crate::topic::kafka::partition::of_key;

    /// The values that Kafka's own tests expect of its hash.
    #[test]
    fn keys_hash_as_in_the_java_client() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    /// Row 2: with five partitions, or seven, each gets its share of the orders.
    #[test]
    fn every_partition_gets_keys_and_none_lies_outside() {
        let mut keys = [0; 7];
        for number in 0..7000 {
            let partition = of_key(format!("order-{number}").as_bytes(), 7);
            keys[usize::try_from(partition).unwrap()] += 1;
        }
        assert!(keys.iter().all(|count| (800..1200).contains(count)), "{keys:?}");
    }
}
