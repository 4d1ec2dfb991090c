//! Loading through the cache: one load a key, and what becomes of those who wait for it.

use std::io;
use std::num::ParseIntError;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lru_engine::Cache;
use lru_engine::LoadError;
use lru_engine::Lookup;

use crate::watchdog::watched;

const THREADS: usize = 8;

/// Long enough for any machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn cache() -> Cache<u32, u32> {
    Cache::new(1_000)
}

/// Runs `ask` on 8 threads at once, on a missing key. The load that it is given ends when all the
/// others wait for it, as far as can be seen, and answers with what `end` does.
fn crowd<R: Send>(
    ask: impl Fn(&dyn Fn()) -> R + Sync,
    loads: &AtomicUsize,
) -> Vec<thread::Result<R>> {
    let asking = AtomicUsize::new(0);
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    asking.fetch_add(1, Ordering::SeqCst);
                    ask(&|| {
                        loads.fetch_add(1, Ordering::SeqCst);
                        while asking.load(Ordering::SeqCst) < THREADS {
                            thread::yield_now();
                        }
                        // The last has announced itself; let it come to the cache.
                        (0..100).for_each(|_| thread::yield_now());
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    })
}

/// Issue: one load a key over threads, the others wait and get the value.
#[test]
fn eight_threads_load_a_cold_key_once() {
    watched("eight", || {
        for key in 0..50 {
            let (cache, loads) = (cache(), AtomicUsize::new(0));
            let ask = |load: &dyn Fn()| {
                cache.get_or_insert_with(key, || {
                    load();
                    key + 1
                })
            };
            for answer in crowd(ask, &loads) {
                assert_eq!(answer.unwrap(), key + 1);
            }
            assert_eq!(loads.load(Ordering::SeqCst), 1, "key {key}");
            assert_eq!((cache.get(&key), cache.tickets_out()), (Some(key + 1), 0));
        }
    });
}

/// A load that is held on a thread of its own until it is told how to end, and those who wait
/// for it. `Pending` says that they do: it joins the flight for certain.
struct Held {
    cache: Arc<Cache<u32, u32>>,
    end: mpsc::Sender<Result<u32, ParseIntError>>,
    leader: thread::JoinHandle<Result<u32, LoadError<ParseIntError>>>,
}

#[expect(clippy::disallowed_methods, reason = "a load on another thread")]
fn held() -> Held {
    let cache = Arc::new(cache());
    let (end, ended) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    let leading = Arc::clone(&cache);
    let leader = thread::spawn(move || {
        leading.try_get_or_insert_with(1, || {
            begin.send(()).unwrap();
            // A sender that is dropped orders a panic.
            ended.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("ordered"))
        })
    });
    begun.recv_timeout(PATIENCE).unwrap();
    Held { cache, end, leader }
}

impl Held {
    fn join(&self) -> lru_engine::Pending<u32> {
        match self.cache.lookup(1) {
            Lookup::Pending(pending) => pending,
            other => panic!("{other:?} while the key is being loaded"),
        }
    }
}

/// Issue: an error of the load reaches all that wait, as one shared value, and is not remembered.
#[test]
fn an_error_reaches_all_that_wait() {
    watched("error", || {
        let held = held();
        let waiting: Vec<_> = (0..THREADS).map(|_| held.join()).collect();
        held.end.send("one".parse()).unwrap();
        let Err(LoadError::Failed(led)) = held.leader.join().unwrap() else { panic!("no error") };
        for pending in waiting {
            let Err(LoadError::Failed(error)) = pending.wait::<ParseIntError>(PATIENCE) else {
                panic!("no error")
            };
            assert!(Arc::ptr_eq(&led, &error));
        }
        assert_eq!(held.cache.get_or_insert_with(1, || 7), 7, "who asks next loads again");
    });
}

/// Issue: a panic of the load reaches all that wait, and goes on where it happened.
#[test]
fn a_panic_reaches_all_that_wait() {
    watched("panic", || {
        let held = held();
        let waiting: Vec<_> = (0..THREADS).map(|_| held.join()).collect();
        drop(held.end);
        assert!(held.leader.join().is_err());
        for pending in waiting {
            assert!(matches!(pending.wait::<ParseIntError>(PATIENCE), Err(LoadError::Panicked)));
        }
        assert_eq!(held.cache.tickets_out(), 0);
        assert_eq!(held.cache.get_or_insert_with(1, || 7), 7, "who asks next loads again");
    });
}

