//! Row 7: the newest orders are cached after a start, by a bounded pool of threads.

use crate::daemon::wait_until;
use crate::stores;
use crate::stores::Fresh;
use crate::stores::order;
use crate::stores::save;
use orderd::catalog::Catalog;
use orderd::clock::Clock;
use orderd::hotset::HotSet;
use orderd::order::Order;
use orderd::store::Connect;
use orderd::store::Store;
use orderd::store::StoreError;
use orderd::store::database::Database;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::warmup;
use postgres::Client;
use postgres::NoTls;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A real store that is away for some connects.
struct Away {
    inner: Arc<dyn Connect>,
    failures: AtomicUsize,
}

impl Connect for Away {
    fn connect(&self) -> Result<Box<dyn Store>, StoreError> {
        let one_less = |left: usize| left.checked_sub(1);
        let left = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        if left.is_err() {
            return self.inner.connect();
        }
        let source = Box::new(std::io::Error::other("an outage of the test"));
        Err(StoreError::Outage { what: self.name(), source })
    }

    fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.inner.migrate()
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}

struct Scene {
    catalog: Arc<Catalog>,
    crew: Arc<Crew>,
    fresh: Fresh,
}

impl Scene {
    fn new(fresh: Fresh, capacity: usize) -> Self {
        let crew = Arc::new(Crew::new(StopToken::new()));
        let clock = Clock::system();
        let database = Database::start(&crew, &fresh.connect, &clock, 4).unwrap();
        Self { catalog: Catalog::new(capacity, database, clock), crew, fresh }
    }

    fn warm(&self, orders: usize, threads: usize) {
        let options = warmup::Options { orders, threads, hot: HotSet::default() };
        warmup::start(&self.crew, &self.catalog, options).unwrap();
    }

    /// Waits until warming up has ended.
    fn settle(&self) {
        let warming = || self.crew.running().iter().any(|name| name.starts_with("warm-up"));
        wait_until("warming up has ended", || !warming());
    }

    fn cached(&self) -> Vec<String> {
        self.catalog.uids_by_recency().iter().map(ToString::to_string).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.crew.stop_and_join(Duration::from_secs(20));
    }
}

fn fill(fresh: &Fresh, count: usize) -> Vec<Order> {
    let orders: Vec<_> = (0..count).map(|n| order(&format!("o{n}"), 1)).collect();
    for batch in orders.chunks(500) {
        save(&*fresh.connect, batch);
    }
    orders
}

/// Issue: with 5 000 orders stored exactly the newest 1000 are cached, in order, newest most
/// recently used, through at most 50 threads.
#[test]
fn the_newest_thousand_of_five_are_cached_in_order() {
    for make in [stores::embedded as fn() -> Fresh, stores::postgres] {
        let scene = Scene::new(make(), 10_000);
        fill(&scene.fresh, 5000);
        scene.warm(1000, 50);
        scene.settle();
        let newest: Vec<_> = (4000..5000).rev().map(|n| format!("o{n}")).collect();
        assert_eq!(scene.cached(), newest);
        let started = scene.crew.started();
        let pool = started.iter().filter(|name| name.starts_with("warm-up-")).count();
        assert_eq!(pool, 50, "a chunk of 20 for each thread");
    }
}

/// Row 7: more chunks than threads are read by no more threads than were asked for.
#[test]
fn the_pool_is_bounded() {
    let scene = Scene::new(stores::embedded(), 10_000);
    fill(&scene.fresh, 2000);
    scene.warm(2000, 7);
    scene.settle();
    assert_eq!(scene.cached().len(), 2000);
    let started = scene.crew.started();
    assert_eq!(started.iter().filter(|name| name.starts_with("warm-up-")).count(), 7);
}

/// Row 7: a cache that is smaller than what is to be warmed holds the newest of it.
#[test]
fn a_small_cache_holds_the_newest() {
    let scene = Scene::new(stores::embedded(), 100);
    fill(&scene.fresh, 1000);
    scene.warm(1000, 50);
    scene.settle();
    let newest: Vec<_> = (900..1000).rev().map(|n| format!("o{n}")).collect();
    assert_eq!(scene.cached(), newest);
}

/// Row 7 and the design: what is saved while warming goes on is newest, and stays.
#[test]
fn what_arrives_while_warming_stays_in_front() {
    let scene = Scene::new(stores::postgres(), 10_000);
    fill(&scene.fresh, 1000);
    scene.warm(1000, 50);
    // These two land before, between or after the chunks: one is new, one replaces a stored order.
    let changed = [order("o990", 2), order("late", 2)];
    let writes = scene.catalog.begin_writes(changed.iter().map(Order::uid));
    let saved = save(&*scene.fresh.connect, &changed);
    let mut written: Vec<_> = saved.orders.into_iter().map(|(order, _)| order).collect();
    written.sort_by_key(|order| order.arrival);
    writes.publish(written);
    scene.settle();
    let cached = scene.cached();
    assert_eq!(cached[..2], ["late", "o990"]);
    assert!(cached.len() >= 1000 && cached.len() <= 1001, "{} are cached", cached.len());
    let replaced = scene.catalog.lookup(changed[0].uid()).unwrap();
    let orderd::catalog::Lookup::Hit(replaced) = replaced else { panic!("o990 is cached") };
    assert_eq!(&replaced.body, changed[0].body());
}

/// Row 7: orders that were damaged from outside are left out, and keep no other one out.
#[test]
fn damaged_orders_do_not_stop_the_warming() {
    let scene = Scene::new(stores::postgres(), 10_000);
    fill(&scene.fresh, 100);
    let mut operator = Client::connect(scene.fresh.url.as_ref().unwrap(), NoTls).unwrap();
    let damage = "update orders set entry = 'damaged' where order_uid in ('o3', 'o77', 'o78')";
    assert_eq!(operator.execute(damage, &[]).unwrap(), 3);
    scene.warm(100, 5);
    scene.settle();
    let sound = (0..100).rev().filter(|n| ![3, 77, 78].contains(n));
    assert_eq!(scene.cached(), sound.map(|n| format!("o{n}")).collect::<Vec<_>>());
}

/// Design: outages are waited out, by warming up too.
#[test]
fn warming_waits_out_an_outage() {
    let mut fresh = stores::embedded();
    fill(&fresh, 100);
    let inner = Arc::clone(&fresh.connect);
    fresh.connect = Arc::new(Away { inner, failures: AtomicUsize::new(6) });
    let scene = Scene::new(fresh, 10_000);
    scene.warm(100, 5);
    scene.settle();
    assert_eq!(scene.cached().len(), 100);
}
