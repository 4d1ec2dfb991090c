//! An embeddable LRU cache: exact, bounded, and valid after any panic.
//!
//! - [`LruMap`] has one owner and takes `&mut self`.
//! - [`Cache`] is shared by threads and takes `&self`: the same LRU many times over, each behind
//!   its own lock.
//!
//! ```
//! use lru_engine::Cache;
//!
//! let cache = Cache::new(1_000);
//! cache.insert("answer".to_owned(), 42);
//! assert_eq!(cache.get("answer"), Some(42));
//! ```
//!
//! What is missing is loaded once however many threads ask, and a value that was read before a write
//! never comes in after it:
//!
//! ```
//! use lru_engine::Cache;
//!
//! let cache = Cache::new(1_000);
//! assert_eq!(cache.get_or_insert_with("answer", || 42), 42);
//!
//! let ticket = cache.ticket("price"); // before it is read from where it comes from
//! cache.invalidate("price"); // it changes meanwhile
//! assert!(ticket.fill(7).is_err());
//! ```
//!
//! # Guarantees
//!
//! 1. **Exact.** A hit makes its entry the most recently used; an insert into a full map or shard
//!    evicts the least recently used one. No sampling, no buffers, no delay.
//! 2. **Bounded.** There are never more entries than the capacity, not for a moment, and none is
//!    evicted before there are as many. Memory is taken as entries come and not before; the array
//!    of entries of a map or a shard never grows past the capacity.
//! 3. **Constant time.** `get`, `peek`, `insert`, `remove`, `insert_cold` and `pop_lru` of a map
//!    take constant time, amortised over the growth of its array and its index. `pop_lru` of a
//!    cache, and an insert into an empty shard of a full one, may look at every shard; `stats` and
//!    `clear` do.
//! 4. **No surprise calls.** A key is hashed once by each call that is given it, and never again:
//!    eviction, removal and growth use the hash that was stored. `Eq` is called on entries whose
//!    whole 64-bit hash is equal.
//! 5. **Nothing of yours under a lock that need not be.** `Hash`, loads, the listener and
//!    destructors run outside;
//!    `Eq`, `Clone` and closures run while one shard is locked, and using the same cache there
//!    panics instead of hanging. See [`Cache`].
//! 6. **Valid after panics.** Wherever `Hash`, `Eq`, `Clone`, `Drop`, a load, the listener or a
//!    closure panics, nothing leaks, nothing is dropped twice, nobody waits for what does not come,
//!    and the cache goes on.
//! 7. **No threads, no clock, no `'static`; no unsafe code but the lock's.**
//!
//! # How it works
//!
//! Entries lie in one array. Each slot holds key, value, hash and two 32-bit positions: the
//! neighbours in the circle of recency. An index of 32-bit positions finds a slot by hash. A hit
//! rewrites four links at most, and none if the entry is the most recent already. An insert into
//! a full map takes over the slot of the least recent entry, and only turns the circle by one.
//!
//! # Map of the crate
//!
//! From what stands on its own to what stands on the rest; a module uses only those above it
//! (a test holds this):
//!
//! | module | what it is |
//! |---|---|
//! | `hash` | the default hasher; which bits of a hash choose what |
//! | `error` | an entry refused, a cache that cannot be built |
//! | `stats` | what a cache has done, in counts |
//! | `sync` | how a thread waits for another |
//! | `lock` | the lock of a shard; the one file with unsafe code |
//! | `mark` | which caches a thread is inside of, and which thread it is |
//! | `listener` | who is told of what leaves, and why it left |
//! | `arena` | items in order of use: `slab` the slots, `list` the circle through them |
//! | `shard` | one bounded LRU: index and arena; takes hashes, gives back what leaves |
//! | `iter` | entries by recency |
//! | `map` | [`LruMap`]: a shard and a hasher |
//! | `budget` | the capacity as places that shards take and give back |
//! | `flight` | one load that threads wait for |
//! | `outstanding` | the tickets that are out in a shard, and what voids them |
//! | `sharded` | shards behind locks; which shard a hash belongs to |
//! | `cache` | [`Cache`]: hash, lock, act, unlock, drop |
//! | `insert` | what comes in, and letting go of what leaves for it |
//! | `sweep` | what goes through all shards: length, counts, clearing, order |
//! | `ticket` | [`Ticket`], [`WriteTicket`]: filling that a write overtakes |
//! | `lookup` | [`Lookup`]: who loads, who waits, and how a load lands |
//! | `load` | loading with a closure: [`Cache::get_or_insert_with`] |
//! | `builder` | settings of a cache, their defaults and checks |
//!
//! # Features
//!
//! `check`: `check_invariants` on both types, for tests.

mod arena;
mod budget;
mod builder;
mod cache;
mod error;
mod flight;
mod hash;
mod insert;
mod iter;
mod listener;
mod load;
#[cfg(any(test, not(loom)))]
mod lock;
mod lookup;
mod map;
mod mark;
#[cfg(all(test, loom))]
mod models;
mod outstanding;
mod shard;
mod sharded;
mod stats;
mod sweep;
mod sync;
mod ticket;

pub use crate::builder::Builder;
pub use crate::cache::Cache;
pub use crate::error::BuildError;
pub use crate::error::LoadError;
pub use crate::error::Refused;
pub use crate::error::RefusedReason;
pub use crate::hash::DefaultHasher;
pub use crate::hash::KeyHasher;
pub use crate::iter::Iter;
pub use crate::listener::Cause;
pub use crate::listener::Removal;
pub use crate::lookup::Load;
pub use crate::lookup::Lookup;
pub use crate::lookup::Pending;
pub use crate::map::LruMap;
pub use crate::stats::Stats;
pub use crate::ticket::Handle;
pub use crate::ticket::Ticket;
pub use crate::ticket::WriteTicket;

/// Looking keys up in another form than they are stored in; from the crate of that name.
pub use equivalent::Equivalent;

/// The examples of the crate's README, run with those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
