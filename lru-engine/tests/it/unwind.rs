//! Panics in user code: at each call of `Hash`, `Eq`, `Clone`, `Drop` and of a closure in turn.
//!
//! A script of operations runs with the nth call of one kind panicking, for n = 1, 2, … until a
//! run has no nth call. After each operation the cache's invariants hold and its entries are those
//! before or those after that operation, by the naive twin; the script goes on. In the end a ledger
//! has each key and value made dropped exactly once.

use std::cell::RefCell;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use lru_engine::Cache;
use lru_engine::LruMap;

use crate::ledger::Call;
use crate::ledger::Ledger;
use crate::ledger::PANIC;
use crate::ledger::Probe;
use crate::naive::BuildZero;
use crate::naive::Naive;
use crate::naive::Op;

/// Both types, seen by the script.
trait Subject {
    fn run(&mut self, op: Op, ledger: &Rc<Ledger>);
    /// The numbers of keys and values, most recently used first, read without user code.
    fn order(&self) -> Vec<(u8, u32)>;
    fn check_invariants(&self);
}

impl Subject for LruMap<Probe, Probe, BuildZero> {
    fn run(&mut self, op: Op, ledger: &Rc<Ledger>) {
        let probe = |number: u8| Probe::new(number.into(), ledger);
        match op {
            Op::Get(key) => drop(self.get(&probe(key)).cloned()),
            Op::Change(key) => {
                let key = probe(key);
                let Some(value) = self.get_mut(&key) else { return };
                ledger.call(Call::Closure);
                value.number += 1;
            }
            Op::Peek(key) => drop(self.peek(&probe(key)).cloned()),
            Op::Contains(key) => drop(self.contains_key(&probe(key))),
            Op::Insert(key, value) => drop(self.insert(probe(key), Probe::new(value, ledger))),
            Op::InsertCold(key, value) => {
                drop(self.insert_cold(probe(key), Probe::new(value, ledger)));
            }
            Op::Remove(key) | Op::Invalidate(key) => drop(self.remove(&probe(key))),
            Op::PopLru => drop(self.pop_lru()),
            Op::Clear | Op::InvalidateAll => self.clear(),
            // The rest is of `Cache` alone.
            Op::Load(key, value) => {
                if self.get(&probe(key)).is_none() {
                    self.run(Op::Insert(key, value), ledger);
                }
            }
            Op::Fill(key, value) | Op::Write(key, value) => {
                self.run(Op::Insert(key, value), ledger);
            }
            Op::FillCold(key, value) => self.run(Op::InsertCold(key, value), ledger),
        }
    }

    fn order(&self) -> Vec<(u8, u32)> {
        self.iter().map(|(key, value)| (key.number as u8, value.number)).collect()
    }

    fn check_invariants(&self) {
        self.check_invariants();
    }
}

impl Subject for Cache<Probe, Probe, BuildZero> {
    fn run(&mut self, op: Op, ledger: &Rc<Ledger>) {
        let probe = |number: u8| Probe::new(number.into(), ledger);
        let closure = |_: &Probe| ledger.call(Call::Closure);
        match op {
            Op::Get(key) => drop(self.get(&probe(key))),
            // A shared cache changes nothing in place: here the closures take the turn.
            Op::Change(key) => {
                self.get_with(&probe(key), closure);
                self.peek_with(&probe(key), closure);
                self.for_each_by_recency(|_, value| closure(value));
            }
            Op::Peek(key) => drop((self.peek(&probe(key)), self.keys_by_recency())),
            Op::Contains(key) => drop(self.contains_key(&probe(key))),
            Op::Insert(key, value) => drop(self.insert(probe(key), Probe::new(value, ledger))),
            Op::InsertCold(key, value) => {
                drop(self.insert_cold(probe(key), Probe::new(value, ledger)));
            }
            Op::Remove(key) => drop(self.remove(&probe(key))),
            Op::PopLru => drop(self.pop_lru()),
            Op::Clear => self.clear(),
            Op::InvalidateAll => self.invalidate_all(),
            Op::Invalidate(key) => self.invalidate(&probe(key)),
            Op::Load(key, value) => {
                let load = || {
                    ledger.call(Call::Closure);
                    Probe::new(value, ledger)
                };
                // A key by reference is cloned where it is to be kept.
                match key % 2 {
                    0 => drop(self.get_or_insert_with(probe(key), load)),
                    _ => drop(self.get_or_insert_with_by_ref(&probe(key), load)),
                }
            }
            Op::Fill(key, value) => {
                drop(self.ticket(probe(key)).fill(Probe::new(value, ledger)));
            }
            Op::FillCold(key, value) => {
                drop(self.ticket(probe(key)).fill_cold(Probe::new(value, ledger)));
            }
            Op::Write(key, value) => {
                drop(self.write_ticket(probe(key)).write(Probe::new(value, ledger)));
            }
        }
    }

