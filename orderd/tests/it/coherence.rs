//! Forced interleavings: every way that the cache is filled, overtaken by every way that an order
//! changes. A gate holds the fill between its statement and the cache, the change happens, the gate
//! opens, and the cache must not hold what the fill had read.

use crate::stores;
use crate::stores::Fresh;
use crate::stores::order;
use crate::stores::save;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::unbounded;
use orderd::catalog::ABSENT_FOR_MAX;
use orderd::catalog::Catalog;
use orderd::catalog::Lookup;
use orderd::catalog::PendingOrder;
use orderd::catalog::Room;
use orderd::clock::Clock;
use orderd::order::Order;
use orderd::order::OrderUid;
use orderd::store::Batch;
use orderd::store::Connect;
use orderd::store::Counts;
use orderd::store::DeadLetter;
use orderd::store::Saved;
use orderd::store::Store;
use orderd::store::StoreError;
use orderd::store::StoredOrder;
use orderd::store::database::Database;
use orderd::store::letters::Letters;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Long enough for any machine; a test that waits so long has failed.
const PATIENCE: Duration = crate::daemon::PATIENCE;

/// A real store whose reads stop at a gate between the statement and the answer, while it is shut.
struct Gated {
    inner: Arc<dyn Connect>,
    gate: Arc<Gate>,
}

struct Gate {
    /// How many reads are to be held; the rest passes.
    holds: AtomicUsize,
    arrived: Sender<()>,
    open: Receiver<()>,
    reads: AtomicUsize,
}

struct GatedStore {
    inner: Box<dyn Store>,
    gate: Arc<Gate>,
}

impl Connect for Gated {
    fn connect(&self) -> Result<Box<dyn Store>, StoreError> {
        let inner = self.inner.connect()?;
        Ok(Box::new(GatedStore { inner, gate: Arc::clone(&self.gate) }))
    }

    fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.inner.migrate()
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}

impl Store for GatedStore {
    fn assign(
        &mut self,
        group: &str,
        topic: &str,
        starts: &[(i32, i64)],
    ) -> Result<Vec<(i32, i64)>, StoreError> {
        self.inner.assign(group, topic, starts)
    }

    fn save(&mut self, batch: &Batch) -> Result<Saved, StoreError> {
        self.inner.save(batch)
    }

    fn load(&mut self, uids: &[OrderUid]) -> Result<Vec<StoredOrder>, StoreError> {
        let answer = self.inner.load(uids);
        self.gate.reads.fetch_add(1, Ordering::SeqCst);
        let take_one = |holds: usize| holds.checked_sub(1);
        let held = self.gate.holds.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one);
        if held.is_ok() {
            self.gate.arrived.send(()).unwrap();
            self.gate.open.recv_timeout(PATIENCE).unwrap();
        }
        answer
    }

    fn page(&mut self, before: Option<i64>, limit: usize) -> Result<Vec<StoredOrder>, StoreError> {
        self.inner.page(before, limit)
    }

    fn newest(&mut self, limit: usize) -> Result<Vec<OrderUid>, StoreError> {
        self.inner.newest(limit)
    }

    fn counts(&mut self) -> Result<Counts, StoreError> {
        self.inner.counts()
    }

    fn dead_letters(&mut self, topic: &str, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.dead_letters(topic, limit)
    }

    fn letters(&mut self) -> &mut dyn Letters {
        self.inner.letters()
    }
}

/// A catalog over a fresh real store behind a gate.
pub(crate) struct Scene {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) connect: Arc<dyn Connect>,
    crew: Crew,
    pub(crate) clock: Clock,
    gate: Arc<Gate>,
    arrived: Receiver<()>,
    open: Sender<()>,
    _fresh: Fresh,
}

impl Scene {
    pub(crate) fn new(fresh: Fresh) -> Self {
        let (arrive, arrived) = unbounded();
        let (open, opened) = unbounded();
        let gate = Arc::new(Gate {
            holds: AtomicUsize::new(0),
            arrived: arrive,
            open: opened,
            reads: AtomicUsize::new(0),
        });
        let inner = Arc::clone(&fresh.connect);
        let gated: Arc<dyn Connect> = Arc::new(Gated { inner, gate: Arc::clone(&gate) });
        let crew = Crew::new(StopToken::new());
        let clock = Clock::manual();
        let database = Database::start(&crew, &gated, &clock, 3).unwrap();
        let catalog = Catalog::new(100, database, clock.clone());
        let connect = Arc::clone(&fresh.connect);
        Self { catalog, connect, crew, clock, gate, arrived, open, _fresh: fresh }
    }

    /// Starts a fill and holds it when it has read.
    pub(crate) fn held<T>(&self, start: impl FnOnce() -> T) -> T {
        self.gate.holds.store(1, Ordering::SeqCst);
        let started = start();
        self.arrived.recv_timeout(PATIENCE).unwrap();
        started
    }

