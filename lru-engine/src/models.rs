//! Models: every order in which two or three threads can go through the lock, tickets, flights and
//! the budget, tried one after the other (loom).
//!
//! They run with `--cfg loom` alone. Each is about one sentence of the design, with a register that
//! stands for the database which the cached values come from. A thread that would wait for ever
//! fails its model. The number of times that a thread is interrupted where it need not be is
//! bounded (`LOOM_MAX_PREEMPTIONS`), or there were too many orders.

use std::hash::BuildHasherDefault;
use std::hash::Hasher;
use std::sync::Arc;

use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::SeqCst;
use loom::thread;

use crate::Cache;
use crate::LoadError;
use crate::Lookup;
use crate::Ticket;
use crate::WriteTicket;
use crate::lock::Lock;

type Shared = Arc<Cache<u64, usize, BuildHasherDefault<Spread>>>;

/// Spreads even and odd keys over two shards.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0 << 63 | self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("the keys are u64");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

fn cache(capacity: usize, shards: usize) -> Shared {
    let builder = Cache::builder().capacity(capacity).shards(shards);
    Arc::new(builder.hasher(BuildHasherDefault::default()).build().expect("it has a capacity"))
}

/// The cache knows nothing of a key, or what the database has.
fn check_coherent(cache: &Shared, database: &AtomicUsize) {
    let cached = cache.peek(&1);
    assert!(cached.is_none_or(|cached| cached == database.load(SeqCst)), "{cached:?} is stale");
    assert_eq!(cache.tickets_out(), 0);
    cache.check_invariants();
}

