//! Linearizability: what threads saw of a key could have been seen had they come one by one.
//!
//! Threads use one cache and note, for each operation, when it was called, what it answered and
//! when. The history of each key is then held against a register: there has to be an order of the
//! operations that keeps those apart which did not overlap, and in which each answers as a
//! register of one value would (Herlihy and Wing, 1990). Keys do not influence each other but by
//! eviction, so each history stands for itself.
//!
//! An eviction is an operation that nobody calls. It is enough to let it happen right before it is
//! first noticed: where an answer says that the key is not there, it is not there from then on.
//! Where nothing can be evicted, such an answer is held against the register too.
//!
//! The search is that of Wing and Gong (1993), which remembers where it was in vain (Lowe, 2017).

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Barrier;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;

use lru_engine::Cache;
use lru_engine::Refused;
use lru_engine::RefusedReason;

use crate::random::Random;
use crate::watchdog::watched;

/// What was done with a key, and what that answered. Each value is inserted once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Get(Option<u32>),
    /// The value, and the former one.
    Insert(u32, Option<u32>),
    /// The value, and why it was refused.
    InsertCold(u32, Option<RefusedReason>),
    Remove(Option<u32>),
    Invalidate,
    /// A ticket that is filled with the value, and why it was refused.
    Fill(u32, Option<RefusedReason>),
    /// A write that was announced, and why its value was refused.
    Write(u32, Option<RefusedReason>),
    /// The value that would be loaded, and the answer.
    Load(u32, u32),
}

/// Whether an entry may leave that nobody took out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Eviction {
    Possible,
    Never,
}

/// One operation of a history, with its first and its last moment.
#[derive(Clone, Copy, Debug)]
struct Event {
    key: usize,
    act: Act,
    called: u64,
    answered: u64,
}

impl Act {
    /// What the register has after this, if it can answer so where the register has `held`.
    fn apply(self, held: Option<u32>, eviction: Eviction) -> Option<Option<u32>> {
        let is_seen = |seen: Option<u32>| match seen {
            Some(_) => seen == held,
            None => held.is_none() || eviction == Eviction::Possible,
        };
        match self {
            Self::Get(seen) => is_seen(seen).then_some(seen),
            Self::Insert(value, former) => is_seen(former).then_some(Some(value)),
            Self::InsertCold(value, None) => is_seen(None).then_some(Some(value)),
            Self::InsertCold(_, Some(RefusedReason::Present)) => held.is_some().then_some(held),
            Self::InsertCold(_, Some(_)) => is_seen(None).then_some(None),
            Self::Remove(seen) => is_seen(seen).then_some(None),
            Self::Invalidate | Self::Write(_, Some(_)) => Some(None),
            Self::Fill(value, None) | Self::Write(value, None) => Some(Some(value)),
            Self::Fill(_, Some(_)) => Some(held),
            // It loaded the value, or found one. What is loaded is not kept if it is overtaken, as
            // if it were evicted.
            Self::Load(value, answer) if value == answer => is_seen(None).then_some(Some(value)),
            Self::Load(_, answer) => is_seen(Some(answer)).then_some(Some(answer)),
        }
    }
}

/// Whether the operations on one key, at most 64, can be put into an order that a register allows.
fn is_linearizable(events: &[Event], eviction: Eviction) -> bool {
    assert!(events.len() <= 64, "{} operations have more subsets than bits", events.len());
    let all = u64::MAX.checked_shr(64 - events.len() as u32).unwrap_or(0);
    // What is done already, and what the register has then.
    let mut left = vec![(0_u64, None)];
    let mut seen = HashSet::new();
    while let Some((done, held)) = left.pop() {
        if done == all {
            return true;
        }
        if !seen.insert((done, held)) {
            continue;
        }
        let is_open = |position: &usize| done & 1 << position == 0;
        let open = || (0..events.len()).filter(is_open);
        // What was called after another has answered comes after it.
        let first_answer = open().map(|position| events[position].answered).min();
        for position in open() {
            let Event { act, called, .. } = events[position];
            if first_answer.is_some_and(|answered| called < answered)
                && let Some(held) = act.apply(held, eviction)
            {
                left.push((done | 1 << position, held));
            }
        }
    }
    false
}

