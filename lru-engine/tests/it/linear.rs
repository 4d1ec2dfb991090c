//! Linearizability: what threads saw of a key could have been seen had they come one by one.
//!
//! Threads use one cache and note, for each operation, when it was called, what it answered and
//! when. The history of each key is then held against a register: there has to be an order of the
//! operations that keeps those apart which did not overlap, and in which each answers as a
//! register of one value would (Herlihy and Wing, 1990). Keys do not influence each other but by
//! eviction, so each history stands for itself. The register knows the tickets that are out as
//! well: taking one is an operation, and what it is handed in for another, which may do its work
//! only if nothing has changed the register in between.
//!
//! An eviction is an operation that nobody calls. It is enough to let it happen right before it is
//! first noticed: where an answer says that the key is not there, it is not there from then on.
//! Where nothing can be evicted, such an answer is held against the register too. So is the refusal
//! of a ticket there, which otherwise may come a little before what overtakes it.
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
use crate::watchdog::turns;
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
    /// A ticket that is for this value.
    Take(u32),
    /// A ticket is filled with its value, and why that was refused.
    Fill(u32, Option<RefusedReason>),
    /// A write that was announced by a ticket, and why its value was refused.
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

/// What a key has, and which tickets for it are valid: a bit each, by the value that it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Register {
    held: Option<u32>,
    valid: u64,
}

impl Register {
    /// After a change that voids every ticket.
    fn changed(held: Option<u32>) -> Option<Self> {
        Some(Self { held, valid: 0 })
    }

    /// After what voids no ticket.
    fn with(self, held: Option<u32>) -> Option<Self> {
        Some(Self { held, ..self })
    }

    fn without_ticket(self, value: u32) -> Self {
        Self { valid: self.valid & !(1 << value), ..self }
    }
}

impl Act {
    /// The register after this, if it can answer so where the register is as given.
    fn apply(self, register: Register, eviction: Eviction) -> Option<Register> {
        let held = register.held;
        let after_seen = |seen: Option<u32>, next: Option<Register>| {
            let forgets = seen.is_none() && eviction == Eviction::Possible;
            if seen == held || forgets { next } else { None }
        };
        let is_valid = |value: u32| register.valid & 1 << value != 0;
        let may_refuse = |value| !is_valid(value) || eviction == Eviction::Possible;
        match self {
            Self::Get(seen) => after_seen(seen, register.with(seen)),
            Self::Insert(value, former) => after_seen(former, Register::changed(Some(value))),
            Self::InsertCold(value, None) => after_seen(None, Register::changed(Some(value))),
            Self::InsertCold(_, Some(RefusedReason::Present)) => held.and(Some(register)),
            Self::InsertCold(_, Some(_)) => after_seen(None, Register::changed(None)),
            Self::Remove(seen) => after_seen(seen, Register::changed(None)),
            Self::Invalidate => Register::changed(None),
            Self::Take(value) => Some(Register { valid: register.valid | 1 << value, ..register }),
            Self::Fill(value, None) if is_valid(value) => {
                register.without_ticket(value).with(Some(value))
            }
            Self::Fill(value, Some(_)) if may_refuse(value) => Some(register.without_ticket(value)),
            Self::Write(value, None) if is_valid(value) => Register::changed(Some(value)),
            Self::Write(value, Some(_)) if may_refuse(value) => Register::changed(None),
            Self::Fill(..) | Self::Write(..) => None,
            // It loaded the value, or found one. What is loaded is not kept if it is overtaken, as
            // if it were evicted.
            Self::Load(value, answer) if value == answer => {
                after_seen(None, register.with(Some(value)))
            }
            Self::Load(_, answer) => after_seen(Some(answer), register.with(Some(answer))),
        }
    }
}

/// Whether the operations on one key, at most 128, can be put into an order that a register allows.
fn is_linearizable(events: &[Event], eviction: Eviction) -> bool {
    assert!(events.len() <= 128, "{} operations have more subsets than bits", events.len());
    let all = u128::MAX.checked_shr(128 - events.len() as u32).unwrap_or(0);
    // What is done already, and the register then.
    let mut left = vec![(0_u128, Register::default())];
    let mut seen = HashSet::new();
    while let Some((done, register)) = left.pop() {
        if done == all {
            return true;
        }
        if !seen.insert((done, register)) {
            continue;
        }
        let is_open = |position: &usize| done & 1 << position == 0;
        let open = || (0..events.len()).filter(is_open);
        // What was called after another has answered comes after it.
        let first_answer = open().map(|position| events[position].answered).min();
        for position in open() {
            let Event { act, called, .. } = events[position];
            if first_answer.is_some_and(|answered| called < answered)
                && let Some(register) = act.apply(register, eviction)
            {
                left.push((done | 1 << position, register));
            }
        }
    }
    false
}

