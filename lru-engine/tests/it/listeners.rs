//! The listener: told of every entry that leaves, once, why, and when nothing is locked.

use std::panic;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::Weak;
use std::thread;

use lru_engine::Cache;
use lru_engine::Cause;

use crate::random::Random;
use crate::watchdog::turns;
use crate::watchdog::watched;

type Told = Arc<Mutex<Vec<(u32, u32, Cause)>>>;

fn listened(capacity: usize, shards: usize) -> (Cache<u32, u32>, Told) {
    let told = Told::default();
    let tell = Arc::clone(&told);
    let builder = Cache::<u32, u32>::builder().capacity(capacity).shards(shards);
    let listener = move |removal: lru_engine::Removal<'_, u32, u32>| {
        tell.lock().unwrap().push((*removal.key, *removal.value, removal.cause));
    };
    (builder.listener(listener).build().unwrap(), told)
}

/// Issue: a listener with cause. Each cause, and nothing is told twice.
#[test]
fn each_way_out_has_its_cause() {
    let (cache, told) = listened(2, 1);
    let expect = |expected: &[(u32, u32, Cause)]| {
        assert_eq!(std::mem::take(&mut *told.lock().unwrap()), expected);
    };
    cache.insert(1, 10);
    cache.insert(2, 20);
    expect(&[]);
    assert_eq!(cache.insert(1, 11), Some(10));
    expect(&[(1, 10, Cause::Replaced)]);
    cache.insert(3, 30);
    expect(&[(2, 20, Cause::Evicted)]);
    assert_eq!(cache.remove(&3), Some(30));
    assert_eq!(cache.pop_lru(), Some((1, 11)));
    assert_eq!(cache.remove(&3), None);
    expect(&[(3, 30, Cause::Removed), (1, 11, Cause::Removed)]);
    cache.insert(1, 12);
    cache.invalidate(&1);
    cache.invalidate(&1);
    expect(&[(1, 12, Cause::Invalidated)]);
    cache.ticket(1).fill(13).unwrap();
    cache.ticket(1).fill(14).unwrap();
    cache.write_ticket(1).write(15).unwrap();
    drop(cache.write_ticket(1));
    expect(&[(1, 13, Cause::Replaced), (1, 14, Cause::Replaced), (1, 15, Cause::Invalidated)]);
    let write = cache.write_ticket(1);
    cache.insert(1, 16);
    assert!(write.write(17).is_err());
    expect(&[(1, 16, Cause::Invalidated)]);
    cache.insert(1, 18);
    cache.insert(2, 28);
    cache.clear();
    expect(&[(1, 18, Cause::Cleared), (2, 28, Cause::Cleared)]);
    cache.get_or_insert_with(1, || 19);
    cache.invalidate_all();
    expect(&[(1, 19, Cause::Invalidated)]);

    let (nothing, told) = listened(0, 1);
    nothing.insert(1, 1);
    assert_eq!(*told.lock().unwrap(), [(1, 1, Cause::Refused)]);
}

/// Issue: each value that came in either is there or was told of once, on many shards and threads.
#[test]
fn everything_that_left_is_told_of_once() {
    watched("told", || {
        for (capacity, shards) in [(8, 8), (40, 4), (64, 1)] {
            let (cache, told) = listened(capacity, shards);
            let inserted = thread::scope(|scope| {
                let insert = |thread: u32| {
                    let (cache, mut random) = (&cache, Random::new(thread.into()));
                    move || {
                        for step in 0..turns(5_000) {
                            let (key, value) = (random.below(100) as u32, thread * 10_000 + step);
                            match random.below(10) {
                                0 => cache.invalidate(&key),
                                1 => {
                                    cache.pop_lru();
                                }
                                _ => {}
                            }
                            cache.insert(key, value);
                        }
                    }
                };
                for thread in 0..3 {
                    scope.spawn(insert(thread));
                }
                3 * turns(5_000) as usize
            });
            cache.check_invariants();
            let mut values: Vec<_> = told.lock().unwrap().iter().map(|told| told.1).collect();
            cache.for_each_by_recency(|_, value| values.push(*value));
            values.sort_unstable();
            assert_eq!(values.len(), inserted, "capacity {capacity}, {shards} shards");
            values.dedup();
            assert_eq!(values.len(), inserted, "something was told of twice");
        }
    });
}

/// Documentation of `Builder::listener`: after a panic the operation has taken place, the cache
/// is valid, the listener is called again, and told of all that one call drops.
#[test]
fn a_listener_that_panics_loses_nothing() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let builder = Cache::<u32, u32>::builder().capacity(3).shards(1);
    let cache = builder
        .listener(move |removal| {
            tell.lock().unwrap().push(*removal.key);
            panic::panic_any("ordered");
        })
        .build()
        .unwrap();
    let panics = |act: &dyn Fn()| {
        let payload = panic::catch_unwind(AssertUnwindSafe(act)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"ordered"));
        cache.check_invariants();
        assert_eq!(cache.tickets_out(), 0);
        std::mem::take(&mut *told.lock().unwrap())
    };
    (1..=3).for_each(|key| {
        cache.insert(key, key);
    });
    assert_eq!(
        panics(&|| {
            cache.insert(4, 4);
        }),
        [1]
    );
    assert_eq!(cache.keys_by_recency(), [4, 3, 2]);
    assert_eq!(
        panics(&|| {
            cache.insert(4, 5);
        }),
        [4]
    );
    assert_eq!(cache.peek(&4), Some(5));
    assert_eq!(
        panics(&|| {
            cache.remove(&4);
        }),
        [4]
    );
    cache.insert(5, 5);
    assert_eq!(
        panics(&|| {
            cache.get_or_insert_with(6, || 6);
        }),
        [2]
    );
    assert_eq!(cache.peek(&6), Some(6), "what was loaded is in");
    assert_eq!(panics(&|| drop(cache.write_ticket(3))), [3]);
    cache.insert(7, 7);
    assert_eq!(panics(&|| cache.clear()), [5, 6, 7], "all are told of");
    assert!(cache.is_empty());
}

/// Documentation of `Builder::listener`: it may use the cache.
#[test]
fn a_listener_may_use_the_cache() {
    watched("reentrant", || {
        let own: Arc<OnceLock<Weak<Cache<u32, u32>>>> = Arc::default();
        let within = Arc::clone(&own);
        let builder = Cache::<u32, u32>::builder().capacity(2).shards(1);
        let cache = builder
            .listener(move |removal| {
                let cache = within.get().and_then(Weak::upgrade);
                if let Some(cache) = cache
                    && removal.cause == Cause::Evicted
                    && *removal.key < 10
                {
                    cache.insert(removal.key + 10, *removal.value);
                }
            })
            .build()
            .unwrap();
        let cache = Arc::new(cache);
        own.set(Arc::downgrade(&cache)).unwrap();
        (1..=3).for_each(|key| {
            cache.insert(key, key);
        });
        assert_eq!(cache.get(&12), Some(2), "1 left and came in as 11, for which 2 left");
        cache.check_invariants();
    });
}
