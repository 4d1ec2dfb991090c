//! What is measured: which work, of how many entries, by how many threads, and by which engines.

use crate::compare::contest::KEYS_PER_ENTRY;
use crate::compare::contest::Setting;
use crate::compare::engine::Engine;
use crate::compare::engine::Owners;
use crate::compare::engine::Policy;
use crate::compare::pair::Drawn;
use crate::compare::pair::Pair;
use crate::compare::workload::Workload;
use crate::keys::Keys;
use std::fmt;
use std::time::Duration;

/// The types of keys and values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Types {
    /// From `u64` to `u64`.
    Numbers,
    /// From a `String` of 20 bytes to an `Arc<[u8]>` of 1.3 kB.
    Texts,
}

/// Engines that take turns at the same work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Group {
    /// The kind of work.
    pub workload: Workload,
    /// The types of keys and values.
    pub types: Types,
    /// How many entries it is about.
    pub size: usize,
    /// How many threads work.
    pub threads: usize,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = match self.types {
            Types::Numbers => "u64 -> u64",
            Types::Texts => "String -> Arc<[u8]>",
        };
        let threads =
            if self.threads == 1 { "1 thread" } else { &format!("{} threads", self.threads) };
        write!(f, "{}, {types}, {}, {threads}", self.workload.name(), entries(self.size))
    }
}

/// A number of entries, as people say it.
pub fn entries(size: usize) -> String {
    match size {
        1_000_000.. if size.is_multiple_of(1_000_000) => format!("{} M", size / 1_000_000),
        1_000.. if size.is_multiple_of(1_000) => format!("{} k", size / 1_000),
        _ => size.to_string(),
    }
}

const K: usize = 1_000;
const M: usize = 1_000_000;

/// How many keys are drawn beforehand at least: 2 MiB of numbers, read in order.
const DRAWN_MIN: usize = 1 << 18;

/// And at most.
const DRAWN_MAX: usize = 1 << 22;

/// How many threads ask for a cold key.
const FLIGHT: usize = 8;

/// An engine whose own thread works on for minutes after the work, and would slow the others down.
pub const ALONE: &str = "stretto";

/// Groups of numbers, then of texts: work, sizes, threads.
type Block = (Workload, &'static [usize], &'static [usize]);

const NUMBERS: &[Block] = &[
    (Workload::Hit, &[K, 100 * K, M], &[1, 2]),
    (Workload::Hit, &[100 * K], &[4, 8]),
    (Workload::Zipf, &[K, M], &[1]),
    (Workload::Zipf, &[100 * K], &[1, 2, 4, 8]),
    (Workload::Churn, &[100 * K], &[1, 2, 4, 8]),
    (Workload::Churn, &[M], &[1]),
    (Workload::Mixed90, &[100 * K], &[1, 2, 4, 8]),
    (Workload::Mixed50, &[100 * K], &[1, 2, 4, 8]),
    (Workload::Hot, &[K], &[1, 2, 4, 8]),
    (Workload::Latency, &[100 * K], &[1, 2]),
    (Workload::Flight, &[K], &[FLIGHT]),
    (Workload::Bytes, &[100 * K, M], &[1]),
];

const TEXTS: &[Block] = &[
    (Workload::Hit, &[K, 100 * K], &[1, 2]),
    (Workload::Zipf, &[10 * K], &[1, 2]),
    (Workload::Mixed90, &[10 * K], &[1, 2]),
];

/// What the table at the end needs, and no more.
const QUICK: &[Block] = &[
    (Workload::Hit, &[K], &[1]),
    (Workload::Hit, &[100 * K], &[1, 2]),
    (Workload::Zipf, &[100 * K], &[1, 2]),
    (Workload::Churn, &[100 * K], &[1, 2]),
    (Workload::Churn, &[M], &[1]),
    (Workload::Hot, &[K], &[2]),
    (Workload::Latency, &[100 * K], &[2]),
    (Workload::Flight, &[K], &[FLIGHT]),
    (Workload::Bytes, &[M], &[1]),
];

/// How much is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// Everything.
    Full,
    /// What the table at the end needs.
    Quick,
}

/// All groups of a run.
pub fn groups(extent: Extent) -> Vec<Group> {
    let of = |blocks: &[Block], types| {
        let mut groups = Vec::new();
        for (workload, sizes, threads) in blocks {
            for &size in *sizes {
                let group = |&threads| Group { workload: *workload, types, size, threads };
                groups.extend(threads.iter().map(group));
            }
        }
        groups
    };
    match extent {
        Extent::Full => [of(NUMBERS, Types::Numbers), of(TEXTS, Types::Texts)].concat(),
        Extent::Quick => of(QUICK, Types::Numbers),
    }
}

/// What a reader has to know, above all what is left out and why.
pub const NOTES: &[&str] = &[
    "engines with one owner: one thread only; hot, latency and flight are work for threads",
    "maps without a bound, as floors: no zipf and no churn, for they never evict",
    "stretto: after all others, on 1 thread, up to 100 k entries; its thread works on for minutes",
    "1 M entries: only u64 -> u64 (values of 1.3 kB wouldn't fit), by 1 thread, hits by 2 as well",
    "texts: no churn (it would time the making of keys), 10 k entries for zipf and mixed90",
    "hits and mixed work: engines for threads are told twice the size, so that no shard overflows",
    "flights of mutex_lru, scc and dashmap load under a lock: other keys wait as well",
    "flights of foyer: its loads are futures, driven here by a tokio runtime",
];

/// Why an engine has no part in a group.
pub fn reason_against(engine: &Engine, group: &Group) -> Option<&'static str> {
    let only_threads = [Workload::Hot, Workload::Latency, Workload::Flight];
    if engine.owners == Owners::One && group.threads > 1 {
        Some("one owner")
    } else if engine.owners == Owners::One && only_threads.contains(&group.workload) {
        Some("a matter of threads")
    } else if engine.policy == Policy::Unbounded && group.workload.evicts() {
        Some("never evicts")
    } else if engine.name == ALONE && (group.threads > 1 || group.size > 100 * K) {
        Some("its own thread works on for minutes")
    } else {
        None
    }
}

/// Whether the size is that of what stays in the cache, rather than that of one that overflows.
fn is_kept_whole(workload: Workload) -> bool {
    !workload.evicts() && workload != Workload::Bytes
}

/// What an engine is asked to do in a group. Engines for threads are told twice of what shall stay
/// in them, for a shard must not overflow; and the size itself where evicting is the point.
pub fn setting(engine: &Engine, group: &Group, ready_within: Duration) -> Setting {
    let is_divided = engine.owners == Owners::Many;
    let times = if is_divided && is_kept_whole(group.workload) { 2 } else { 1 };
    Setting {
        workload: group.workload,
        size: group.size,
        capacity: times * group.size,
        threads: group.threads,
        ready_within,
    }
}

/// The keys of a group, drawn.
pub fn drawn<P: Pair>(group: &Group) -> Drawn<P> {
    let size = group.size;
    let mut keys = match group.workload {
        Workload::Zipf => {
            let count = (40 * size).clamp(DRAWN_MIN, DRAWN_MAX);
            Keys::zipf(count, KEYS_PER_ENTRY * size as u64)
        }
        Workload::Churn | Workload::Flight | Workload::Bytes => Keys::circle(vec![0]),
        _ => Keys::uniform((2 * size).clamp(DRAWN_MIN, DRAWN_MAX), size as u64),
    };
    let residents = if is_kept_whole(group.workload) { size } else { 0 };
    P::drawn((0..keys.lap()).map(|_| keys.draw()), residents)
}
