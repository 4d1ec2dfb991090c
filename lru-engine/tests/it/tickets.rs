//! Tickets: each way of filling, overtaken by each way of changing a key.

use std::sync::Arc;

use lru_engine::Cache;
use lru_engine::Refused;
use lru_engine::RefusedReason;
use lru_engine::Ticket;
use lru_engine::WriteTicket;

use crate::naive::BuildIdentity;
use crate::naive::BuildZero;

type Colliding = Cache<u32, u32, BuildZero>;

/// One shard, and one hash for all keys: what is told apart is told apart by the keys.
fn cache() -> Colliding {
    let builder = Cache::builder().capacity(4).shards(1).hasher(BuildZero::default());
    builder.build().unwrap()
}

type HandIn = fn(Ticket<&Colliding>, u32) -> Result<(), Refused<u32, u32>>;

const FILLS: [(&str, HandIn); 2] = [
    ("fill", |ticket, value| ticket.fill(value)),
    ("fill_cold", |ticket, value| ticket.fill_cold(value)),
];

type End = fn(WriteTicket<&Colliding>);

type Change = fn(&Colliding);

/// How key 1 changes under a ticket, and what the cache has of it then.
#[rustfmt::skip]
const CHANGES: [(&str, Change, Option<u32>); 9] = [
    ("insert", |cache| { cache.insert(1, 9); }, Some(9)),
    ("insert and evict", |cache| { cache.insert(1, 9); cache.pop_lru(); }, None),
    ("insert_cold", |cache| cache.insert_cold(1, 9).unwrap(), Some(9)),
    ("remove", |cache| { cache.remove(&1); }, None),
    ("invalidate", |cache| cache.invalidate(&1), None),
    ("clear", Cache::clear, None),
    ("invalidate_all", Cache::invalidate_all, None),
    ("write", |cache| cache.write_ticket(1).write(9).unwrap(), Some(9)),
    ("a write that is lost", |cache| drop(cache.write_ticket(1)), None),
];

/// Design: a write or an invalidation voids the tickets that are out. An entry that was evicted
/// since, with whatever it knew, changes nothing.
#[test]
fn each_change_overtakes_each_fill() {
    for (change_name, change, left) in CHANGES {
        for (fill_name, fill) in FILLS {
            let cache = cache();
            let ticket = cache.ticket(1);
            change(&cache);
            let refused = fill(ticket, 3).unwrap_err();
            assert_eq!((refused.key, refused.value), (1, 3));
            assert_eq!(refused.reason, RefusedReason::Overtaken, "{fill_name}, {change_name}");
            assert_eq!(cache.peek(&1), left, "{fill_name}, {change_name}");
            assert_eq!(cache.tickets_out(), 0);
            cache.check_invariants();

            // Taken after the change, a ticket is good.
            let ticket = cache.ticket(1);
            assert_eq!(fill(ticket, 4).is_ok(), left.is_none() || fill_name == "fill");
        }
    }
}

/// Design: the same where the insert finds the cache full, and another entry leaves for it.
#[test]
fn an_insert_that_evicts_overtakes_each_fill() {
    for (fill_name, fill) in FILLS {
        let cache = cache();
        for key in 2..6 {
            cache.insert(key, 0);
        }
        let ticket = cache.ticket(1);
        cache.insert(1, 9);
        assert_eq!(cache.stats().evictions, 1);
        let refused = fill(ticket, 3).unwrap_err();
        assert_eq!(refused.reason, RefusedReason::Overtaken, "{fill_name}");
        assert_eq!((cache.peek(&1), cache.tickets_out()), (Some(9), 0), "{fill_name}");
    }
}

/// Design: a write that was itself overtaken removes the key, whatever overtook it.
#[test]
fn a_write_that_was_overtaken_removes_the_key() {
    for (name, change, _) in CHANGES {
        let cache = cache();
        let ticket = cache.write_ticket(1);
        change(&cache);
        let refused = ticket.write(3).unwrap_err();
        assert_eq!((refused.value, refused.reason), (3, RefusedReason::Overtaken), "{name}");
        assert_eq!(cache.peek(&1), None, "{name}");
        assert_eq!(cache.tickets_out(), 0);
        cache.check_invariants();
    }
}

/// Design: a write voids every other ticket of its key, those too that were taken after whatever
/// voided the write.
#[test]
fn each_end_of_a_write_but_release_voids_the_others() {
    let ends: [(&str, End, bool); 3] = [
        ("write", |write| drop(write.write(5)), false),
        ("drop", |write| drop(write), false),
        ("release", |write| write.release(), true),
    ];
    for (name, end, is_kept) in ends {
        for is_overtaken in [false, true] {
            let cache = cache();
            let write = cache.write_ticket(1);
            if is_overtaken {
                cache.invalidate(&1);
            }
            let read = cache.ticket(1);
            end(write);
            assert_eq!(read.fill(3).is_ok(), is_kept, "{name}, overtaken {is_overtaken}");
        }
    }
}

