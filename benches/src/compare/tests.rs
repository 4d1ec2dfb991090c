//! Every engine at a tiny size, with its answers compared.

use crate::compare::contest::Contestant;
use crate::compare::engine::Engine;
use crate::compare::engine::Owners;
use crate::compare::engine::Policy;
use crate::compare::engines;
use crate::compare::pair::Numbers;
use crate::compare::pair::Texts;
use crate::compare::plan;
use crate::compare::plan::ALONE;
use crate::compare::plan::Group;
use crate::compare::plan::Types;
use crate::compare::workload::Workload;
use std::time::Duration;

const SIZE: usize = 4_096;
const COUNT: u64 = 20_000;
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Work in which every key that is asked for has been inserted.
const ALL_HITS: [Workload; 5] =
    [Workload::Hit, Workload::Mixed90, Workload::Mixed50, Workload::Hot, Workload::Latency];

fn ready(engine: &Engine, group: &Group) -> Box<dyn Contestant> {
    let setting = plan::setting(engine, group, READY_WITHIN);
    let mut contestant = match group.types {
        Types::Numbers => (engine.numbers)(&setting, plan::drawn::<Numbers>(group)),
        Types::Texts => (engine.texts)(&setting, plan::drawn::<Texts>(group)),
    };
    assert!(contestant.make_ready(), "{} wasn't ready in time", engine.name);
    contestant
}

fn group(workload: Workload, types: Types, threads: usize) -> Group {
    Group { workload, types, size: SIZE, threads }
}

/// Engines with a part in this group.
fn engines_of(group: Group) -> impl Iterator<Item = &'static Engine> {
    engines::ALL.iter().filter(move |engine| plan::reason_against(engine, &group).is_none())
}

/// What an engine keeps of entries that are half its capacity: all, unless it is one of those that
/// evict before they are full, or drop inserts.
fn kept_at_least(engine: &Engine) -> f64 {
    match engine.name {
        ALONE => 0.5,
        // 96.3 % of the texts, where a bucket of 32 overflows (2026-11-20).
        "scc" => 0.9,
        _ if matches!(engine.policy, Policy::Other(_)) => 0.99,
        _ => 1.0,
    }
}

/// Issue: hits found, values equal, by one thread and by two, with numbers and with texts.
#[test]
fn every_engine_finds_what_was_put_into_it() {
    for (types, threads) in [(Types::Numbers, 1), (Types::Numbers, 2), (Types::Texts, 1)] {
        for workload in ALL_HITS {
            let group = group(workload, types, threads);
            for engine in engines_of(group) {
                let mut contestant = ready(engine, &group);
                let sample = contestant.sample(COUNT);
                let what = format!("{}, {group}: {sample:?}", engine.name);
                assert_eq!(sample.wrong, 0, "{what}");
                let inserts = 1.0 - sample.lookups as f64 / (COUNT * threads as u64) as f64;
                let expected = match workload {
                    Workload::Mixed90 | Workload::Latency => 0.09..0.11,
                    Workload::Mixed50 => 0.47..0.53,
                    _ => 0.0..0.000_001,
                };
                assert!(expected.contains(&inserts), "{what}");
                let share = sample.hits as f64 / sample.lookups as f64;
                assert!(share >= kept_at_least(engine), "{what}");
                assert!(sample.ns > 0.0, "{what}");
                assert_eq!(sample.tails_ns.is_some(), workload == Workload::Latency, "{what}");
            }
        }
    }
}

/// Issue: exact LRU beside exact LRU; engines that hold to one order hit to the unit alike.
#[test]
fn exact_lrus_hit_equally_often() {
    for types in [Types::Numbers, Types::Texts] {
        let group = group(Workload::Zipf, types, 1);
        let mut exact = Vec::new();
        for engine in engines_of(group) {
            let mut contestant = ready(engine, &group);
            let sample = contestant.sample(COUNT);
            let what = format!("{}, {group}: {sample:?}", engine.name);
            assert_eq!((sample.wrong, sample.lookups), (0, COUNT), "{what}");
            let share = sample.hits as f64 / sample.lookups as f64;
            assert!((0.4..0.95).contains(&share) || engine.name == ALONE, "{what}");
            if engine.policy == Policy::Lru {
                exact.push((sample.hits, engine.name));
                assert_eq!(contestant.entries(), Some(SIZE), "{what}");
            }
        }
        assert!(exact.len() >= 6, "{exact:?}");
        assert!(exact.iter().all(|(hits, _)| *hits == exact[0].0), "{exact:?}");
    }
}

/// Issue: peak len against capacity. An LRU, sharded or not, never holds more than it was told.
#[test]
fn no_lru_holds_more_than_its_capacity_under_churn() {
    for threads in [1, 2] {
        let group = group(Workload::Churn, Types::Numbers, threads);
        for engine in engines_of(group) {
            let mut contestant = ready(engine, &group);
            contestant.sample(COUNT);
            let len = contestant.entries().unwrap_or_else(|| contestant.count());
            assert!(len > 0, "{}", engine.name);
            if matches!(engine.policy, Policy::Lru | Policy::ShardedLru) {
                assert!(len <= SIZE, "{} holds {len} of {SIZE}", engine.name);
            }
        }
    }
}

/// Issue: 8 threads on a cold key, for those that have it: one load, and eight times its value.
#[test]
fn a_cold_key_is_loaded_once() {
    let group = group(Workload::Flight, Types::Texts, 8);
    let mut flights = Vec::new();
    for engine in engines_of(group) {
        let mut contestant = ready(engine, &group);
        for _ in 0..3 {
            let sample = contestant.sample(1);
            if sample.hits > 0 {
                flights.push(engine.name);
                assert_eq!((sample.hits, sample.wrong), (8, 0), "{}", engine.name);
                assert_eq!(sample.loads, Some(1), "{}", engine.name);
            }
        }
    }
    assert!(flights.contains(&"moka") && flights.contains(&"quick_cache"), "{flights:?}");
}

/// Issue: Zipf over ten times the capacity. Two threads hit as often as one: neither follows on the
/// other's heels, nor on those of the filler.
#[test]
fn threads_read_through_independently() {
    let share = |threads| {
        let group = Group { size: 4 * SIZE, ..group(Workload::Zipf, Types::Numbers, threads) };
        let engine = engines_of(group).find(|engine| engine.name == "Cache_1_shard").unwrap();
        let sample = ready(engine, &group).sample(COUNT);
        sample.hits as f64 / sample.lookups as f64
    };
    let (one, two) = (share(1), share(2));
    assert!((one - two).abs() < 0.03, "{one} and {two}");
}

/// Issue: engines with one owner have no part in work of threads, maps none in eviction.
#[test]
fn combinations_without_sense_have_a_reason() {
    for engine in engines::ALL {
        let with_two = plan::reason_against(engine, &group(Workload::Hit, Types::Numbers, 2));
        assert!(with_two.is_some() || engine.owners == Owners::Many, "{}", engine.name);
        let churn = plan::reason_against(engine, &group(Workload::Churn, Types::Numbers, 1));
        assert_eq!(churn.is_some(), engine.policy == Policy::Unbounded, "{}", engine.name);
    }
}
