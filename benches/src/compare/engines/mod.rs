//! The engines, one adapter a file: the defaults of each crate, with the hash function of
//! `lru-engine` wherever one can be given.

mod clru;
mod dashmap;
mod foyer;
mod hashbrown;
mod hashlink;
mod lru;
mod mini_moka;
mod moka;
mod mutex_lru;
mod our_cache;
mod our_map;
mod papaya;
mod quick_cache_sync;
mod quick_cache_unsync;
mod scc;
mod schnellru;
mod sharded_schnellru;
mod stretto;
mod tinyufo;

use crate::compare::engine::Engine;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// All of them, in the order of the tables: ours, peers, floors; first those with one owner.
pub const ALL: &[Engine] = &[
    our_map::ENGINE,
    schnellru::ENGINE,
    lru::ENGINE,
    hashlink::ENGINE,
    clru::ENGINE,
    quick_cache_unsync::ENGINE,
    hashbrown::ENGINE,
    our_cache::DEFAULT_SHARDS,
    our_cache::ONE_SHARD,
    quick_cache_sync::ENGINE,
    sharded_schnellru::ENGINE,
    mutex_lru::ENGINE,
    moka::ENGINE,
    mini_moka::ENGINE,
    foyer::LRU,
    foyer::S3_FIFO,
    tinyufo::ENGINE,
    scc::ENGINE,
    stretto::ENGINE,
    dashmap::ENGINE,
    papaya::ENGINE,
];

/// Locks, also after a panic, as the peers that are wrapped in a lock here survive one.
#[inline(always)]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