const THREADS: usize = 4;
/// The values of all threads fit into 64 bits, and the operations, at most two a step, into 128.
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
    /// One step: an operation, or a ticket and what is made of it.
    fn step(&self, random: &mut Random, key: usize, value: u32, log: &mut Vec<Event>) {
        let cache = &self.cache;
        let reason = |refused: Result<(), Refused<usize, u32>>| refused.err().map(|it| it.reason);
        // Two cores show few orders by themselves.
        let pauses = [random.below(3), random.below(3)];
        let pause = |of: usize| (0..pauses[of]).for_each(|_| thread::yield_now());
        let drawn = random.below(18);
        let mut timed = |act: &mut dyn FnMut() -> Act| {
            let called = self.clock.fetch_add(1, SeqCst);
            pause(0);
            let act = act();
            pause(1);
            log.push(Event { key, act, called, answered: self.clock.fetch_add(1, SeqCst) });
        };
        match drawn {
            0..5 => timed(&mut || Act::Get(cache.get(&key))),
            5..9 => timed(&mut || Act::Insert(value, cache.insert(key, value))),
            9..11 => timed(&mut || Act::InsertCold(value, reason(cache.insert_cold(key, value)))),
            11 => timed(&mut || Act::Remove(cache.remove(&key))),
            12 => timed(&mut || {
                cache.invalidate(&key);
                Act::Invalidate
            }),
            13 => {
                let mut ticket = None;
                timed(&mut || {
                    ticket = Some(cache.write_ticket(key));
                    Act::Take(value)
                });
                let mut write = || ticket.take().unwrap().write(value);
                timed(&mut || Act::Write(value, reason(write())));
            }
            14 | 15 if self.eviction == Eviction::Possible => {
                let load = || {
                    thread::yield_now();
                    value
                };
                timed(&mut || Act::Load(value, cache.get_or_insert_with(key, load)));
            }
            _ => {
                let mut ticket = None;
                timed(&mut || {
                    ticket = Some(cache.ticket(key));
                    Act::Take(value)
                });
                let mut fill = || ticket.take().unwrap().fill(value);
                timed(&mut || Act::Fill(value, reason(fill())));
            }
        }
    }

    /// One thread's operations, each with the moments around it.
    fn run(&self, seed: u64, thread: usize) -> Vec<Event> {
        let mut random = Random::new(seed ^ (thread as u64) << 32);
        let mut log = Vec::new();
        self.start.wait();
        for step in 0..STEPS {
            let key = random.below(self.keys) as usize;
            self.step(&mut random, key, (thread * STEPS + step) as u32, &mut log);
        }
        log
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

const ROUNDS: u64 = turns(200) as u64;

/// One round of all threads. Returns the pairs of operations that overlapped.
fn check_round(round: &Round, seed: u64) -> usize {
    let histories = round.histories(seed);
    for events in &histories {
        assert!(is_linearizable(events, round.eviction), "seed {seed}: {events:#?}");
    }
    round.cache.check_invariants();
    histories.iter().map(|events| overlaps(events)).sum()
}

/// Each round is watched by itself: where others use the processors too, all that give way in it
/// wait for them as well.
fn check(capacity: usize, shards: usize, keys: u64) {
    // Others in every run; a failure names its own.
    let first = RandomState::new().hash_one(shards);
    let seeds = (0..ROUNDS).map(|round| first.wrapping_add(round));
    let check =
        |seed| watched("a round", move || check_round(&round(capacity, shards, keys), seed));
    let overlapping: usize = seeds.map(check).sum();
    assert!(overlapping > ROUNDS as usize, "{overlapping} pairs overlapped in {ROUNDS} rounds");
}

/// Issue: linearizability of per-key histories under threads, where nothing is evicted.
#[test]
fn each_key_is_a_register_where_nothing_is_evicted() {
    check(100, 1, 3);
    check(100, 16, 3);
}

/// Issue: the same where entries are evicted, with loads that others join.
#[test]
fn each_key_is_a_register_that_may_forget_where_entries_are_evicted() {
    check(2, 1, 4);
    check(3, 2, 4);
}

/// An event of key 0.
const fn event(called: u64, answered: u64, act: Act) -> Event {
    Event { key: 0, act, called, answered }
}

const OVERTAKEN: Option<RefusedReason> = Some(RefusedReason::Overtaken);

/// The checker's own check: what a stale read, a lost write and a value of nowhere look like.
#[test]
fn histories_that_no_register_has_are_refused() {
    use Act::{Fill, Get, Insert, Remove, Take, Write};
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
        // A ticket: in time, over a later write, refused without a reason.
        (&[event(6, 7, Take(3)), event(8, 9, Fill(3, None))], true, true),
        (&[event(1, 2, Take(3)), event(6, 7, Fill(3, None))], false, false),
        (&[event(1, 2, Take(3)), event(6, 7, Fill(3, OVERTAKEN))], true, true),
        (&[event(6, 7, Take(3)), event(8, 9, Fill(3, OVERTAKEN))], false, true),
        (&[event(1, 3, Take(3)), event(6, 7, Fill(3, None))], true, true),
        // Of two writes that crossed the later one leaves nothing.
        (&[event(1, 2, Take(3)), event(6, 7, Write(3, None))], false, false),
        (&[event(1, 2, Take(3)), event(6, 7, Write(3, OVERTAKEN))], true, true),
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
