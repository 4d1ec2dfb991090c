//! User code that uses the cache it was called by.
//!
//! Where a shard is locked this panics and says so; elsewhere it just works. Each case runs under a
//! watchdog, so that a hang is a failure and not a hang of the tests.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use lru_engine::Cache;
use lru_engine::Lookup;

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
    /// A closure that reads a value.
    Closure,
    Load,
    Listener,
    Weigher,
}

const CALLS: [Call; 9] = [
    Call::Hash,
    Call::Eq,
    Call::Clone,
    Call::DropKey,
    Call::DropValue,
    Call::Closure,
    Call::Load,
    Call::Listener,
    Call::Weigher,
];

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

/// The same with a listener and a weigher, and bounded by weight.
fn weighed_cache() -> Shared {
    let builder = Cache::builder().capacity(2).weight_capacity(2).shards(1);
    let builder = builder.listener(|_| fire(Call::Listener)).weigher(|_, _| {
        fire(Call::Weigher);
        1
    });
    let cache = builder.hasher(BuildZero::default()).build().unwrap();
    cache.insert(Key(1), Value);
    cache.insert(Key(2), Value);
    Rc::new(cache)
}

fn load() -> Value {
    fire(Call::Load);
    Value
}

fn try_load() -> Result<Value, fmt::Error> {
    Ok(load())
}

fn read<T: ?Sized>(_: &T) {
    fire(Call::Closure);
}

/// A call of one method, its result thrown away.
type Method = fn(&Shared);

/// Every method that locks a shard, with the key there and without where that is another way.
#[rustfmt::skip]
const METHODS: [(&str, Method); 39] = [
    ("get", |cache| drop(cache.get(&Key(1)))),
    ("get, missing", |cache| drop(cache.get(&Key(9)))),
    ("get_with", |cache| { cache.get_with(&Key(1), read); }),
    ("peek", |cache| drop(cache.peek(&Key(1)))),
    ("peek_with", |cache| { cache.peek_with(&Key(1), read); }),
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
    ("fill, replacing", |cache| drop(cache.ticket(Key(1)).fill(Value))),
    ("fill, overtaken", |cache| {
        let ticket = cache.ticket(Key(1));
        cache.invalidate(&Key(1));
        drop(ticket.fill(Value));
    }),
    ("fill_cold", |cache| drop(cache.ticket(Key(9)).fill_cold(Value))),
    ("write", |cache| drop(cache.write_ticket(Key(1)).write(Value))),
    ("write, evicting", |cache| drop(cache.write_ticket(Key(9)).write(Value))),
    ("write, overtaken", |cache| {
        let ticket = cache.write_ticket(Key(1));
        cache.insert(Key(1), Value);
        drop(ticket.write(Value));
    }),
    ("write_ticket", |cache| drop(cache.write_ticket(Key(1)))),
    ("release", |cache| cache.write_ticket(Key(1)).release()),
    ("get_or_insert_with, hit", |cache| drop(cache.get_or_insert_with(Key(1), load))),
    ("get_or_insert_with, miss", |cache| drop(cache.get_or_insert_with(Key(9), load))),
    ("try_get_or_insert_with", |cache| drop(cache.try_get_or_insert_with(Key(9), try_load))),
    ("try_get_or_insert_with_timeout", |cache| {
        drop(cache.try_get_or_insert_with_timeout(Key(9), Duration::ZERO, try_load));
    }),
    ("lookup, hit", |cache| drop(cache.lookup(Key(1)))),
    ("lookup", |cache| drop(cache.lookup(Key(9)))),
    ("land", |cache| if let Lookup::Load(load) = cache.lookup(Key(9)) {
        drop(load.land(Ok::<_, fmt::Error>(Value)));
    }),
    ("land, failed", |cache| if let Lookup::Load(load) = cache.lookup(Key(9)) {
        drop(load.land(Err::<Value, _>(fmt::Error)));
    }),
    ("wait", |cache| if let Lookup::Load(load) = cache.lookup(Key(9)) {
        let pending = load.pending();
        drop(load.land(Ok::<_, fmt::Error>(Value)));
        drop(pending.wait::<fmt::Error>(Duration::ZERO));
    }),
    ("tickets_out", |cache| { let _ = cache.tickets_out(); }),
    ("stats", |cache| { let _ = cache.stats(); }),
    ("keys_by_recency", |cache| drop(cache.keys_by_recency())),
    ("entries_by_recency", |cache| drop(cache.entries_by_recency(0, 9))),
    ("for_each_by_recency", |cache| cache.for_each_by_recency(|_, value| read(value))),
    ("check_invariants", |cache| cache.check_invariants()),
];