const THREADS: usize = 4;
/// The operations of all threads may be on one key, and fit into 64 bits.
const STEPS: usize = 16;

/// A cache that the threads of a round use, and the round's own clock.
struct Round {
    cache: Cache<usize, u32>,
    eviction: Eviction,
    keys: u64,
    clock: AtomicU64,
    start: Barrier,
}

impl Round {
    fn act(&self, random: &mut Random, key: usize, value: u32) -> Act {
        let cache = &self.cache;
        let reason = |refused: Result<(), Refused<usize, u32>>| refused.err().map(|it| it.reason);
        match random.below(18) {
            0..5 => Act::Get(cache.get(&key)),
            5..9 => Act::Insert(value, cache.insert(key, value)),
            9..11 => Act::InsertCold(value, reason(cache.insert_cold(key, value))),
            11 => Act::Remove(cache.remove(&key)),
            12 => {
                cache.invalidate(&key);
                Act::Invalidate
            }
            13 => {
                let ticket = cache.write_ticket(key);
                thread::yield_now();
                Act::Write(value, reason(ticket.write(value)))
            }
            14 | 15 if self.eviction == Eviction::Possible => {
                let load = || {
                    thread::yield_now();
                    value
                };
                Act::Load(value, cache.get_or_insert_with(key, load))
            }
            _ => {
                let ticket = cache.ticket(key);
                thread::yield_now();
                Act::Fill(value, reason(ticket.fill(value)))
            }
        }
    }

    /// One thread's operations, each with the moments around it.
    fn run(&self, seed: u64, thread: usize) -> Vec<Event> {
        let mut random = Random::new(seed ^ (thread as u64) << 32);
        self.start.wait();
        let record = |step| {
            let key = random.below(self.keys) as usize;
            let value = (thread * STEPS + step) as u32;
            let called = self.clock.fetch_add(1, SeqCst);
            // Two cores show few orders by themselves.
            (0..random.below(3)).for_each(|_| thread::yield_now());
            let act = self.act(&mut random, key, value);
            (0..random.below(3)).for_each(|_| thread::yield_now());
            Event { key, act, called, answered: self.clock.fetch_add(1, SeqCst) }
        };
        (0..STEPS).map(record).collect()
    }

    /// The operations of all threads, by key.
    fn histories(&self, seed: u64) -> Vec<Vec<Event>> {
        let mut histories = vec![Vec::new(); self.keys as usize];
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..THREADS).map(|thread| scope.spawn(move || self.run(seed, thread))).collect();
            for event in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
                histories[event.key].push(event);
            }
        });
        histories
    }
}

fn round(capacity: usize, shards: usize, keys: u64) -> Round {
    let cache = Cache::builder().capacity(capacity).shards(shards).build().unwrap();
    let eviction = if capacity < keys as usize { Eviction::Possible } else { Eviction::Never };
    Round { cache, eviction, keys, clock: AtomicU64::new(0), start: Barrier::new(THREADS) }
}

