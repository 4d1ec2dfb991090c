//! User code that uses the cache it was called by.
//!
//! Where a shard is locked this panics and says so; elsewhere it just works. Each case runs under a
//! watchdog, so that a hang is a failure and not a hang of the tests.

use std::cell::RefCell;
use std::hash::Hash;
use std::hash::Hasher;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use lru_engine::Cache;

use crate::naive::BuildZero;
use crate::watchdog::watched;

/// The places where the cache calls user code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Hash,
    Eq,
    Clone,
    DropKey,
    DropValue,
}

type Act = Box<dyn FnOnce()>;

thread_local! {
    /// What to do at the next call of a kind, once.
    static ACT: RefCell<Option<(Call, Act)>> = const { RefCell::new(None) };
}

fn arm(call: Call, act: impl FnOnce() + 'static) {
    ACT.set(Some((call, Box::new(act))));
}

fn is_armed() -> bool {
    ACT.with_borrow(Option::is_some)
}

fn fire(call: Call) {
    let act = ACT.with_borrow_mut(|armed| armed.take_if(|(kind, _)| *kind == call));
    if let Some((_, act)) = act {
        act();
    }
}

#[derive(Debug)]
struct Key(u8);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        fire(Call::Hash);
        self.0.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        fire(Call::Eq);
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Clone for Key {
    fn clone(&self) -> Self {
        fire(Call::Clone);
        Self(self.0)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        fire(Call::DropKey);
    }
}

#[derive(Debug)]
struct Value;

impl Clone for Value {
    fn clone(&self) -> Self {
        fire(Call::Clone);
        Self
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        fire(Call::DropValue);
    }
}

/// One shard and colliding hashes: whatever is entered twice is the same lock.
type Shared = Rc<Cache<Key, Value, BuildZero>>;

fn full_cache() -> Shared {
    let builder = Cache::builder().capacity(2).shards(1).hasher(BuildZero::default());
    let cache = builder.build().unwrap();
    cache.insert(Key(1), Value);
    cache.insert(Key(2), Value);
    Rc::new(cache)
}

/// A call of one method, its result thrown away.
type Method = fn(&Shared);

/// Every method that locks a shard.
#[rustfmt::skip]
const METHODS: [(&str, Method); 26] = [
    ("get", |cache| drop(cache.get(&Key(1)))),
    ("get_with", |cache| { cache.get_with(&Key(1), |_| ()); }),
    ("peek", |cache| drop(cache.peek(&Key(1)))),
    ("peek_with", |cache| { cache.peek_with(&Key(1), |_| ()); }),
    ("contains_key", |cache| { cache.contains_key(&Key(1)); }),
    ("insert, replacing", |cache| drop(cache.insert(Key(1), Value))),
    ("insert, evicting", |cache| drop(cache.insert(Key(9), Value))),
    ("insert_cold", |cache| drop(cache.insert_cold(Key(9), Value))),
    ("remove", |cache| drop(cache.remove(&Key(1)))),
    ("pop_lru", |cache| drop(cache.pop_lru())),
    ("clear", |cache| cache.clear()),
    ("invalidate", |cache| cache.invalidate(&Key(1))),
    ("invalidate_all", |cache| cache.invalidate_all()),
    ("ticket", |cache| drop(cache.ticket(Key(1)))),
    ("fill", |cache| drop(cache.ticket(Key(9)).fill(Value))),
    ("fill_cold", |cache| drop(cache.ticket(Key(9)).fill_cold(Value))),
    ("write", |cache| drop(cache.write_ticket(Key(1)).write(Value))),
    ("write_ticket", |cache| drop(cache.write_ticket(Key(1)))),
    ("get_or_insert_with, hit", |cache| drop(cache.get_or_insert_with(Key(1), || Value))),
    ("get_or_insert_with, miss", |cache| drop(cache.get_or_insert_with(Key(9), || Value))),
    ("lookup", |cache| drop(cache.lookup(Key(9)))),
    ("tickets_out", |cache| { let _ = cache.tickets_out(); }),
    ("stats", |cache| { let _ = cache.stats(); }),
    ("keys_by_recency", |cache| drop(cache.keys_by_recency())),
    ("entries_by_recency", |cache| drop(cache.entries_by_recency(0, 9))),
    ("for_each_by_recency", |cache| cache.for_each_by_recency(|_, _| ())),
    ("check_invariants", |cache| cache.check_invariants()),
];

fn method_named(name: &str) -> Method {
    METHODS.iter().find(|(listed, _)| *listed == name).unwrap().1
}