/// Issue: errors and panics reach threads that wait inside the loading functions.
#[test]
fn waiting_threads_fail_with_the_load() {
    watched("crowd", || {
        let (failing, loads) = (cache(), AtomicUsize::new(0));
        let ask = |load: &dyn Fn()| {
            failing.try_get_or_insert_with(1, || {
                load();
                "one".parse::<u32>()
            })
        };
        for answer in crowd(ask, &loads) {
            assert!(matches!(answer.unwrap(), Err(LoadError::Failed(_))));
        }
        assert!(loads.load(Ordering::SeqCst) <= THREADS);

        let (panicking, loads) = (cache(), AtomicUsize::new(0));
        let ask = |load: &dyn Fn()| {
            panicking.try_get_or_insert_with::<ParseIntError>(1, || {
                load();
                panic!("ordered")
            })
        };
        for answer in crowd(ask, &loads) {
            assert!(matches!(answer, Err(_) | Ok(Err(LoadError::Panicked))));
        }
        assert!(panicking.is_empty());
        assert_eq!(panicking.tickets_out(), 0);
    });
}

/// Issue: a timeout for waiting; the load goes on.
#[test]
fn waiting_ends_by_the_timeout_and_the_load_goes_on() {
    watched("timeout", || {
        let held = held();
        let short = Duration::from_millis(5);
        let load = || -> Result<u32, ParseIntError> { unreachable!("another thread loads") };
        let waited = held.cache.try_get_or_insert_with_timeout(1, short, load);
        assert!(matches!(waited, Err(LoadError::TimedOut)));
        assert!(matches!(held.join().wait::<ParseIntError>(short), Err(LoadError::TimedOut)));
        let pending = held.join();
        held.end.send(Ok(3)).unwrap();
        assert_eq!(held.leader.join().unwrap().unwrap(), 3);
        assert_eq!(pending.wait::<ParseIntError>(PATIENCE).unwrap(), 3);
        assert_eq!(held.cache.get(&1), Some(3));
    });
}

/// Issue: a recursive load of the same key on the same thread is an error and no hang, through
/// another key as well.
#[test]
fn a_recursive_load_is_an_error() {
    watched("recursion", || {
        let cache = cache();
        let again = || cache.try_get_or_insert_with(1, || Ok::<u32, io::Error>(0));
        let inner = cache.get_or_insert_with(1, || {
            assert!(matches!(again(), Err(LoadError::Recursive)));
            let other = cache.get_or_insert_with(2, || {
                assert!(matches!(again(), Err(LoadError::Recursive)));
                20
            });
            other + 1
        });
        assert_eq!((inner, cache.get(&1), cache.get(&2)), (21, Some(21), Some(20)));

        let recurse = || cache.get_or_insert_with(3, || cache.get_or_insert_with(3, || 0));
        let payload = panic::catch_unwind(AssertUnwindSafe(recurse)).unwrap_err();
        let message = payload.downcast_ref::<String>().unwrap();
        assert_eq!(message, "the load of the key asked for its own key and would wait for ever");
        assert_eq!(cache.tickets_out(), 0);
    });
}

/// Issue: a cycle of loads over two threads ends by the timeout.
#[test]
fn a_cycle_over_two_threads_ends_by_the_timeout() {
    watched("cycle", || {
        let (cache, barrier) = (cache(), Barrier::new(2));
        let load = |own: u32, other: u32| {
            let short = Duration::from_millis(20);
            cache.try_get_or_insert_with(own, || {
                barrier.wait();
                let load = || Ok::<u32, io::Error>(0);
                match cache.try_get_or_insert_with_timeout(other, short, load) {
                    Err(LoadError::TimedOut) => Ok::<u32, io::Error>(100 + own),
                    waited => Ok(waited.unwrap()),
                }
            })
        };
        let (one, two) = thread::scope(|scope| {
            let (one, two) = (scope.spawn(|| load(1, 2)), scope.spawn(|| load(2, 1)));
            (one.join().unwrap().unwrap(), two.join().unwrap().unwrap())
        });
        assert!(one == 101 || two == 102, "at least one gave up: {one}, {two}");
    });
}

/// Documentation of `get_or_insert_with`: it waits for any load, and loads itself if that fails
/// with an error which is none of its own.
#[test]
fn a_load_that_fails_for_others_is_taken_over() {
    watched("takeover", || {
        let held = held();
        thread::scope(|scope| {
            let waits = scope.spawn(|| held.cache.get_or_insert_with(1, || 8));
            while held.cache.stats().misses < 2 {
                thread::yield_now();
            }
            held.end.send("one".parse()).unwrap();
            assert_eq!(waits.join().unwrap(), 8);
        });
        assert!(held.leader.join().unwrap().is_err());
    });
}

type Change = fn(&Cache<u32, u32>);