    fn order(&self) -> Vec<(u8, u32)> {
        let mut order = Vec::new();
        self.for_each_by_recency(|key, value| order.push((key.number as u8, value.number)));
        order
    }

    fn check_invariants(&self) {
        self.check_invariants();
        assert_eq!(self.tickets_out(), 0, "a ticket was not handed in");
    }
}

const CAPACITY: usize = 3;

/// Every operation, each with and without its key there, on a full cache and on one with room.
const SCRIPT: [Op; 41] = [
    Op::Insert(1, 10),
    Op::Insert(2, 20),
    Op::InsertCold(3, 30),
    Op::InsertCold(4, 40),
    Op::InsertCold(2, 21),
    Op::Get(1),
    Op::Get(3),
    Op::Get(9),
    Op::Insert(4, 41),
    Op::Insert(5, 50),
    Op::Insert(4, 42),
    Op::Change(3),
    Op::Change(9),
    Op::Peek(4),
    Op::Peek(9),
    Op::Contains(5),
    Op::Contains(9),
    Op::Remove(4),
    Op::Remove(9),
    Op::Insert(6, 60),
    Op::PopLru,
    Op::Insert(7, 70),
    Op::Insert(8, 80),
    Op::Clear,
    Op::PopLru,
    Op::Insert(1, 11),
    Op::Load(1, 12),
    Op::Load(2, 22),
    Op::Fill(2, 23),
    Op::FillCold(2, 24),
    Op::FillCold(3, 33),
    Op::FillCold(9, 93),
    Op::Fill(4, 43),
    Op::Load(5, 51),
    Op::Write(5, 52),
    Op::Write(6, 61),
    Op::Invalidate(6),
    Op::Invalidate(9),
    Op::Load(7, 71),
    Op::InvalidateAll,
    Op::Write(8, 81),
];

/// Runs `act`; whether it ended in the panic that the ledger ordered. Any other panic goes on.
fn panics(act: impl FnOnce()) -> bool {
    match panic::catch_unwind(AssertUnwindSafe(act)) {
        Ok(()) => false,
        Err(payload) if payload.downcast_ref() == Some(&PANIC) => true,
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// Whether an operation whose user code panicked has taken place: all that `Hash` and `Eq` can
/// prevent is prevented whole, and all else has happened by the time it is called.
fn takes_place(call: Call) -> bool {
    match call {
        Call::Hash | Call::Eq | Call::Weigher => false,
        Call::Clone | Call::Drop | Call::Closure | Call::Listener => true,
    }
}

/// The entries before and after an operation, by the naive twin.
fn before_and_after(order: Vec<(u8, u32)>, op: Op) -> [Vec<(u8, u32)>; 2] {
    let mut naive = Naive::new(CAPACITY);
    naive.entries.clone_from(&order);
    naive.apply(op);
    [order, naive.entries]
}

/// Runs the script with one call panicking; whether there was such a call.
fn run_script<S: Subject>(mut subject: S, call: Call, calls_before: u32) -> bool {
    let ledger = Rc::new(Ledger::default());
    ledger.panic_at.set(Some((call, calls_before)));
    LEDGER.set(Some(Rc::clone(&ledger)));
    for op in SCRIPT {
        let [before, after] = before_and_after(subject.order(), op);
        let panicked = panics(|| subject.run(op, &ledger));
        subject.check_invariants();
        let place = format!("{op:?}, {call:?} panics after {calls_before} calls");
        match op {
            // Several calls, or a value changed by the script itself: valid is all that is asked.
            Op::Change(_) => {}
            // What is found has taken place before its clone; what is loaded is cloned before.
            Op::Load(..) => {
                let order = subject.order();
                assert!(order == after || panicked && order == before, "{place}: {order:?}");
            }
            // The destructor of an announced write whose `Eq` or weigher panicked forgets the key,
            // and here all keys have one hash.
            Op::Write(..) if panicked && !takes_place(call) && call != Call::Hash => {
                assert!([Vec::new(), before].contains(&subject.order()), "{place}");
            }
            _ if panicked && !takes_place(call) => assert_eq!(subject.order(), before, "{place}"),
            _ => assert_eq!(subject.order(), after, "{place}"),
        }
    }
    LEDGER.set(None);
    let has_panicked_before = ledger.has_fired();
    let panicked = panics(|| drop(subject));
    assert!(panicked <= !has_panicked_before);
    ledger.check_all_dropped_once();
    ledger.has_fired()
}

fn sweep<S: Subject>(make: impl Fn() -> S, call: Call, calls_min: u32) {
    let mut calls = 0;
    while run_script(make(), call, calls) {
        calls += 1;
        assert!(calls < 10_000, "the script has no end of calls to {call:?}");
    }
    assert!(calls >= calls_min, "the script called {call:?} {calls} times only");
}

fn map() -> LruMap<Probe, Probe, BuildZero> {
    LruMap::with_hasher(CAPACITY, BuildZero::default())
}

fn cache() -> Cache<Probe, Probe, BuildZero> {
    let builder = Cache::builder().capacity(CAPACITY).shards(1);
    builder.hasher(BuildZero::default()).build().unwrap()
}

thread_local! {
    /// The ledger of the script that runs, for a listener or a weigher, which cannot hold one.
    static LEDGER: RefCell<Option<Rc<Ledger>>> = const { RefCell::new(None) };
}

fn listened_cache() -> Cache<Probe, Probe, BuildZero> {
    let builder = Cache::builder().capacity(CAPACITY).shards(1).hasher(BuildZero::default());
    let listener = |_: lru_engine::Removal<'_, Probe, Probe>| {
        if let Some(ledger) = LEDGER.with_borrow(Option::clone) {
            ledger.call(Call::Listener);
        }
    };
    builder.listener(listener).build().unwrap()
}

/// Each entry weighs 1, so that the bound is a capacity and the naive twin is the same.
fn weighed_cache() -> Cache<Probe, Probe, BuildZero> {
    let builder = Cache::builder().weight_capacity(CAPACITY as u64).shards(1);
    let weigher = |_: &Probe, _: &Probe| {
        if let Some(ledger) = LEDGER.with_borrow(Option::clone) {
            ledger.call(Call::Weigher);
        }
        1
    };
    builder.weigher(weigher).hasher(BuildZero::default()).build().unwrap()
}

/// Keeps the hundreds of panics that this file orders off the terminal.
fn quiet() {
    let standard = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref() != Some(&PANIC) {
            standard(info);
        }
    }));
}

