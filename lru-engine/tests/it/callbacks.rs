//! Keys, values and caches whose user code does what a test says, and a call of every method.

use std::cell::RefCell;
use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::rc::Rc;
use std::time::Duration;

use lru_engine::Cache;
use lru_engine::Lookup;

use crate::naive::BuildZero;

/// The places where the cache calls user code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
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

pub(crate) const CALLS: [Call; 9] = [
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

pub(crate) type Act = Box<dyn FnOnce()>;

thread_local! {
    /// What to do at the next call of a kind, once.
    pub(crate) static ACT: RefCell<Option<(Call, Act)>> = const { RefCell::new(None) };
}

pub(crate) fn arm(call: Call, act: impl FnOnce() + 'static) {
    ACT.set(Some((call, Box::new(act))));
}

pub(crate) fn is_armed() -> bool {
    ACT.with_borrow(Option::is_some)
}

pub(crate) fn fire(call: Call) {
    let act = ACT.with_borrow_mut(|armed| armed.take_if(|(kind, _)| *kind == call));
    if let Some((_, act)) = act {
        act();
    }
}

#[derive(Debug)]
pub(crate) struct Key(pub(crate) u8);

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
pub(crate) struct Value;

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
pub(crate) type Shared = Rc<Cache<Key, Value, BuildZero>>;

pub(crate) fn full_cache() -> Shared {
    let builder = Cache::builder().capacity(2).shards(1).hasher(BuildZero::default());
    let cache = builder.build().unwrap();
    cache.insert(Key(1), Value);
    cache.insert(Key(2), Value);
    Rc::new(cache)
}

/// The same with a listener and a weigher, and bounded by weight.
pub(crate) fn weighed_cache() -> Shared {
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

pub(crate) fn load() -> Value {
    fire(Call::Load);
    Value
}

pub(crate) fn try_load() -> Result<Value, fmt::Error> {
    Ok(load())
}

pub(crate) fn read<T: ?Sized>(_: &T) {
    fire(Call::Closure);
}

/// A call of one method, its result thrown away.
pub(crate) type Method = fn(&Shared);

/// Every method that locks a shard, with the key there and without where that is another way.
#[rustfmt::skip]
pub(crate) const METHODS: [(&str, Method); 42] = [
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
    ("get_or_insert_with_by_ref, hit", |cache| {
        drop(cache.get_or_insert_with_by_ref(&Key(1), load));
    }),
    ("get_or_insert_with_by_ref", |cache| {
        drop(cache.get_or_insert_with_by_ref(&Key(9), load));
    }),
    ("try_get_or_insert_with_by_ref", |cache| {
        drop(cache.try_get_or_insert_with_by_ref(&Key(9), try_load));
    }),
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

pub(crate) fn method_named(name: &str) -> Method {
    METHODS.iter().find(|(listed, _)| *listed == name).unwrap().1
}
