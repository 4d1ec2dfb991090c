//! What the comparison asks of a cache, and what it tells about one.
//!
//! An adapter in [`engines`](crate::compare::engines) implements [`Owned`] or [`Shared`] for keys
//! and values of any type, in the words of its crate, and describes itself by a constant
//! [`Engine`]. Everything is generic down to the timed loop, so no adapter costs a dynamic call.

use crate::compare::contest::Contestant;
use crate::compare::contest::Setting;
use crate::compare::contest::owned;
use crate::compare::contest::shared;
use crate::compare::pair::Drawn;
use crate::compare::pair::Numbers;
use crate::compare::pair::Pair;
use crate::compare::pair::Texts;
use serde::Serialize;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

/// What every engine takes as a key.
pub trait Key: Hash + Eq + Clone + Debug + Send + Sync + 'static {}
impl<T: Hash + Eq + Clone + Debug + Send + Sync + 'static> Key for T {}

/// What every engine takes as a value.
pub trait Value: Clone + Debug + Send + Sync + 'static {}
impl<T: Clone + Debug + Send + Sync + 'static> Value for T {}

/// Loads the value of the one key that a flight asks for.
pub type Load<V> = Arc<dyn Fn() -> V + Send + Sync>;

/// A cache with one owner.
pub trait Owned<K: Key, V: Value>: Sized + 'static {
    /// An empty one for `capacity` entries.
    fn new(capacity: usize) -> Self;

    /// The value of a key; whatever a hit does to the order is done.
    fn get(&mut self, key: &K) -> Option<V>;

    /// Puts an entry in, and replaces the value of a key that is there.
    fn insert(&mut self, key: K, value: V);

    /// How many entries it holds.
    fn entries(&self) -> usize;
}

/// A cache for many threads.
pub trait Shared<K: Key, V: Value>: Send + Sync + Sized + 'static {
    /// An empty one for `capacity` entries.
    fn new(capacity: usize) -> Self;

    /// The value of a key; whatever a hit does to the order is done or queued.
    fn get(&self, key: &K) -> Option<V>;

    /// Puts an entry in, and replaces the value of a key that is there.
    fn insert(&self, key: K, value: V);

    /// How many entries it holds, if it can tell.
    fn entries(&self) -> Option<usize>;

    /// Has it finish what it does behind the scenes, where it does such things.
    fn settle(&self) {}

    /// The value of a key, loaded if it isn't there. None: the engine has no such call.
    fn get_or_load(&self, key: &K, load: &Load<V>) -> Option<V> {
        let _ = (key, load);
        None
    }
}

/// What one thread holds of an engine while it works.
pub trait Handle<K: Key, V: Value> {
    /// See [`Shared::get`].
    fn get(&mut self, key: &K) -> Option<V>;

    /// See [`Shared::insert`].
    fn insert(&mut self, key: K, value: V);
}

/// The handle of the one owner.
#[derive(Debug)]
pub struct Own<'a, E>(pub &'a mut E);

impl<K: Key, V: Value, E: Owned<K, V>> Handle<K, V> for Own<'_, E> {
    #[inline(always)]
    fn get(&mut self, key: &K) -> Option<V> {
        self.0.get(key)
    }

    #[inline(always)]
    fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, value);
    }
}

/// The handle of one thread of many.
#[derive(Debug)]
pub struct Share<'a, E>(pub &'a E);

impl<K: Key, V: Value, E: Shared<K, V>> Handle<K, V> for Share<'_, E> {
    #[inline(always)]
    fn get(&mut self, key: &K) -> Option<V> {
        self.0.get(key)
    }

    #[inline(always)]
    fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, value);
    }
}

/// What leaves first when an engine is full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Policy {
    /// The least recently used entry of the whole cache.
    Lru,
    /// The least recently used entry of a part of the cache.
    ShardedLru,
    /// Something else.
    Other(&'static str),
    /// Nothing: a map, which shows what a lookup costs without a policy.
    Unbounded,
}

impl Policy {
    /// As it stands in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lru => "exact LRU",
            Self::ShardedLru => "LRU by shard",
            Self::Other(name) => name,
            Self::Unbounded => "floor: no eviction",
        }
    }
}

/// Whose hash function an engine uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hashes {
    /// The default of lru-engine, as everybody who can be given one.
    Ours,
    /// Its own, which can't be exchanged.
    Its(&'static str),
}

/// How many threads an engine serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owners {
    /// One owner.
    One,
    /// Any number of threads.
    Many,
}

/// Makes an engine ready for a setting.
type Build<P> = fn(&Setting, Drawn<P>) -> Box<dyn Contestant>;

/// One engine: how it is called, what it is and how it is made.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// As on the command line and in the tables.
    pub name: &'static str,
    /// How many threads it serves.
    pub owners: Owners,
    /// What leaves first.
    pub policy: Policy,
    /// Whose hash function.
    pub hashes: Hashes,
    /// With numbers as keys and values.
    pub numbers: Build<Numbers>,
    /// With texts as keys.
    pub texts: Build<Texts>,
}

type NumberKey = <Numbers as Pair>::Key;
type NumberValue = <Numbers as Pair>::Value;
type TextKey = <Texts as Pair>::Key;
type TextValue = <Texts as Pair>::Value;

impl Engine {
    /// An engine with one owner: the same adapter twice, for numbers and for texts.
    pub const fn owned<N, T>(name: &'static str, policy: Policy) -> Self
    where
        N: Owned<NumberKey, NumberValue>,
        T: Owned<TextKey, TextValue>,
    {
        Self {
            name,
            owners: Owners::One,
            policy,
            hashes: Hashes::Ours,
            numbers: owned::<Numbers, N>,
            texts: owned::<Texts, T>,
        }
    }

    /// An engine for many threads: the same adapter twice, for numbers and for texts.
    pub const fn shared<N, T>(name: &'static str, policy: Policy) -> Self
    where
        N: Shared<NumberKey, NumberValue>,
        T: Shared<TextKey, TextValue>,
    {
        Self {
            name,
            owners: Owners::Many,
            policy,
            hashes: Hashes::Ours,
            numbers: shared::<Numbers, N>,
            texts: shared::<Texts, T>,
        }
    }

    /// The same, with its own hash function.
    pub const fn hashing_by(mut self, name: &'static str) -> Self {
        self.hashes = Hashes::Its(name);
        self
    }
}