/// Pairs of operations that overlapped: without them a history proves nothing.
fn overlaps(events: &[Event]) -> usize {
    let overlap = |a: &Event, b: &Event| a.called < b.answered && b.called < a.answered;
    let pairs = (0..events.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    pairs.filter(|(a, b)| overlap(&events[*a], &events[*b])).count()
}

const ROUNDS: u64 = 200;

fn check(capacity: usize, shards: usize, keys: u64) {
    // Others in every run; a failure names its own.
    let first = RandomState::new().hash_one(shards);
    let mut overlapping = 0;
    for seed in (0..ROUNDS).map(|round| first.wrapping_add(round)) {
        let round = round(capacity, shards, keys);
        for events in round.histories(seed) {
            overlapping += overlaps(&events);
            assert!(is_linearizable(&events, round.eviction), "seed {seed}: {events:#?}");
        }
        round.cache.check_invariants();
    }
    assert!(overlapping > ROUNDS as usize, "{overlapping} pairs overlapped in {ROUNDS} rounds");
}

/// Issue: linearizability of per-key histories under threads, where nothing is evicted.
#[test]
fn each_key_is_a_register_where_nothing_is_evicted() {
    watched("registers", || {
        check(100, 1, 3);
        check(100, 16, 3);
    });
}

/// Issue: the same where entries are evicted, with loads that others join.
#[test]
fn each_key_is_a_register_that_may_forget_where_entries_are_evicted() {
    watched("forgetful", || {
        check(2, 1, 4);
        check(3, 2, 4);
    });
}

/// An event of key 0.
const fn event(called: u64, answered: u64, act: Act) -> Event {
    Event { key: 0, act, called, answered }
}

/// The checker's own check: what a stale read, a lost write and a value of nowhere look like.
#[test]
fn histories_that_no_register_has_are_refused() {
    use Act::{Get, Insert, Remove};
    use Eviction::{Never, Possible};
    let insert = [event(0, 1, Insert(1, None)), event(2, 5, Insert(2, Some(1)))];
    let with = |more: &[Event]| [&insert, more].concat();
    for (more, never, possible) in [
        (&[event(6, 7, Get(Some(2)))][..], true, true),
        // While a value is replaced, either may be seen, and the older one no more after it.
        (&[event(3, 4, Get(Some(1))), event(6, 7, Get(Some(2)))], true, true),
        (&[event(3, 4, Get(Some(2))), event(6, 7, Get(Some(2)))], true, true),
        (&[event(3, 4, Get(Some(2))), event(6, 7, Get(Some(1)))], false, false),
        // Stale, of nowhere, gone, and come again.
        (&[event(6, 7, Get(Some(1)))], false, false),
        (&[event(6, 7, Get(Some(3)))], false, false),
        (&[event(6, 7, Get(None))], false, true),
        (&[event(6, 7, Get(None)), event(8, 9, Get(Some(2)))], false, false),
        // Taken out twice.
        (&[event(6, 9, Remove(Some(2))), event(7, 8, Remove(Some(2)))], false, false),
        (&[event(6, 9, Remove(Some(2))), event(7, 8, Remove(None))], true, true),
    ] {
        let events = with(more);
        assert_eq!(is_linearizable(&events, Never), never, "{more:?}");
        assert_eq!(is_linearizable(&events, Possible), possible, "{more:?}");
    }
}

/// The checker's own check: of real histories, one answer is changed to a value that was read or
/// replaced before the last write ended, as an engine would answer that is late.
#[test]
fn a_late_answer_in_a_real_history_is_found() {
    let found = |seed| {
        let round = round(100, 4, 2);
        let mut events = round.histories(seed).swap_remove(0);
        events.sort_by_key(|event| event.answered);
        let late = (0..events.len()).rev().find_map(|last| {
            let Act::Get(Some(seen)) = events[last].act else { return None };
            let replaced = events[..last].iter().find_map(|earlier| match earlier.act {
                Act::Insert(_, Some(former)) if former != seen => Some((earlier, former)),
                _ => None,
            });
            let (earlier, former) = replaced?;
            (earlier.answered < events[last].called).then_some((last, former))
        });
        let (last, former) = late?;
        events[last].act = Act::Get(Some(former));
        Some(!is_linearizable(&events, Eviction::Never))
    };
    let changed: Vec<bool> = (0..50).filter_map(found).collect();
    assert!(changed.len() > 10, "{} histories had an answer to change", changed.len());
    assert!(changed.iter().all(|is_found| *is_found), "{changed:?}");
}
