//! Hit counts to the unit, of published traces and of traces of our own making.
//!
//! What a true LRU hits follows from the trace alone: a request hits in a cache of n entries
//! exactly if fewer than n other keys were requested since its key was requested last (its stack
//! distance; Mattson and others, 1970). That is computed here without any cache, and the engine
//! has to agree with it.
//!
//! The published traces are not part of this project. `LRU_TRACES` names the folder that has them,
//! beside `golden.tsv` with the counts to match.

use std::collections::HashMap;
use std::env;
use std::env::VarError;
use std::fs;
use std::fs::File;
use std::hash::BuildHasher;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::str::Lines;

use flate2::read::GzDecoder;
use lru_engine::Cache;
use lru_engine::LruMap;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

use crate::random::Random;

/// What reads through an LRU of `capacity` entries hit.
fn map_hits<K: Copy + Hash + Eq>(trace: &[K], capacity: usize) -> u64 {
    let mut map = LruMap::new(capacity);
    for &key in trace {
        if map.get(&key).is_none() {
            map.insert(key, ());
        }
    }
    map.check_invariants();
    assert_eq!(map.stats().hits + map.stats().misses, trace.len() as u64);
    map.stats().hits
}

/// The same through a shared cache of one shard.
fn cache_hits<K: Copy + Hash + Eq>(trace: &[K], capacity: usize) -> u64 {
    let cache = Cache::builder().capacity(capacity).shards(1).build().unwrap();
    for &key in trace {
        if cache.get(&key).is_none() {
            cache.insert(key, ());
        }
    }
    cache.stats().hits
}

/// A Fenwick tree: counts by position, changed and summed up in logarithmic time.
struct Counts(Vec<u32>);

impl Counts {
    fn add(&mut self, position: usize, change: i32) {
        let mut node = position + 1;
        while node < self.0.len() {
            self.0[node] = self.0[node].wrapping_add_signed(change);
            node += node & node.wrapping_neg();
        }
    }

    /// The sum of the counts before `position`.
    fn before(&self, position: usize) -> u32 {
        let (mut node, mut sum) = (position, 0);
        while node > 0 {
            sum += self.0[node];
            node &= node - 1;
        }
        sum
    }
}

/// For each stack distance, the number of requests that have it.
fn stack_distances(trace: &[u64]) -> Vec<u64> {
    let mut distances = Vec::new();
    let mut last_request = HashMap::new();
    // 1 where a key was requested last: what lies behind a position are the other keys since.
    let mut is_last = Counts(vec![0; trace.len() + 1]);
    for (position, &key) in trace.iter().enumerate() {
        if let Some(last) = last_request.insert(key, position) {
            let distance = (is_last.before(position) - is_last.before(last + 1)) as usize;
            distances.resize(distances.len().max(distance + 1), 0);
            distances[distance] += 1;
            is_last.add(last, -1);
        }
        is_last.add(position, 1);
    }
    distances
}

/// Requests that follow a few popular keys (Zipf, exponent 1), broken by loops over many keys.
fn zipf_and_loops(seed: u64, requests: usize, keys: usize) -> Vec<u64> {
    let mut random = Random::new(seed);
    let mut sum = 0.0;
    let shares = (1..=keys).map(|rank| {
        sum += 1.0 / rank as f64;
        sum
    });
    let sums: Vec<f64> = shares.collect();
    let mut trace = Vec::with_capacity(requests);
    while trace.len() < requests {
        for _ in 0..1_000 {
            let drawn = random.unit() * sum;
            trace.push(sums.partition_point(|&reached| reached < drawn) as u64);
        }
        let first = keys as u64 + random.below(10);
        for _ in 0..3 {
            trace.extend(first..first + random.below(300));
        }
    }
    trace.truncate(requests);
    trace
}