/// Runs the acts on threads of their own, and checks when all have ended.
fn race(acts: &'static [fn(&Shared, &AtomicUsize)]) {
    loom::model(move || {
        let (cache, database) = (cache(2, 1), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = acts
            .iter()
            .map(|act| {
                let (cache, database) = (Arc::clone(&cache), Arc::clone(&database));
                thread::spawn(move || act(&cache, &database))
            })
            .collect();
        for thread in threads {
            thread.join().expect("no act panics");
        }
        check_coherent(&cache, &database);
    });
}

fn load(cache: &Shared, database: &AtomicUsize) {
    cache.get_or_insert_with(1, || database.load(SeqCst));
}

fn fill(cache: &Shared, database: &AtomicUsize) {
    let ticket = Ticket::take(Arc::clone(cache), 1);
    let _ = ticket.fill(database.load(SeqCst));
}

/// The database counts its writes, so that each writes something else.
fn write(cache: &Shared, database: &AtomicUsize) {
    let ticket = WriteTicket::take(Arc::clone(cache), 1);
    let written = database.fetch_add(1, SeqCst) + 1;
    let _ = ticket.write(written);
}

/// A write whose outcome is unknown.
fn lose_write(cache: &Shared, database: &AtomicUsize) {
    let ticket = WriteTicket::take(Arc::clone(cache), 1);
    database.fetch_add(1, SeqCst);
    drop(ticket);
}

/// Another instance writes, and this one is told.
fn invalidate(cache: &Shared, database: &AtomicUsize) {
    database.fetch_add(1, SeqCst);
    cache.invalidate(&1);
}

fn invalidate_all(cache: &Shared, database: &AtomicUsize) {
    database.fetch_add(1, SeqCst);
    cache.invalidate_all();
}

/// Design: a plain store unlocks. What one thread changed under the lock the next one sees whole,
/// and no two are inside at once (the checker watches the value itself), whether they would wait
/// or not.
#[test]
fn the_lock_lets_one_in_at_a_time_and_shows_it_all_changes() {
    loom::model(|| {
        let lock = Arc::new(Lock::new((0, 0)));
        let change = {
            let lock = Arc::clone(&lock);
            move || {
                for _ in 0..2 {
                    let mut pair = lock.try_lock().unwrap_or_else(|| lock.lock());
                    assert_eq!(pair.0, pair.1);
                    pair.0 += 1;
                    pair.1 += 1;
                }
            }
        };
        let others = [thread::spawn(change.clone()), thread::spawn(change.clone())];
        for other in others {
            other.join().expect("it does not panic");
        }
        assert_eq!(*lock.lock(), (4, 4));
    });
}

/// Design: a load overtaken by a write or an invalidation is never left in the cache.
#[test]
fn a_load_that_is_overtaken_is_not_left_in_the_cache() {
    race(&[load, write]);
    race(&[load, lose_write]);
    race(&[load, invalidate]);
    race(&[load, invalidate_all]);
    race(&[load, load, invalidate]);
}

/// Design: the same for a ticket without a flight.
#[test]
fn a_fill_that_is_overtaken_is_not_left_in_the_cache() {
    race(&[fill, write]);
    race(&[fill, fill, invalidate]);
    race(&[fill, write, invalidate_all]);
}

/// Design: two writes that cross leave nothing, or what the later one wrote.
#[test]
fn writes_that_cross_leave_what_was_written_last_or_nothing() {
    race(&[write, write]);
    race(&[write, write, load]);
    race(&[write, lose_write, fill]);
}

/// Issue: one load a key, and both threads have its value.
#[test]
fn two_threads_load_a_key_once() {
    loom::model(|| {
        let (cache, loads) = (cache(2, 1), Arc::new(AtomicUsize::new(0)));
        let ask = {
            let (cache, loads) = (Arc::clone(&cache), Arc::clone(&loads));
            move || cache.get_or_insert_with(1, || 7 + loads.fetch_add(1, SeqCst))
        };
        let other = thread::spawn(ask.clone());
        assert_eq!(ask(), 7);
        assert_eq!(other.join().expect("it does not panic"), 7);
        assert_eq!(loads.load(SeqCst), 1);
    });
}

/// Issue: an error reaches who waits, and nobody waits for a load that was dropped: both threads
/// come to an end, whatever joins when.
#[test]
fn nobody_waits_for_a_load_that_failed_or_was_dropped() {
    loom::model(|| {
        let cache = cache(2, 1);
        let Lookup::Load(load) = Lookup::of(Arc::clone(&cache), 1) else { panic!("it is empty") };
        let other = thread::spawn(move || drop(load));
        let own = cache.try_get_or_insert_with(1, || Err("failed"));
        assert!(matches!(own, Err(LoadError::Failed(_))), "the drop is taken over: {own:?}");
        other.join().expect("it does not panic");

        let failing = Arc::clone(&cache);
        let fail = move || failing.try_get_or_insert_with(1, || Err("failed")).is_err();
        let other = thread::spawn(fail.clone());
        assert!(fail());
        assert!(other.join().expect("it does not panic"));
        assert_eq!(cache.tickets_out(), 0);
    });
}

/// Design: the length is never above the capacity, and an insert finds a place although its own
/// shard is empty and the budget spent.
#[test]
fn places_go_from_shard_to_shard_and_are_never_too_many() {
    loom::model(|| {
        let cache = cache(2, 2);
        cache.insert(0, 0);
        cache.insert(2, 2);
        let other = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || {
                cache.insert(1, 1);
                cache.remove(&0);
            })
        };
        cache.insert(4, 4);
        assert!(cache.len() <= 2);
        other.join().expect("it does not panic");
        cache.check_invariants();
    });
}

/// Issue: the weight is never above the bound, and an insert that needs all of it comes in or is
/// refused, whatever the other one holds.
#[test]
fn weight_goes_from_shard_to_shard_and_is_never_too_much() {
    loom::model(|| {
        let builder = Cache::builder().weight_capacity(3).shards(2);
        let builder = builder.weigher(|_key, value| *value as u64);
        let hasher = BuildHasherDefault::<Spread>::default();
        let cache = Arc::new(builder.hasher(hasher).build().expect("it has a bound"));
        cache.insert(0_u64, 1_usize);
        cache.insert(1, 2);
        let other = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || {
                cache.insert(2, 3);
            })
        };
        cache.insert(3, 2);
        assert!(cache.weight() <= 3);
        other.join().expect("it does not panic");
        cache.check_invariants();
    });
}
