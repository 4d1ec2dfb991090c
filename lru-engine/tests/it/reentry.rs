//! User code that uses the cache it was called by.
//!
//! Where a shard is locked this panics and says so; elsewhere it just works. Each case runs under a
//! watchdog, so that a hang is a failure and not a hang of the tests.

use std::any::Any;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use crate::callbacks::ACT;
use crate::callbacks::CALLS;
use crate::callbacks::Call;
use crate::callbacks::Key;
use crate::callbacks::METHODS;
use crate::callbacks::Method;
use crate::callbacks::Shared;
use crate::callbacks::Value;
use crate::callbacks::arm;
use crate::callbacks::full_cache;
use crate::callbacks::is_armed;
use crate::callbacks::method_named;
use crate::callbacks::weighed_cache;
use crate::watchdog::watched;

/// Whether user code of this kind runs while a shard is locked, when it is called by this method.
fn is_locked(call: Call, outer: &str) -> bool {
    let cloned_in_place = [
        "get",
        "peek",
        "keys_by_recency",
        "entries_by_recency",
        "get_or_insert_with, hit",
        "get_or_insert_with_by_ref, hit",
        "get_or_insert_with_by_ref",
        "try_get_or_insert_with_by_ref",
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
    let asks_for_9 = ["get_or_insert_with, miss", "get_or_insert_with_by_ref"];
    match message {
        Some(message) if is_locked(call, outer.0) => {
            assert!(message.starts_with(LOCKED), "{place}: {message}");
        }
        // Until its value is in, a load is going on.
        Some(message) if asks_for_9.contains(&inner.0) => {
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
                let mut calling = 0_usize;
                for outer in METHODS {
                    let mut inners = METHODS.into_iter();
                    if inners.by_ref().take(1).any(|inner| nest(&make(), call, outer, inner)) {
                        calling += 1;
                        assert!(inners.all(|inner| nest(&make(), call, outer, inner)));
                    }
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