/// The kinds of user code that run while a shard is locked, and the methods that call them.
const LOCKED: [(Call, &str); 18] = [
    (Call::Eq, "get"),
    (Call::Eq, "get_with"),
    (Call::Eq, "peek"),
    (Call::Eq, "contains_key"),
    (Call::Eq, "insert, replacing"),
    (Call::Eq, "insert_cold"),
    (Call::Eq, "remove"),
    (Call::Eq, "invalidate"),
    (Call::Eq, "fill"),
    (Call::Eq, "fill_cold"),
    (Call::Eq, "write"),
    (Call::Eq, "get_or_insert_with, hit"),
    (Call::Eq, "lookup"),
    (Call::Clone, "get_or_insert_with, hit"),
    (Call::Clone, "get"),
    (Call::Clone, "peek"),
    (Call::Clone, "keys_by_recency"),
    (Call::Clone, "entries_by_recency"),
];

/// The kinds that run while nothing is locked, and the methods that call them.
const UNLOCKED: [(Call, &str); 30] = [
    (Call::Hash, "get"),
    (Call::Hash, "contains_key"),
    (Call::Hash, "insert, replacing"),
    (Call::Hash, "insert_cold"),
    (Call::Hash, "remove"),
    (Call::DropKey, "insert, replacing"),
    (Call::DropKey, "insert, evicting"),
    (Call::DropKey, "insert_cold"),
    (Call::DropKey, "remove"),
    (Call::DropKey, "pop_lru"),
    (Call::DropKey, "clear"),
    (Call::DropValue, "insert, replacing"),
    (Call::DropValue, "insert, evicting"),
    (Call::DropValue, "remove"),
    (Call::DropValue, "pop_lru"),
    (Call::DropValue, "clear"),
    (Call::Hash, "ticket"),
    (Call::Hash, "write_ticket"),
    (Call::Hash, "get_or_insert_with, miss"),
    (Call::Clone, "get_or_insert_with, miss"),
    (Call::DropKey, "ticket"),
    (Call::DropKey, "fill"),
    (Call::DropKey, "write"),
    (Call::DropKey, "write_ticket"),
    (Call::DropKey, "get_or_insert_with, hit"),
    (Call::DropKey, "get_or_insert_with, miss"),
    (Call::DropValue, "invalidate_all"),
    (Call::DropValue, "write"),
    (Call::DropValue, "write_ticket"),
    (Call::DropValue, "get_or_insert_with, miss"),
];

/// What a panic says, if `act` ends in one.
fn panic_message(act: impl FnOnce()) -> Option<String> {
    let payload = panic::catch_unwind(AssertUnwindSafe(act)).err()?;
    payload.downcast_ref::<&str>().map(|message| (*message).to_owned())
}

#[track_caller]
fn check_panics(place: &str, cache: &Shared, act: impl FnOnce()) {
    let message = panic_message(act).unwrap_or_else(|| panic!("{place}: no panic"));
    let clear = "a cache was used inside its own `Eq`, `Clone` or closure";
    assert!(message.starts_with(clear), "{place}: {message}");
    check_usable(cache);
}

fn check_usable(cache: &Shared) {
    cache.check_invariants();
    cache.insert(Key(7), Value);
    assert!(cache.contains_key(&Key(7)));
    assert!(cache.len() <= cache.capacity());
}

/// Issue: using the same cache inside `Eq` or `Clone` panics, whatever is used, and never hangs.
#[test]
fn using_the_cache_inside_eq_or_clone_panics() {
    watched("eq-clone", || {
        for (call, outer) in LOCKED {
            let provoke = method_named(outer);
            for (inner, method) in METHODS {
                let cache = full_cache();
                let again = Rc::clone(&cache);
                arm(call, move || method(&again));
                check_panics(&format!("{inner} in {call:?} of {outer}"), &cache, || {
                    provoke(&cache);
                });
                assert!(!is_armed());
            }
        }
    });
}

/// Issue: the same for the closures that are given to the cache.
#[test]
fn using_the_cache_inside_a_closure_panics() {
    watched("closures", || {
        for (inner, method) in METHODS {
            let cache = full_cache();
            check_panics(&format!("{inner} in get_with"), &cache, || {
                cache.get_with(&Key(1), |_| method(&cache));
            });
            let cache = full_cache();
            check_panics(&format!("{inner} in peek_with"), &cache, || {
                cache.peek_with(&Key(1), |_| method(&cache));
            });
            let cache = full_cache();
            check_panics(&format!("{inner} in for_each_by_recency"), &cache, || {
                cache.for_each_by_recency(|_, _| method(&cache));
            });
        }
    });
}

/// Issue: `Hash` and destructors may call the cache freely.
#[test]
fn using_the_cache_inside_hash_or_a_destructor_works() {
    watched("hash-drop", || {
        for (call, outer) in UNLOCKED {
            let provoke = method_named(outer);
            for (inner, method) in METHODS {
                let cache = full_cache();
                let again = Rc::clone(&cache);
                arm(call, move || method(&again));
                let message = panic_message(|| provoke(&cache));
                assert_eq!(message, None, "{inner} in {call:?} of {outer}");
                assert!(!is_armed(), "{outer} did not call {call:?}");
                check_usable(&cache);
            }
        }
    });
}

