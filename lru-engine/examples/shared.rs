//! A cache that threads share, in front of something slow.
//!
//! `cargo run -p lru-engine --example shared`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::thread;

use lru_engine::Cache;

/// Stands for a query that takes long.
fn load(id: u64) -> Arc<str> {
    format!("document {id}").into()
}

fn main() {
    let cache: Cache<u64, Arc<str>> = Cache::new(1_000);

    thread::scope(|scope| {
        for reader in 0..4_u64 {
            let cache = &cache;
            scope.spawn(move || {
                for turn in 0..10_000_u64 {
                    let id = (turn * (reader + 1)) % 100;
                    // Reads in place: no clone of the `Arc`.
                    if cache.get_with(&id, |document| document.len()).is_none() {
                        cache.insert(id, load(id));
                    }
                }
            });
        }
    });

    assert_eq!(cache.len(), 100);
    let stats = cache.stats();
    println!("{} hits, {} misses, {} entries", stats.hits, stats.misses, cache.len());
}