/// Every way in which a key changes or is forgotten.
#[rustfmt::skip]
const CHANGES: [(&str, Change, Option<u32>); 7] = [
    ("insert", |cache| { cache.insert(1, 9); }, Some(9)),
    ("insert_cold", |cache| cache.insert_cold(1, 9).unwrap(), Some(9)),
    ("remove", |cache| { cache.remove(&1); }, None),
    ("invalidate", |cache| cache.invalidate(&1), None),
    ("clear", Cache::clear, None),
    ("invalidate_all", Cache::invalidate_all, None),
    ("write", |cache| cache.write_ticket(1).write(9).unwrap(), Some(9)),
];

/// Design: a load that is overtaken answers those who wait, is never left in the cache, and later
/// readers do not join it. Each way of changing a key overtakes it.
#[test]
fn an_overtaken_load_answers_and_is_not_kept() {
    watched("overtaken", || {
        for (name, change, left) in CHANGES {
            let held = held();
            let waiting = held.join();
            change(&held.cache);
            // A later reader: finds what is there, or has to load by itself.
            match (held.cache.lookup(1), left) {
                (Lookup::Hit(value), Some(left)) => assert_eq!(value, left, "{name}"),
                (Lookup::Load(load), None) => drop(load),
                (other, _) => panic!("{name}: {other:?}"),
            }
            held.end.send(Ok(3)).unwrap();
            assert_eq!(held.leader.join().unwrap().unwrap(), 3, "{name}");
            assert_eq!(waiting.wait::<ParseIntError>(PATIENCE).unwrap(), 3, "{name}");
            assert_eq!(held.cache.peek(&1), left, "{name}");
            assert_eq!(held.cache.tickets_out(), 0, "{name}");
        }
    });
}

/// A change of one key leaves the loads of others alone, and evictions void nothing.
#[test]
fn loads_of_other_keys_are_not_overtaken() {
    watched("others", || {
        let held = held();
        held.cache.insert(2, 2);
        held.cache.invalidate(&3);
        assert_eq!(held.cache.pop_lru(), Some((2, 2)));
        held.end.send(Ok(3)).unwrap();
        assert_eq!(held.leader.join().unwrap().unwrap(), 3);
        assert_eq!(held.cache.get(&1), Some(3));
    });
}

/// Documentation of `Load`: it may end on any thread; dropped, it answers all that wait.
#[test]
#[expect(clippy::disallowed_methods, reason = "a load on another thread")]
fn a_detached_load_lands_anywhere() {
    watched("detached", || {
        let cache = Arc::new(cache());
        let Lookup::Load(load) = Lookup::of(Arc::clone(&cache), 1) else { panic!("empty") };
        let (own, Lookup::Pending(other)) = (load.pending(), cache.lookup(1)) else {
            panic!("the key is being loaded")
        };
        thread::spawn(move || load.land(Ok::<u32, io::Error>(5)));
        assert_eq!(own.wait::<io::Error>(PATIENCE).unwrap(), 5);
        assert_eq!(other.wait::<io::Error>(PATIENCE).unwrap(), 5);
        assert_eq!(cache.get(&1), Some(5));

        let Lookup::Load(load) = cache.lookup(2) else { panic!("not loaded") };
        let pending = load.pending();
        let foreign = load.pending();
        drop(load);
        assert!(matches!(pending.wait::<io::Error>(PATIENCE), Err(LoadError::Abandoned)));
        drop(foreign);

        let Lookup::Load(load) = cache.lookup(2) else { panic!("not loaded") };
        let pending = load.pending();
        assert!(load.land(Err::<u32, _>("an error of another type")).is_err());
        assert!(matches!(pending.wait::<io::Error>(PATIENCE), Err(LoadError::FailedOtherwise)));
    });
}

/// Documentation of `Stats`: what became of loads is counted, beside hits and misses.
#[test]
fn loads_their_failures_and_who_waits_are_counted() {
    watched("counts", || {
        let held = held();
        let waiting = [held.join(), held.join()];
        held.end.send(Ok(3)).unwrap();
        assert_eq!(held.leader.join().unwrap().unwrap(), 3);
        for pending in waiting {
            assert_eq!(pending.wait::<ParseIntError>(PATIENCE).unwrap(), 3);
        }
        let cache = &held.cache;
        assert!(cache.try_get_or_insert_with(2, || "two".parse::<u32>()).is_err());
        assert!(
            panic::catch_unwind(AssertUnwindSafe(|| {
                cache.get_or_insert_with(3, || panic!("ordered"))
            }))
            .is_err()
        );
        drop(cache.lookup(4));
        assert_eq!(cache.get_or_insert_with(1, || unreachable!("it is there")), 3);
        let stats = cache.stats();
        assert_eq!((stats.loads, stats.load_failures, stats.load_waits), (4, 3, 2));
        assert_eq!((stats.hits, stats.misses), (1, stats.loads + stats.load_waits));
    });
}
