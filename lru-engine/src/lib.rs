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
//! What is missing is loaded once however many threads ask, and a value that was read before a
//! write never comes in after it:
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
//! 2. **Bounded.** There are never more entries than the capacity, and they never weigh more than
//!    a bound on weight, not for a moment; none is evicted before it has to be. Memory is taken as
//!    entries come and not before; the array of entries of a map or a shard never grows past the
//!    capacity.
//! 3. **Constant time.** `get`, `peek`, `insert`, `remove`, `insert_cold` and `pop_lru` of a map
//!    take constant time, apart from the growth of its arrays and its index; nothing is rebuilt
//!    but to grow, however many entries come and go. `pop_lru` of a cache, and an insert into an
//!    empty shard of a full one, may look at every shard; `stats` and `clear` do.
//! 4. **No surprise calls.** A key is hashed once by each call that is given it, and never again:
//!    eviction, removal and growth use the hash that was stored. `Eq` is called on the entry that
//!    is looked for, and of others on about one in 256 of those that lie near it.
//! 5. **Nothing of yours under a lock that need not be.** `Hash`, loads, weigher, listener and
//!    destructors run outside; `Eq`, `Clone` and closures run while one shard is locked, and using
//!    the same cache there panics instead of hanging. See [`Cache`].
//! 6. **Valid after panics.** Wherever `Hash`, `Eq`, `Clone`, `Drop`, a load, the listener or a
//!    closure panics, nothing leaks, nothing is dropped twice, nobody waits for what does not come,
//!    and the cache goes on.
//! 7. **No threads, no clock, no `'static`**, and no unsafe code but for the lock, a hit's way
//!    through index and list, and prefetching, where it pays (a test keeps it to six files).
//!
//! There is no time to live, no asynchronous load (build it on [`Lookup`]), no persistence and no
//! policy but LRU.
//!
//! # How it works
//!
//! Entries lie in one array without gaps, each with two 32-bit links to its neighbours in the order
//! of recency. An index of 32-bit positions, twelve to a cache line, finds one by its hash; the
//! hashes themselves lie apart, because a hit does not need them. A hit rewrites five links, and
//! none if the entry is the most recent already. An insert into a full map takes over the place of
//! the least recent entry.
//!
//! That is 20 to 28 bytes for an entry beyond its key and value: 8 for links, 4 for the hash, and 8
//! to 16 for the index, whose size is a power of two.
//!
//! # Map of the crate
//!
//! From what stands on its own to what stands on the rest; a module uses only those above it
//! (a test holds this):
//!
//! | module | what it is |
//! |---|---|
//! | `hash` | the default hasher; which bits of a hash choose what |
//! | `count` | how many shards a cache has when nobody says |
//! | `error` | an entry refused, a cache that cannot be built |
//! | `stats` | what a cache has done, in counts |
//! | `sync` | how a thread waits for another |
//! | `lock` | the lock of a shard |
//! | `mark` | which caches a thread is inside of, and which thread it is |
//! | `listener` | who is told of what leaves, and why it left |
//! | `index` | from hash to position: a table of `chunk`s, one cache line each |
//! | `arena` | items in order of use: the `list` through them, and their hashes |
//! | `shard` | one bounded LRU: index and arena; takes hashes, gives back what leaves |
//! | `iter` | entries by recency |
//! | `map` | [`LruMap`]: a shard and a hasher |
//! | `budget` | the capacity as places that shards take and give back |
//! | `weight` | who weighs entries, the bound on the sum, and the weights in a shard |
//! | `room` | what an insert holds before its entry comes in |
//! | `flight` | one load that threads wait for |
//! | `outstanding` | the tickets that are out in a shard, and what voids them |
//! | `sharded` | shards behind locks; which shard a hash belongs to |
//! | `cache` | [`Cache`]: hash, lock, act, unlock, drop |
//! | `weighed` | making room for an entry that is weighed |
//! | `insert` | what comes in, and letting go of what leaves for it |
//! | `sweep` | what goes through all shards: length, counts, clearing, order |
//! | `ticket` | [`Ticket`], [`WriteTicket`]: filling that a write overtakes |
//! | `lookup` | [`Lookup`]: who loads, who waits, and how a load lands |
//! | `load` | loading with a closure: [`Cache::get_or_insert_with`] |
//! | `builder` | settings of a cache, their defaults and checks |
//!
//! # Features
//!
//! - `std`, on by default: [`Cache`], and a seed of [`DefaultHasher`] from the time as well as from
//!   randomised addresses. Without it the crate is `no_std` and needs `alloc`; [`LruMap`] is all
//!   there.
//! - `check`: `check_invariants` on both types, for tests.

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    not(feature = "std"),
    expect(dead_code, unreachable_pub, reason = "a few things are there for `Cache` only")
)]

extern crate alloc;

mod arena;
#[cfg(feature = "std")]
mod budget;
#[cfg(feature = "std")]
mod builder;
#[cfg(feature = "std")]
mod cache;
#[cfg(feature = "std")]
mod count;
mod displaced;
mod error;
#[cfg(feature = "std")]
mod flight;
mod hash;
mod index;
#[cfg(feature = "std")]
mod insert;
mod iter;
#[cfg(feature = "std")]
mod listener;
#[cfg(feature = "std")]
mod load;
#[cfg(all(feature = "std", not(shuttle), any(test, not(loom))))]
mod lock;
#[cfg(feature = "std")]
mod lookup;
mod map;
#[cfg(feature = "std")]
mod mark;
#[cfg(all(feature = "std", test, loom))]
mod models;
#[cfg(feature = "std")]
mod outstanding;
mod prefetch;
#[cfg(feature = "std")]
mod room;
#[cfg(all(feature = "std", test, shuttle))]
mod schedules;
mod shard;
#[cfg(feature = "std")]
mod sharded;
mod stats;
#[cfg(feature = "std")]
mod sweep;
#[cfg(feature = "std")]
mod sync;
#[cfg(feature = "std")]
mod ticket;
#[cfg(feature = "std")]
mod weighed;
#[cfg(feature = "std")]
mod weight;

#[cfg(feature = "std")]
pub use crate::builder::Builder;
#[cfg(feature = "std")]
pub use crate::cache::Cache;
#[cfg(feature = "std")]
pub use crate::error::BuildError;
#[cfg(feature = "std")]
pub use crate::error::LoadError;
pub use crate::error::Refused;
pub use crate::error::RefusedReason;
pub use crate::hash::DefaultHasher;
pub use crate::hash::KeyHasher;
pub use crate::iter::Iter;
#[cfg(feature = "std")]
pub use crate::listener::Cause;
#[cfg(feature = "std")]
pub use crate::listener::Removal;
#[cfg(feature = "std")]
pub use crate::lookup::Load;
#[cfg(feature = "std")]
pub use crate::lookup::Lookup;
#[cfg(feature = "std")]
pub use crate::lookup::Pending;
pub use crate::map::LruMap;
pub use crate::stats::Stats;
#[cfg(feature = "std")]
pub use crate::ticket::Handle;
#[cfg(feature = "std")]
pub use crate::ticket::Ticket;
#[cfg(feature = "std")]
pub use crate::ticket::WriteTicket;

/// Looking keys up in another form than they are stored in; from the crate of that name.
pub use equivalent::Equivalent;

/// The examples of the crate's README, run with those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
