//! A cache with one owner: what stays, what goes, and in which order.
//!
//! `cargo run -p lru-engine --example basic`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use lru_engine::LruMap;

fn main() {
    let mut squares = LruMap::new(3);
    for number in [1_u64, 2, 3, 1, 4] {
        if squares.get(&number).is_none() {
            squares.insert(number, number * number);
        }
    }
    // 2 was the least recently used when 4 came; 1 had been used again.
    let order: Vec<u64> = squares.iter().map(|(number, _)| *number).collect();
    assert_eq!(order, [4, 1, 3]);
    println!("most recently used first: {order:?}");

    let stats = squares.stats();
    println!("{} hits, {} misses, {} evicted", stats.hits, stats.misses, stats.evictions);
}