/// Issue: a load and the listener may call the cache freely.
#[test]
fn using_the_cache_inside_a_load_or_the_listener_works() {
    watched("load-listener", || {
        for (inner, method) in METHODS {
            let cache = full_cache();
            cache.get_or_insert_with(Key(8), || {
                method(&cache);
                Value
            });
            check_usable(&cache);
            assert_eq!(cache.tickets_out(), 0, "{inner}");
        }
        for (outer, provoke) in METHODS {
            for (inner, method) in METHODS {
                let cache = listened_cache(outer, method);
                provoke(&cache);
                LISTENING.set(None);
                check_usable(&cache);
                assert_eq!(cache.tickets_out(), 0, "{inner} in the listener of {outer}");
            }
        }
    });
}

thread_local! {
    /// What the listener of [`listened_cache`] does next, once.
    static LISTENING: RefCell<Option<Act>> = const { RefCell::new(None) };
}

/// A full cache whose listener calls `method`, the next time only.
fn listened_cache(place: &'static str, method: Method) -> Shared {
    let builder = Cache::builder().capacity(2).shards(1).hasher(BuildZero::default());
    let builder = builder.listener(|_| {
        if let Some(act) = LISTENING.take() {
            act();
        }
    });
    let cache = Rc::new(builder.build().unwrap());
    cache.insert(Key(1), Value);
    cache.insert(Key(2), Value);
    let again = Rc::downgrade(&cache);
    LISTENING.set(Some(Box::new(move || {
        method(&again.upgrade().unwrap_or_else(|| panic!("{place} outlives its cache")));
    })));
    cache
}

/// Documentation of `Cache`: what locks nothing may be used anywhere.
#[test]
fn the_length_and_the_capacity_may_be_asked_for_anywhere() {
    let cache = full_cache();
    let asked = cache.get_with(&Key(1), |_| (cache.len(), cache.is_empty(), cache.capacity()));
    assert_eq!(asked, Some((2, false, 2)));
}

/// Issue: the shard is unlocked first and destructors run second, on a panic as well: what was to
/// be inserted when `Eq` panicked may use the cache in its destructor.
#[test]
fn destructors_run_unlocked_while_a_panic_unwinds() {
    watched("unwinding", || {
        for insert in ["insert, replacing", "insert_cold"].map(method_named) {
            let cache = full_cache();
            let again = Rc::clone(&cache);
            arm(Call::Eq, move || {
                arm(Call::DropValue, move || assert_eq!(again.keys_by_recency().len(), 2));
                panic!("in Eq");
            });
            assert_eq!(panic_message(|| insert(&cache)).as_deref(), Some("in Eq"));
            assert!(!is_armed(), "the value was dropped");
            check_usable(&cache);
        }
    });
}

/// Issue: a closure that is not called is dropped unlocked.
#[test]
fn an_uncalled_closure_is_dropped_unlocked() {
    watched("uncalled", || {
        let cache = full_cache();
        let captured = Value;
        let again = Rc::clone(&cache);
        arm(Call::DropValue, move || again.clear());
        assert!(cache.get_with(&Key(9), |_| drop(captured)).is_none());
        assert!(!is_armed());
        assert!(cache.is_empty());
    });
}

/// Documentation of `Cache`: another cache may be used inside a closure, and the way back from
/// there into the first is still found.
#[test]
fn another_cache_may_be_used_inside_a_closure() {
    watched("another", || {
        let (outer, inner) = (full_cache(), full_cache());
        let found = outer.get_with(&Key(1), |_| inner.contains_key(&Key(2)));
        assert_eq!(found, Some(true));
        check_panics("outer in inner in outer", &outer, || {
            outer.get_with(&Key(1), |_| inner.get_with(&Key(2), |_| outer.stats()));
        });
        check_usable(&inner);
    });
}

/// The number of caches inside one another is bounded, and going beyond is a panic like the other.
#[test]
fn caches_inside_one_another_are_bounded() {
    fn descend(depth: usize) -> usize {
        let cache = full_cache();
        if depth == 0 {
            return cache.len();
        }
        cache.get_with(&Key(1), |_| descend(depth - 1)).unwrap()
    }
    watched("nested", || {
        assert_eq!(descend(15), 2);
        let message = panic::catch_unwind(|| descend(16)).unwrap_err();
        let message = message.downcast_ref::<String>().unwrap();
        assert!(message.starts_with("16 caches are used inside one another"), "{message}");
        assert_eq!(descend(15), 2, "the marks were taken back");
    });
}
