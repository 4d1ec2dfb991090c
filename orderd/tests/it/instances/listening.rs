//! The session that listens, on the real PostgreSQL: every id of a replaced order arrives once.

use crate::daemon::PATIENCE;
use crate::daemon::now;
use crate::daemon::wait_until;
use crate::servers::TestDatabase;
use crate::stores;
use crate::stores::Fresh;
use crate::stores::order;
use crate::stores::save;
use orderd::catalog::Catalog;
use orderd::catalog::Lookup;
use orderd::clock::Clock;
use orderd::invalidation::Invalidation;
use orderd::order::Order;
use orderd::order::OrderUid;
use orderd::store::Connect;
use orderd::store::database::Database;
use orderd::store::listen::Heard;
use orderd::store::listen::Listen as _;
use orderd::store::listen::Listening;
use orderd::store::listen::Writer;
use orderd::store::postgres::Postgres;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::supervise::readiness::Readiness;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The ids heard until `count` of them have come, and who replaced them.
fn heard(session: &mut dyn Listening, count: usize) -> (Vec<OrderUid>, BTreeSet<String>) {
    let started = now();
    let (mut all, mut writers) = (Vec::new(), BTreeSet::new());
    while all.len() < count {
        assert!(started.elapsed() < PATIENCE, "{} of {count} ids were heard", all.len());
        match session.hear(Duration::from_millis(100)).unwrap() {
            None => {}
            Some(Heard::Replaced { by, uids }) => {
                writers.insert(format!("{by:?}"));
                all.extend(uids);
            }
            Some(other) => panic!("{other:?}"),
        }
    }
    (all, writers)
}

fn fresh() -> (Fresh, Postgres) {
    let fresh = stores::postgres();
    let other = Postgres::new(fresh.url.as_ref().unwrap()).unwrap();
    (fresh, other)
}

/// Issue: 5 000 replaced ids in a batch, 19 bytes each and as long as they may be, arrive once
/// each, though no payload may hold them all. New orders aren't told.
#[test]
fn all_ids_of_a_large_batch_are_heard() {
    for length in [19, OrderUid::LENGTH_MAX] {
        let (fresh, other) = fresh();
        let mut session = other.listen().unwrap();
        let batch = |amount| -> Vec<Order> {
            (0..5_000).map(|n| order(&format!("{n:0length$}"), amount)).collect()
        };
        save(&*fresh.connect, &batch(1));
        // A duplicate is no replacement either.
        save(&*fresh.connect, &batch(1));
        save(&*fresh.connect, &batch(2));
        let (mut uids, writers) = heard(&mut *session, 5_000);
        uids.sort();
        let expected: Vec<_> = batch(2).iter().map(|order| order.uid().clone()).collect();
        assert_eq!(uids, expected);
        assert_eq!(writers, BTreeSet::from(["Another".to_owned()]));
        assert_eq!(session.hear(Duration::from_millis(100)).unwrap(), None);
    }
}

/// Design: a heartbeat comes back after everything that was committed before it was sent.
#[test]
fn a_heartbeat_follows_what_was_committed_before_it() {
    let (fresh, other) = fresh();
    let mut session = other.listen().unwrap();
    save(&*fresh.connect, &[order("o", 0)]);
    for round in 1..=50 {
        save(&*fresh.connect, &[order("o", round)]);
        let token = round.unsigned_abs();
        session.send_heartbeat(token).unwrap();
        let mut hear = || session.hear(PATIENCE).unwrap().unwrap();
        let uids = vec![OrderUid::parse("o").unwrap()];
        assert_eq!(hear(), Heard::Replaced { by: Writer::Another, uids });
        assert_eq!(hear(), Heard::Heartbeat(token));
    }
}

/// A catalog with its listener on a database of its own.
struct Scene {
    catalog: Arc<Catalog>,
    postgres: Arc<Postgres>,
    crew: Crew,
    _database: TestDatabase,
}

