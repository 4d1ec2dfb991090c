//! Reading one order: from the engine, from the catalog in front of it, and from PostgreSQL.
//!
//! Every way reads the same orders in the same shuffled sequence, by ids that were parsed anew, as
//! a request brings them. Every answer's digest is compared while the clock runs (a few
//! nanoseconds, on each side the same); [`OneOrder::check_bodies`] compares the bytes.

use crate::keys::SEED;
use crate::own_database::OwnDatabase;
use jiff::Timestamp;
use lru_engine::Cache;
use orderd::catalog::Catalog;
use orderd::catalog::Lookup;
use orderd::clock::Clock;
use orderd::generate::Generator;
use orderd::generate::Template;
use orderd::order::OrderUid;
use orderd::order::decode::decode;
use orderd::order::validate::Profile;
use orderd::store::Advance;
use orderd::store::Batch;
use orderd::store::Connect;
use orderd::store::Incoming;
use orderd::store::Origin;
use orderd::store::Saved;
use orderd::store::Store;
use orderd::store::StoredOrder;
use orderd::store::database::Database;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::error::Error;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

/// How many orders the daemon caches when it isn't told otherwise.
pub const CACHED: usize = 1000;

/// A way to read an order so many times.
pub type Read = fn(&mut OneOrder, u64);

/// The ways, by their names.
pub const WAYS: [(&str, Read); 5] = [
    ("engine hit, cloned", OneOrder::engine_hits),
    ("engine hit, in place", OneOrder::engine_hits_in_place),
    ("catalog hit", OneOrder::catalog_hits),
    ("catalog miss", OneOrder::catalog_misses),
    ("postgres point read", OneOrder::postgres_reads),
];

/// The first order's time; the others follow each other by a millisecond.
const START: Timestamp = Timestamp::UNIX_EPOCH;

const BATCH: usize = 500;
const PARTITION: i32 = 0;
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Orders that are stored in PostgreSQL and cached.
pub struct OneOrder {
    /// Each id, and what every way has to answer for it.
    orders: Vec<(OrderUid, StoredOrder)>,
    next: usize,
    /// Made as the catalog makes its own: one shard.
    cache: Cache<OrderUid, StoredOrder>,
    catalog: Arc<Catalog>,
    /// A connection of its own, whose statements stay prepared.
    store: Box<dyn Store>,
    crew: Crew,
}

impl OneOrder {
    /// Saves `stored` orders and caches `cached` of them.
    ///
    /// # Errors
    /// What the database said.
    ///
    /// # Panics
    /// If an order is not saved as it was made, or not cached.
    pub fn new(
        database: &OwnDatabase,
        stored: usize,
        cached: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let connect: Arc<dyn Connect> = Arc::new(database.connect()?);
        let mut store = connect.connect()?;
        let mut orders = save(&mut *store, stored)?;
        database.analyze()?;
        orders.shuffle(&mut StdRng::seed_from_u64(SEED));
        orders.truncate(cached);
        let cache = Cache::builder().capacity(cached).shards(1).build()?;
        for (_, order) in &orders {
            cache.insert(order.uid.clone(), order.clone());
        }
        let crew = Crew::new(StopToken::new());
        let clock = Clock::system();
        let catalog = Catalog::new(cached, Database::start(&crew, &connect, &clock, 1)?, clock);
        let mut one_order = Self { orders, next: 0, cache, catalog, store, crew };
        one_order.catalog_misses(cached as u64);
        one_order.check_bodies();
        Ok(one_order)
    }

    /// Reads every cached order in every way and compares every byte.
    ///
    /// # Panics
    /// If an answer is not the order as it was saved.
    pub fn check_bodies(&mut self) {
        assert_eq!(self.catalog.len(), self.orders.len(), "every order is cached");
        for (uid, order) in &self.orders {
            let loaded = self.store.load(slice::from_ref(uid)).expect("the store answers");
            assert_eq!(loaded, slice::from_ref(order));
            assert_eq!(self.cache.get(uid).as_ref(), Some(order));
            assert_eq!(&hit(&self.catalog, uid), order);
        }
    }

    /// Hits in the engine, each with a copy of the order's references.
    fn engine_hits(&mut self, times: u64) {
        let hits = self.cache.stats().hits;
        for _ in 0..times {
            let (uid, order) = turn(&self.orders, &mut self.next);
            let found = self.cache.get(uid).expect("every order is cached");
            assert_eq!(found.digest, order.digest);
        }
        assert_eq!(self.cache.stats().hits - hits, times, "100 % hits");
    }

    /// Hits in the engine, each looked at where it lies.
    fn engine_hits_in_place(&mut self, times: u64) {
        let hits = self.cache.stats().hits;
        for _ in 0..times {
            let (uid, order) = turn(&self.orders, &mut self.next);
            let same = self.cache.get_with(uid, |found| found.digest == order.digest);
            assert_eq!(same, Some(true));
        }
        assert_eq!(self.cache.stats().hits - hits, times, "100 % hits");
    }