    fn held_load(&self, uid: &OrderUid) -> PendingOrder {
        self.held(|| match self.catalog.lookup(uid).unwrap() {
            Lookup::Pending(pending) => pending,
            other => panic!("{uid} is to be loaded and not {other:?}"),
        })
    }

    pub(crate) fn open_gate(&self) {
        self.open.send(()).unwrap();
    }

    /// What a reader gets: the amount, which stands for the version.
    pub(crate) fn read(&self, uid: &OrderUid) -> Option<i64> {
        let order = match self.catalog.lookup(uid).unwrap() {
            Lookup::Hit(order) => Some(order),
            Lookup::Stale(order) => panic!("nobody else writes to the store of {order:?}"),
            Lookup::Absent => None,
            Lookup::Pending(pending) => pending.wait(PATIENCE).unwrap(),
        };
        order.map(|order| version(&order))
    }

    /// What is cached, if anything.
    pub(crate) fn cached(&self, uid: &OrderUid) -> Option<i64> {
        let held = self.catalog.uids_by_recency().contains(uid);
        held.then(|| match self.catalog.lookup(uid).unwrap() {
            Lookup::Hit(order) => version(&order),
            other => panic!("{uid} is in the cache and looked up as {other:?}"),
        })
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.crew.stop_and_join(PATIENCE);
    }
}

fn version(order: &StoredOrder) -> i64 {
    let document: serde_json::Value = serde_json::from_slice(&order.body).unwrap();
    document["payment"]["amount"].as_i64().unwrap()
}

/// How an order changes under a fill.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// Ingest saves and publishes it.
    Published,
    /// Another instance saves it, and this one is told to forget it.
    Invalidated,
    /// Another instance saves it, and this one forgets everything.
    InvalidatedAll,
    /// Ingest saves it and never learns whether the COMMIT happened.
    OutcomeUnknown,
}

const CHANGES: [Change; 4] =
    [Change::Published, Change::Invalidated, Change::InvalidatedAll, Change::OutcomeUnknown];

impl Change {
    pub(crate) fn happen(self, scene: &Scene, order: &Order) {
        let uid = order.uid();
        match self {
            Self::Published => {
                let writes = scene.catalog.begin_writes([uid]);
                let saved = save(&*scene.connect, std::slice::from_ref(order));
                writes.publish(saved.orders.into_iter().map(|(order, _)| order).collect());
            }
            Self::Invalidated => {
                save(&*scene.connect, std::slice::from_ref(order));
                scene.catalog.invalidate([uid]);
            }
            Self::InvalidatedAll => {
                save(&*scene.connect, std::slice::from_ref(order));
                scene.catalog.invalidate_all();
            }
            Self::OutcomeUnknown => {
                let writes = scene.catalog.begin_writes([uid]);
                save(&*scene.connect, std::slice::from_ref(order));
                drop(writes);
            }
        }
    }
}

pub(crate) fn on_both_stores(check: impl Fn(&Scene, Change)) {
    for make in [stores::embedded as fn() -> Fresh, stores::postgres] {
        for change in CHANGES {
            let scene = Scene::new(make());
            eprintln!("{} while it is {change:?}", scene.connect.name());
            check(&scene, change);
        }
    }
}

/// Issue: a reader that loads an order while a newer version lands never leaves the old one.
#[test]
fn a_load_that_is_overtaken_is_not_kept() {
    on_both_stores(|scene, change| {
        let (old, new) = (order("a", 1), order("a", 2));
        save(&*scene.connect, std::slice::from_ref(&old));
        let pending = scene.held_load(old.uid());
        change.happen(scene, &new);
        scene.open_gate();
        // Whoever waited since before the change is answered, with what was read for them.
        let answer = pending.wait(PATIENCE).unwrap().unwrap();
        assert_eq!(version(&answer), 1);
        assert_ne!(scene.cached(old.uid()), Some(1));
        assert_eq!(scene.read(old.uid()), Some(2));
        assert_eq!(scene.cached(old.uid()), Some(2));
    });
}

/// Design: later readers never join the flight of a voided load.
#[test]
fn a_reader_after_the_change_does_not_join_the_overtaken_load() {
    on_both_stores(|scene, change| {
        let (old, new) = (order("a", 1), order("a", 2));
        save(&*scene.connect, std::slice::from_ref(&old));
        let pending = scene.held_load(old.uid());
        change.happen(scene, &new);
        // The gate is still shut: this reader gets an answer only by a load of its own.
        assert_eq!(scene.read(old.uid()), Some(2));
        scene.open_gate();
        pending.wait(PATIENCE).unwrap();
        assert_eq!(scene.cached(old.uid()), Some(2));
    });
}

/// Row 9 and the design: an absence that was read before the order arrived isn't remembered.
#[test]
fn an_absence_that_is_overtaken_is_not_kept() {
    on_both_stores(|scene, change| {
        let new = order("a", 2);
        let pending = scene.held_load(new.uid());
        change.happen(scene, &new);
        scene.open_gate();
        assert!(pending.wait(PATIENCE).unwrap().is_none());
        assert_eq!(scene.read(new.uid()), Some(2));
    });
}