/// Both types against the stack distances of a generated trace.
fn check_generated(seed: u64, requests: usize, keys: usize) {
    let trace = zipf_and_loops(seed, requests, keys);
    let distances = stack_distances(&trace);
    for capacity in [1, 2, 7, 50, 128, 300, 1_000, 5_000] {
        let expected: u64 = distances.iter().take(capacity).sum();
        assert_eq!(map_hits(&trace, capacity), expected, "seed {seed}, capacity {capacity}");
        assert_eq!(cache_hits(&trace, capacity), expected, "seed {seed}, capacity {capacity}");
    }
    assert!(distances.iter().sum::<u64>() > requests as u64 / 4, "a trace with few repeats");
}

/// The check's own check: a trace whose distances can be counted by hand.
#[test]
fn stack_distances_are_the_number_of_other_keys_since() {
    assert_eq!(stack_distances(&[1, 1, 2, 1, 3, 2, 2, 4]), [2, 1, 1]);
    let around = [1, 2, 3, 1, 2, 3];
    assert_eq!(stack_distances(&around), [0, 0, 3]);
    assert_eq!((map_hits(&around, 2), map_hits(&around, 3)), (0, 3));
}

/// Issue: exact LRU, on traces that need no file.
#[test]
fn generated_traces_hit_as_their_stack_distances_say() {
    for seed in 1..=4 {
        check_generated(seed, 20_000, 2_000);
    }
}

fn unpacked(path: &Path) -> Vec<u8> {
    let open = || BufReader::new(File::open(path).unwrap_or_else(|error| named(path, &error)));
    let mut bytes = Vec::new();
    let read = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => GzDecoder::new(open()).read_to_end(&mut bytes),
        Some("xz") => XzReader::new(open(), true).read_to_end(&mut bytes),
        Some("zst") => StreamingDecoder::new(open()).unwrap().read_to_end(&mut bytes),
        _ => panic!("{}: neither gz, xz nor zst", path.display()),
    };
    read.unwrap_or_else(|error| named(path, &error));
    bytes
}

fn named(path: &Path, error: &io::Error) -> ! {
    panic!("LRU_TRACES: {}: {error}", path.display())
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// A file of `golden.tsv`, checked at its capacities. The folder that it is in tells its format.
fn check_file(folder: &Path, file: &str, golden: &[(usize, u64)]) {
    let bytes = unpacked(&folder.join(file));
    match file.split('/').next() {
        // `start count ignored request` a line: the keys from start to start + count.
        Some("arc") => {
            let expand = |line| {
                let mut fields = fields(line).map(number);
                let (start, count) = (fields.next().unwrap(), fields.next().unwrap());
                start..start + count
            };
            check_golden(file, &lines(&bytes).flat_map(expand).collect::<Vec<u64>>(), golden);
        }
        // A key a line; lines of `*` and empty ones stand between the parts of the trace.
        Some("lirs") => {
            let keys = lines(&bytes).map(str::trim).filter(|line| !matches!(*line, "" | "*"));
            check_golden(file, &keys.map(number).collect::<Vec<u64>>(), golden);
        }
        // `time key size`.
        Some("adapt_size") => {
            let key = |line| number(fields(line).nth(1).unwrap());
            check_golden(file, &lines(&bytes).map(key).collect::<Vec<u64>>(), golden);
        }
        // `key mark`, the key being the name of a domain.
        Some("strings") => {
            let key = |line| fields(line).next().unwrap_or("");
            check_golden(file, &lines(&bytes).map(key).collect::<Vec<&str>>(), golden);
        }
        // Keys of 4 or 8 bytes each.
        Some("cloud_physics" | "cache2k") => check_golden(file, bytes.as_chunks::<4>().0, golden),
        Some("scarab") => check_golden(file, bytes.as_chunks::<8>().0, golden),
        _ => panic!("{file}: of no known format"),
    }
}

fn lines(bytes: &[u8]) -> Lines<'_> {
    str::from_utf8(bytes).unwrap().lines()
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split_ascii_whitespace()
}

/// A debug build checks a trace longer than this at the capacity in the middle only, and then needs
/// 28 seconds for `golden.tsv`; a release build needs 3 for all of it (2026-11-20, 2 busy cores).
const REQUESTS_MANY: usize = 1_000_000;