impl Scene {
    fn new() -> Self {
        let database = crate::servers::database();
        let postgres = Arc::new(Postgres::new(database.url()).unwrap());
        postgres.migrate().unwrap();
        let (crew, clock) = (Crew::new(StopToken::new()), Clock::system());
        let connect: Arc<dyn Connect> = Arc::<Postgres>::clone(&postgres);
        let threads = Database::start(&crew, &connect, &clock, 2).unwrap();
        let catalog = Catalog::shared(100, threads, clock.clone());
        let invalidation = Invalidation {
            listen: Arc::<Postgres>::clone(&postgres),
            catalog: Arc::clone(&catalog),
            readiness: Arc::new(Readiness::new()),
            clock,
        };
        crew.spawn("listener", move |stop| invalidation.run(stop, || {})).unwrap();
        let scene = Self { catalog, postgres, crew, _database: database };
        wait_until("there is trust", || scene.heartbeat_age().is_some());
        scene
    }

    fn heartbeat_age(&self) -> Option<Duration> {
        self.catalog.coherence().unwrap().heartbeat_age
    }

    /// The amount, which stands for the version, and whether it was cached.
    fn read(&self, uid: &OrderUid) -> (i64, bool) {
        let (order, hit) = match self.catalog.lookup(uid).unwrap() {
            Lookup::Hit(order) => (order, true),
            Lookup::Pending(pending) => (pending.wait(PATIENCE).unwrap().unwrap(), false),
            other => panic!("{other:?}"),
        };
        let document: serde_json::Value = serde_json::from_slice(&order.body).unwrap();
        (document["payment"]["amount"].as_i64().unwrap(), hit)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.crew.stop_and_join(PATIENCE);
    }
}

/// Design: what an instance replaced itself is passed over only when its write was published. One
/// whose COMMIT went through while the answer never came is forgotten, be it still waiting or given
/// up.
#[test]
fn a_write_of_ones_own_that_is_not_published_is_forgotten_all_the_same() {
    let scene = Scene::new();
    let version = |version| order("o", version);
    let uid = version(1).uid().clone();
    save(&*scene.postgres, &[version(1)]);
    wait_until("it is cached", || scene.read(&uid) == (1, true));
    // What is published is kept, and by its own ticket: nothing is loaded meanwhile.
    let writes = scene.catalog.begin_writes([&uid]);
    let saved = save(&*scene.postgres, &[version(2)]);
    writes.publish(saved.orders.into_iter().map(|(order, _)| order).collect());
    let published_at = now();
    while published_at.elapsed() < Duration::from_millis(300) {
        assert_eq!(scene.read(&uid), (2, true));
    }
    let waiting = scene.catalog.begin_writes([&uid]);
    save(&*scene.postgres, &[version(3)]);
    wait_until("the old version is forgotten", || scene.read(&uid).0 == 3);
    drop(waiting);
    wait_until("it is cached", || scene.read(&uid) == (3, true));
    save(&*scene.postgres, &[version(4)]);
    wait_until("the old version is forgotten", || scene.read(&uid).0 == 4);
    let counted = scene.catalog.coherence().unwrap();
    assert_eq!((counted.invalidations, counted.sessions), (0, 1), "nobody else has written");
    assert!(counted.heartbeat_age.unwrap() < Duration::from_secs(1), "{counted:?}");
}

/// Issue: what this version can't read is never taken for nothing.
#[test]
fn news_that_nobody_can_read_void_everything() {
    let scene = Scene::new();
    let old = order("o", 1);
    save(&*scene.postgres, std::slice::from_ref(&old));
    wait_until("it is cached", || scene.read(old.uid()) == (1, true));
    let mut operator = postgres::Client::connect(scene._database.url(), postgres::NoTls).unwrap();
    operator.batch_execute("notify orderd_replaced, 'from the future'").unwrap();
    wait_until("it is forgotten", || scene.catalog.is_empty());
}