/// Design: unknown ids are forgotten when such an order arrives.
#[test]
fn an_absence_that_is_remembered_is_forgotten_with_the_change() {
    on_both_stores(|scene, change| {
        let new = order("a", 2);
        assert_eq!(scene.read(new.uid()), None);
        assert!(matches!(scene.catalog.lookup(new.uid()).unwrap(), Lookup::Absent));
        change.happen(scene, &new);
        assert_eq!(scene.read(new.uid()), Some(2));
    });
}

/// Issue: an order that arrives during warm-up isn't overwritten by an older copy.
#[test]
fn warming_that_is_overtaken_is_not_kept() {
    on_both_stores(|scene, change| {
        let (old, new) = (order("a", 1), order("a", 2));
        let saved = save(&*scene.connect, std::slice::from_ref(&old));
        let read = saved.orders.into_iter().map(|(order, _)| order).collect();
        let warming = scene.catalog.begin_warming(&[old.uid().clone()]);
        change.happen(scene, &new);
        let before = scene.cached(old.uid());
        assert_eq!(warming.finish(read), Room::Left);
        assert_eq!(scene.cached(old.uid()), before, "warming leaves what the change left");
        assert_eq!(scene.read(old.uid()), Some(2));
    });
}

/// Design: a write that is overtaken between its COMMIT and its publishing removes the key.
#[test]
fn a_write_that_is_overtaken_removes_the_key() {
    on_both_stores(|scene, change| {
        let (old, new) = (order("a", 1), order("a", 2));
        let writes = scene.catalog.begin_writes([old.uid()]);
        let saved = save(&*scene.connect, std::slice::from_ref(&old));
        change.happen(scene, &new);
        writes.publish(saved.orders.into_iter().map(|(order, _)| order).collect());
        assert_eq!(scene.cached(old.uid()), None);
        assert_eq!(scene.read(old.uid()), Some(2));
    });
}

/// Row 9: however many ask for a missing order, it is read once.
#[test]
fn readers_of_one_missing_order_share_one_load() {
    for make in [stores::embedded as fn() -> Fresh, stores::postgres] {
        let scene = Scene::new(make());
        let wanted = order("a", 1);
        save(&*scene.connect, std::slice::from_ref(&wanted));
        let first = scene.held_load(wanted.uid());
        let mut waiting = vec![first];
        for _ in 0..20 {
            let Lookup::Pending(pending) = scene.catalog.lookup(wanted.uid()).unwrap() else {
                panic!("the load is held, so the order can't be cached");
            };
            waiting.push(pending);
        }
        scene.open_gate();
        for pending in waiting {
            assert_eq!(version(&pending.wait(PATIENCE).unwrap().unwrap()), 1);
        }
        assert_eq!(scene.gate.reads.load(Ordering::SeqCst), 1);
        assert!(matches!(scene.catalog.lookup(wanted.uid()).unwrap(), Lookup::Hit(_)));
    }
}

/// Design: unknown ids are remembered for at most 250 ms.
#[test]
fn an_absence_is_remembered_for_a_quarter_of_a_second() {
    let scene = Scene::new(stores::embedded());
    let uid = OrderUid::parse("nobody").unwrap();
    assert_eq!(scene.read(&uid), None);
    scene.clock.advance(ABSENT_FOR_MAX - Duration::from_nanos(1));
    assert!(matches!(scene.catalog.lookup(&uid).unwrap(), Lookup::Absent));
    scene.clock.advance(Duration::from_nanos(1));
    assert_eq!(scene.read(&uid), None);
    assert_eq!(scene.gate.reads.load(Ordering::SeqCst), 2, "it is asked for again");
}

/// Issue: an order that arrives during warm-up isn't displaced by an older one.
#[test]
fn warming_displaces_nothing_and_says_when_the_cache_is_full() {
    let scene = Scene::new(stores::embedded());
    let old: Vec<Order> = (0..150).map(|n| order(&format!("old{n}"), 1)).collect();
    let saved = save(&*scene.connect, &old);
    let mut read: Vec<_> = saved.orders.into_iter().map(|(order, _)| order).collect();
    read.sort_by_key(|order| std::cmp::Reverse(order.arrival));
    let uids: Vec<_> = read.iter().map(|order| order.uid.clone()).collect();
    let warming = scene.catalog.begin_warming(&uids);
    let new = order("new", 2);
    Change::Published.happen(&scene, &new);
    assert_eq!(warming.finish(read), Room::None);
    let cached = scene.catalog.uids_by_recency();
    assert_eq!(cached.len(), 100);
    assert_eq!(&cached[0], new.uid());
    assert_eq!(cached[1..], uids[..99], "the newest of the warmed come next, in order");
}