/// Design: other keys' tickets are left alone, even where hashes collide; so are a key's own by
/// evictions, lookups and other reads.
#[test]
fn what_changes_nothing_of_the_key_voids_nothing() {
    let leave: [(&str, Change); 8] = [
        ("insert of another", |cache| {
            cache.insert(2, 2);
        }),
        ("remove of another", |cache| {
            cache.remove(&2);
        }),
        ("write of another", |cache| cache.write_ticket(2).write(2).unwrap()),
        ("invalidation of another", |cache| cache.invalidate(&2)),
        ("lookups", |cache| assert_eq!(cache.get(&1).or(cache.peek(&1)), None)),
        ("another fill", |cache| cache.ticket(1).fill(7).unwrap()),
        ("a ticket dropped", |cache| drop(cache.ticket(1))),
        ("a refused insert_cold, an eviction", |cache| {
            cache.ticket(1).fill(7).unwrap();
            assert!(cache.insert_cold(1, 8).is_err());
            assert_eq!(cache.pop_lru(), Some((1, 7)));
        }),
    ];
    for (name, act) in leave {
        let cache = cache();
        let (read, write) = (cache.ticket(1), cache.write_ticket(1));
        act(&cache);
        assert!(read.fill(3).is_ok(), "{name}");
        assert!(write.write(4).is_ok(), "{name}");
        assert_eq!(cache.peek(&1), Some(4));
    }
}

/// Documentation of `fill_cold`: refused as `insert_cold` is.
#[test]
fn a_cold_fill_displaces_nothing() {
    let cache = cache();
    for key in 0..4 {
        cache.ticket(key).fill_cold(key).unwrap();
    }
    assert_eq!(cache.keys_by_recency(), [0, 1, 2, 3]);
    assert_eq!(cache.ticket(2).fill_cold(9).unwrap_err().reason, RefusedReason::Present);
    assert_eq!(cache.ticket(9).fill_cold(9).unwrap_err().reason, RefusedReason::Full);
    assert_eq!(cache.keys_by_recency(), [0, 1, 2, 3]);
}

/// Design: the state of a key exists only while tickets for it are out.
#[test]
fn the_cache_remembers_no_ticket_that_is_in() {
    let cache = Cache::new(10_000);
    let tickets: Vec<_> = (0..1_000_u32).map(|key| cache.ticket(key % 500)).collect();
    assert_eq!(cache.tickets_out(), 1_000);
    cache.invalidate_all();
    assert_eq!(cache.tickets_out(), 1_000, "void, and out");
    for (ticket, is_filled) in tickets.into_iter().zip([true, false].into_iter().cycle()) {
        if is_filled {
            assert!(ticket.fill(1).is_err());
        } else {
            drop(ticket);
        }
    }
    assert_eq!(cache.tickets_out(), 0);
    cache.check_invariants();
}

/// Documentation of `Handle`: with an `Arc` a ticket goes to another thread and keeps its cache.
#[test]
#[expect(clippy::disallowed_methods, reason = "a ticket that ends on another thread")]
fn a_ticket_may_go_to_another_thread() {
    let cache = Arc::new(Cache::new(10));
    let read = Ticket::take(Arc::clone(&cache), "a");
    let write = WriteTicket::take(Arc::clone(&cache), "b");
    let thread = std::thread::spawn(move || (read.fill(1).is_ok(), write.write(2).is_ok()));
    assert_eq!(thread.join().unwrap(), (true, true));
    assert_eq!((cache.get("a"), cache.get("b")), (Some(1), Some(2)));

    let last = Ticket::take(cache, "c");
    assert!(last.fill(3).is_ok(), "the ticket holds the last reference to its cache");
}

/// Documentation of `WriteTicket`: dropping one forgets its key, and no key of another hash,
/// however near to it the index holds that. Small numbers hashed by themselves lie in one chunk of
/// it, under one tag.
#[test]
fn a_dropped_write_forgets_no_key_of_another_hash() {
    let builder = Cache::builder().capacity(8).shards(1).hasher(BuildIdentity::default());
    let cache: Cache<u32, u32, BuildIdentity> = builder.build().unwrap();
    (1..=8).for_each(|key| {
        cache.insert(key, key);
    });
    drop(cache.write_ticket(3));
    assert_eq!(cache.keys_by_recency(), [8, 7, 6, 5, 4, 2, 1]);
    cache.check_invariants();
}