    /// Hits in the catalog: what a request for a cached order costs before HTTP.
    pub fn catalog_hits(&mut self, times: u64) {
        for _ in 0..times {
            let (uid, order) = turn(&self.orders, &mut self.next);
            assert_eq!(hit(&self.catalog, uid).digest, order.digest);
        }
    }

    /// Misses in the catalog, each after the order was forgotten: through a database thread and
    /// back, and into the cache again.
    fn catalog_misses(&mut self, times: u64) {
        for _ in 0..times {
            let (uid, order) = turn(&self.orders, &mut self.next);
            self.catalog.invalidate([uid]);
            let Ok(Lookup::Pending(pending)) = self.catalog.lookup(uid) else {
                panic!("what was forgotten is a miss");
            };
            let found = pending.wait(WAIT_MAX).expect("the store answers");
            assert_eq!(found.expect("the order is stored").digest, order.digest);
        }
    }

    /// Reads by the statement that the daemon reads with, prepared, on a connection of its own.
    pub fn postgres_reads(&mut self, times: u64) {
        for _ in 0..times {
            let (uid, order) = turn(&self.orders, &mut self.next);
            let found = self.store.load(slice::from_ref(uid)).expect("the store answers");
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].digest, order.digest);
        }
    }
}

impl Drop for OneOrder {
    fn drop(&mut self) {
        self.crew.stop_and_join(WAIT_MAX);
    }
}

impl std::fmt::Debug for OneOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OneOrder").field("orders", &self.orders.len()).finish_non_exhaustive()
    }
}

/// Whose turn it is.
fn turn<'a, T>(all: &'a [T], next: &mut usize) -> &'a T {
    let one = &all[*next];
    *next += 1;
    if *next == all.len() {
        *next = 0;
    }
    one
}

fn hit(catalog: &Arc<Catalog>, uid: &OrderUid) -> StoredOrder {
    match catalog.lookup(uid) {
        Ok(Lookup::Hit(order)) => order,
        other => panic!("every order is cached, and yet: {other:?}"),
    }
}

/// Saves so many orders and returns them as stored, each with its id.
fn save(
    store: &mut dyn Store,
    count: usize,
) -> Result<Vec<(OrderUid, StoredOrder)>, Box<dyn Error>> {
    let (group, topic) = ("benches".to_owned(), "orders".to_owned());
    let mut from = 0;
    store.assign(&group, &topic, &[(PARTITION, from)])?;
    let mut orders = Vec::with_capacity(count);
    for part in made(count).chunks(BATCH) {
        let to = from + i64::try_from(part.len())?;
        let saved = store.save(&Batch {
            group: group.clone(),
            topic: topic.clone(),
            advances: vec![Advance { partition: PARTITION, from, to }],
            orders: part.to_vec(),
            dead_letters: Vec::new(),
        })?;
        check_saved(&saved, part);
        for (stored, _) in saved.orders {
            orders.push((OrderUid::parse(stored.uid.as_str())?, stored));
        }
        from = to;
    }
    Ok(orders)
}

/// So many orders, each a message by itself.
fn made(count: usize) -> Vec<Incoming> {
    let messages = Generator::new(SEED, Template::Model, 0.0).starting_at(START);
    (0..)
        .zip(messages.take(count))
        .map(|(offset, message)| {
            let payload = message.record.value;
            let order = decode(&payload, Profile::Lenient, START).remove(0).order;
            let order = order.expect("an undamaged message is an order");
            let origin = Origin { partition: PARTITION, offset, element: 0 };
            Incoming { order, origin, payload }
        })
        .collect()
}

fn check_saved(saved: &Saved, made: &[Incoming]) {
    assert_eq!(saved.orders.len(), made.len(), "every order is saved");
    for ((stored, _), made) in saved.orders.iter().zip(made) {
        assert_eq!(&stored.body, made.order.body());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Side;
    use crate::rounds::interleaved;
    use crate::server::test_url;

    /// House rule: every benchmark also runs at a tiny size and asserts its result.
    #[test]
    fn every_way_reads_the_order_as_it_was_saved() {
        let database = OwnDatabase::create(&test_url()).unwrap();
        let mut one_order = OneOrder::new(&database, 20, 10).unwrap();
        for (_, read) in WAYS {
            read(&mut one_order, 25);
        }
        let sides = [
            Side { name: "a hit", times: 30, run: OneOrder::catalog_hits },
            Side { name: "a read", times: 3, run: OneOrder::postgres_reads },
        ];
        let rounds = interleaved(3, &mut one_order, sides);
        assert!(rounds.to_string().contains("median of 3 interleaved rounds"), "{rounds}");
        one_order.check_bodies();
    }

    /// A way that answers with another order is found out.
    #[test]
    #[should_panic(expected = "left == right")]
    fn a_wrong_answer_is_no_figure() {
        let database = OwnDatabase::create(&test_url()).unwrap();
        let mut one_order = OneOrder::new(&database, 2, 2).unwrap();
        let other = one_order.orders[1].1.clone();
        one_order.orders[0].1 = other;
        one_order.catalog_hits(1);
    }
}