fn check_golden<K: Copy + Hash + Eq>(file: &str, trace: &[K], golden: &[(usize, u64)]) {
    let middle = golden[golden.len() / 2];
    let is_short = trace.len() <= REQUESTS_MANY;
    let checked = if is_short || cfg!(not(debug_assertions)) { golden } else { &[middle] };
    for &(capacity, hits) in checked {
        assert_eq!(map_hits(trace, capacity), hits, "{file} at capacity {capacity}");
    }
    let (capacity, hits) = middle;
    if is_short || cfg!(not(debug_assertions)) {
        assert_eq!(cache_hits(trace, capacity), hits, "{file} at capacity {capacity}, shared");
    }
    if SHARDED.contains(&file) && cfg!(not(debug_assertions)) {
        golden.iter().for_each(|golden| check_loss(file, trace, *golden));
    } else if SHARDED.first() == Some(&file) {
        check_loss(file, trace, middle);
    }
}

/// Traces whose keys come back at all distances, so that each place that a shard lacks costs hits.
const SHARDED: [&str; 3] =
    ["arc/OLTP.lis.zst", "scarab/scarab-recs.trace.xz", "cloud_physics/w106.trace.xz"];

/// The seeds of a hash, each of which spreads the keys over the shards in another way.
const SEEDS: u64 = 10;

/// What a cache may lose by its shards, in percentage points of hit ratio, on average.
const LOSS_MAX: f64 = 0.05;

struct Seeded(u64);

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

/// Issue: default sharding loses at most 0.05 points against the exact order over all entries, with
/// as many shards as the default ever is, however many cores there are.
fn check_loss<K: Copy + Hash + Eq>(file: &str, trace: &[K], (capacity, hits): (usize, u64)) {
    let shards = 1 << (capacity / 256).max(1).ilog2();
    let loss = |seed| {
        let builder = Cache::builder().capacity(capacity).shards(shards).hasher(Seeded(seed));
        let cache = builder.build().unwrap();
        for &key in trace {
            if cache.get(&key).is_none() {
                cache.insert(key, ());
            }
        }
        (hits as f64 - cache.stats().hits as f64) / trace.len() as f64 * 100.0
    };
    let losses: Vec<f64> = (1..=SEEDS).map(loss).collect();
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    let worst = losses.iter().copied().fold(f64::MIN, f64::max);
    let report = format!(
        "{file} at {capacity}, {shards} shards: {mean:.3} points lost on average, \
         {worst:.3} at most\n"
    );
    io::stderr().write_all(report.as_bytes()).unwrap();
    assert!(mean <= LOSS_MAX, "{report}");
}

fn check_published(folder: &Path) {
    let path = folder.join("golden.tsv");
    let table = fs::read_to_string(&path).unwrap_or_else(|error| named(&path, &error));
    let mut golden: Vec<(&str, Vec<(usize, u64)>)> = Vec::new();
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (file, capacity, hits) = (fields[0], number(fields[3]) as usize, number(fields[4]));
        match golden.last_mut() {
            Some((last, counts)) if *last == file => counts.push((capacity, hits)),
            _ => golden.push((file, vec![(capacity, hits)])),
        }
    }
    for (file, counts) in &golden {
        check_file(folder, file, counts);
    }
    assert_eq!(golden.len(), 22, "2 traces of ARC, 13 of LIRS and 7 others");
}

/// Issue: all of `golden.tsv`, to the unit; a debug build checks the longest traces at one capacity
/// each. Without the published traces, a longer trace of our own takes their place, and the test
/// says so.
#[test]
#[expect(clippy::disallowed_methods, reason = "the folder of traces is these tests' one setting")]
fn published_traces_hit_to_the_unit() {
    match env::var("LRU_TRACES") {
        Ok(folder) => check_published(Path::new(&folder)),
        Err(VarError::NotPresent) => {
            let seed = 42;
            // Straight to the terminal: what a passing test prints is not shown.
            let note =
                "LRU_TRACES is not set: published traces are not checked, a generated one is";
            writeln!(io::stderr(), "{note} (seed {seed})").unwrap();
            check_generated(seed, 150_000, 20_000);
        }
        Err(error) => panic!("LRU_TRACES: {error}"),
    }
}