/// Issue: a panic in `Hash` before anything is locked or changed.
#[test]
fn a_panic_in_hash_changes_nothing() {
    quiet();
    sweep(map, Call::Hash, 20);
    sweep(cache, Call::Hash, 20);
}

/// Issue: a panic in `Eq`, in the middle of a search.
#[test]
fn a_panic_in_eq_changes_nothing() {
    quiet();
    sweep(map, Call::Eq, 30);
    sweep(cache, Call::Eq, 30);
}

/// Issue: a panic in `Clone` of a value or a key.
#[test]
fn a_panic_in_clone_leaves_the_cache_valid() {
    quiet();
    sweep(map, Call::Clone, 2);
    sweep(cache, Call::Clone, 5);
}

/// Issue: a panic in a destructor: replaced, evicted, removed, refused, cleared, and the cache's
/// own end.
#[test]
fn a_panic_in_drop_leaks_nothing() {
    quiet();
    sweep(map, Call::Drop, 35);
    sweep(cache, Call::Drop, 35);
}

/// Issue: a panic in the listener, and every other with a listener there.
#[test]
fn a_panic_in_the_listener_leaves_the_cache_valid() {
    quiet();
    sweep(listened_cache, Call::Listener, 12);
    sweep(listened_cache, Call::Eq, 30);
    sweep(listened_cache, Call::Clone, 5);
    sweep(listened_cache, Call::Drop, 35);
}

/// Issue: a panic in the weigher, before anything is locked or changed, and every other with a
/// weigher there.
#[test]
fn a_panic_in_the_weigher_changes_nothing() {
    quiet();
    sweep(weighed_cache, Call::Weigher, 20);
    sweep(weighed_cache, Call::Hash, 20);
    sweep(weighed_cache, Call::Eq, 30);
    sweep(weighed_cache, Call::Clone, 5);
    sweep(weighed_cache, Call::Drop, 35);
}

/// Issue: a panic in a closure that reads a value, or in code that holds a value by `get_mut`.
#[test]
fn a_panic_in_a_closure_leaves_the_cache_valid() {
    quiet();
    sweep(map, Call::Closure, 1);
    sweep(cache, Call::Closure, 4);
}