fn method_named(name: &str) -> Method {
    METHODS.iter().find(|(listed, _)| *listed == name).unwrap().1
}

/// Whether user code of this kind runs while a shard is locked, when it is called by this method.
fn is_locked(call: Call, outer: &str) -> bool {
    let cloned_in_place = [
        "get",
        "peek",
        "keys_by_recency",
        "entries_by_recency",
        "get_or_insert_with, hit",
        "lookup, hit",
    ];
    match call {
        Call::Eq | Call::Closure => true,
        Call::Clone => cloned_in_place.contains(&outer),
        _ => false,
    }
}

/// What a panic says, if `act` ends in one.
fn panic_message(act: impl FnOnce()) -> Option<String> {
    let payload = panic::catch_unwind(AssertUnwindSafe(act)).err()?;
    Some(message_of(&*payload).to_owned())
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    let message = payload.downcast_ref::<&str>().copied();
    message.or(payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Keeps the thousands of panics that are expected here off the terminal.
fn quiet() {
    let standard = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let message = message_of(info.payload());
        if ![LOCKED, RECURSIVE].iter().any(|expected| message.starts_with(expected)) {
            standard(info);
        }
    }));
}

/// What says that the cache was used where it is locked.
const LOCKED: &str = "a cache was used inside its own `Eq`, `Clone` or closure";

/// What says that a load asked for its own key, which is an error wherever it does.
const RECURSIVE: &str = "the load of the key asked for its own key";

#[track_caller]
fn check_panics(place: &str, cache: &Shared, act: impl FnOnce()) {
    let message = panic_message(act).unwrap_or_else(|| panic!("{place}: no panic"));
    assert!(message.starts_with(LOCKED), "{place}: {message}");
    check_usable(cache);
}

fn check_usable(cache: &Shared) {
    cache.check_invariants();
    cache.insert(Key(7), Value);
    assert!(cache.contains_key(&Key(7)));
    assert!(cache.len() <= cache.capacity());
}

/// Runs `outer`, whose first call of a kind of user code runs `inner`; whether there was a call.
fn nest(cache: &Shared, call: Call, outer: (&str, Method), inner: (&str, Method)) -> bool {
    let again = Rc::downgrade(cache);
    let method = inner.1;
    arm(call, move || method(&again.upgrade().unwrap()));
    let message = panic_message(|| outer.1(cache));
    if ACT.take().is_some() {
        return false;
    }
    let place = format!("{} in {call:?} of {}", inner.0, outer.0);
    match message {
        Some(message) if is_locked(call, outer.0) => {
            assert!(message.starts_with(LOCKED), "{place}: {message}");
        }
        // Until its value is in, a load is going on.
        Some(message) if inner.0 == "get_or_insert_with, miss" => {
            assert!([Call::Load, Call::Clone, Call::Weigher].contains(&call), "{place}: {message}");
            assert!(message.starts_with(RECURSIVE), "{place}: {message}");
        }
        message => assert_eq!(message.is_some(), is_locked(call, outer.0), "{place}: {message:?}"),
    }
    assert_eq!(cache.tickets_out(), 0, "{place}");
    check_usable(cache);
    true
}

/// Issue: every kind of user code, in every method that calls it, uses every method. Where a shard
/// is locked that panics and says so, elsewhere it works; it never hangs.
#[test]
fn every_callback_may_try_every_method() {
    quiet();
    watched("callbacks", || {
        for make in [full_cache, weighed_cache] {
            for call in CALLS {
                let mut calling = 0;
                for outer in METHODS {
                    let calls = METHODS.iter().filter(|inner| nest(&make(), call, outer, **inner));
                    let count = calls.count();
                    assert!([0, METHODS.len()].contains(&count), "{call:?} in {}", outer.0);
                    calling += usize::from(count > 0);
                }
                let has_call = make().weight_capacity().is_some()
                    || ![Call::Listener, Call::Weigher].contains(&call);
                assert_eq!(calling >= 3, has_call, "{calling} methods call {call:?}");
            }
        }
    });
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
