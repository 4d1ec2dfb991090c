//! Row 4: ingest never goes past an unsaved message and saves none twice, whatever the store
//! answers.

use crate::daemon::wait_until;
use crate::faulty::FAULTS;
use crate::faulty::Fault;
use crate::faulty::Faulty;
use crate::faulty::topic_missing;
use crate::stores;
use crate::stores::Fresh;
use crate::stores::order;
use bytes::Bytes;
use orderd::catalog::Catalog;
use orderd::catalog::Lookup;
use orderd::clock::Clock;
use orderd::embedded::Embedded;
use orderd::ingest::Ingest;
use orderd::order::validate::Profile;
use orderd::store::Connect;
use orderd::store::database::Database;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::supervise::readiness::Readiness;
use orderd::topic::OpenSink as _;
use orderd::topic::Record;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

/// Ingest from an embedded topic into a real store.
struct Scene {
    crew: Crew,
    catalog: Arc<Catalog>,
    readiness: Arc<Readiness>,
    connect: Arc<dyn Connect>,
    faulty: Faulty,
    topic: Embedded,
    ingest: Ingest,
    _fresh: Fresh,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new(fresh: Fresh, faults: &[Option<Fault>]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let topic = Embedded::open(folder.path()).unwrap();
        let readiness = Arc::new(Readiness::new());
        let crew = Crew::new(StopToken::new());
        let clock = Clock::system();
        let database = Database::start(&crew, &fresh.connect, &clock, 2).unwrap();
        let catalog = Catalog::new(10_000, database, clock.clone());
        let faulty = Faulty {
            inner: Arc::clone(&fresh.connect),
            faults: Arc::new(Mutex::new(faults.iter().copied().collect())),
            sizes: Arc::default(),
            readiness: Arc::clone(&readiness),
            catalog: Arc::clone(&catalog),
            late: Arc::default(),
            ready: Arc::default(),
        };
        let ingest = Ingest {
            connect: Arc::new(faulty.clone()),
            sources: Arc::new(topic.topic("orders", 1)),
            catalog: Arc::clone(&catalog),
            readiness: Arc::clone(&readiness),
            metrics: Arc::default(),
            clock,
            group: "orderd".to_owned(),
            topic: "orders".to_owned(),
            profile: Profile::Lenient,
        };
        let connect = Arc::clone(&fresh.connect);
        Self {
            crew,
            catalog,
            readiness,
            connect,
            faulty,
            topic,
            ingest,
            _fresh: fresh,
            _folder: folder,
        }
    }

    fn start(&self) {
        let ingest = self.ingest.clone();
        self.crew.spawn_restarting("ingest", move |stop| ingest.run(stop)).unwrap();
    }

    fn append(&self, values: &[Bytes]) {
        let records: Vec<_> =
            values.iter().map(|value| Record { key: Bytes::new(), value: value.clone() }).collect();
        self.topic.topic("orders", 1).open().unwrap().append(&records).unwrap();
    }

    fn counts(&self) -> (u64, u64) {
        let counts = self.connect.connect().unwrap().counts().unwrap();
        (counts.orders, counts.dead_letters)
    }

    fn topic_missing(&self) -> Option<String> {
        topic_missing(&self.readiness)
    }

    fn position(&self) -> i64 {
        self.connect.connect().unwrap().assign("orderd", "orders", &[(0, 0)]).unwrap()[0].1
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.crew.stop_and_join(Duration::from_secs(20));
    }
}

/// Three orders, one of them twice, one array with a broken element, and one that is no JSON.
fn messages() -> Vec<Bytes> {
    let body = |uid: &str, amount| String::from_utf8(order(uid, amount).body().to_vec()).unwrap();
    vec![
        Bytes::from(body("a", 1)),
        Bytes::from(format!("[{},{{\"order_uid\":5}},{}]", body("b", 1), body("c", 1))),
        Bytes::from("{broken"),
        Bytes::from(body("a", 2)),
    ]
}

fn check_all_saved_once(scene: &Scene) {
    wait_until("all messages are saved", || scene.position() == 4);
    assert_eq!(scene.counts(), (3, 2));
    let wanted = [order("a", 2), order("b", 1), order("c", 1)];
    let uids: Vec<_> = wanted.iter().map(|order| order.uid().clone()).collect();
    let mut stored = scene.connect.connect().unwrap().load(&uids).unwrap();
    stored.sort_by(|a, b| a.uid.cmp(&b.uid));
    let bodies: Vec<_> = stored.iter().map(|order| order.body.clone()).collect();
    assert_eq!(bodies, wanted.iter().map(|order| order.body().clone()).collect::<Vec<_>>());
    let letters = scene.connect.connect().unwrap().dead_letters("orders", 10).unwrap();
    let origins: Vec<_> = letters.iter().map(|l| (l.origin.offset, l.origin.element)).collect();
    assert_eq!(origins, [(1, 1), (2, 0)]);
    assert_eq!(letters[1].payload, "{broken");
    assert_eq!(letters[1].code, "syntax");
    assert!(letters[0].reason.contains("order_uid"), "{}", letters[0].reason);
    // The cache follows the commit, and then gives what is stored.
    for order in &wanted {
        wait_until("the cache follows", || match scene.catalog.lookup(order.uid()).unwrap() {
            Lookup::Hit(hit) => hit.body == order.body(),
            Lookup::Pending(pending) => {
                pending.wait(Duration::from_secs(20)).unwrap().unwrap().body == order.body()
            }
            Lookup::Stale(_) | Lookup::Absent => false,
        });
    }
}

/// Row 4: each fault, at the first and at the second save, on both stores.
#[test]
fn every_fault_is_survived_without_loss_or_repetition() {
    for make in [stores::embedded as fn() -> Fresh, stores::postgres] {
        for fault in FAULTS {
            for at in 0..2 {
                let mut faults = vec![None; at];
                faults.push(Some(fault));
                let scene = Scene::new(make(), &faults);
                eprintln!("{} with {fault:?} at save {at}", scene.connect.name());
                let messages = messages();
                scene.append(&messages[..2]);
                scene.start();
                if at == 1 {
                    wait_until("the first messages are saved", || scene.position() == 2);
                }
                scene.append(&messages[2..]);
                check_all_saved_once(&scene);
                assert!(scene.faulty.faults.lock().unwrap().is_empty(), "the fault has happened");
            }
        }
    }
}

/// Row 4: faults of all kinds one after the other.
#[test]
fn many_faults_in_a_row_are_survived() {
    let faults: Vec<_> = FAULTS.into_iter().map(Some).collect();
    let scene = Scene::new(stores::postgres(), &faults);
    scene.append(&messages());
    scene.start();
    check_all_saved_once(&scene);
}

/// Design: a statement that is too slow halves the batch, down to what the store can do.
#[test]
fn a_batch_that_is_too_slow_is_saved_in_halves() {
    let slow = [Some(Fault::TooSlow), Some(Fault::TooSlow)];
    let scene = Scene::new(stores::embedded(), &slow);
    let bodies: Vec<_> = (0..40).map(|n| order(&format!("o{n}"), 1).body().clone()).collect();
    scene.append(&bodies);
    scene.start();
    wait_until("all messages are saved", || scene.position() == 40);
    assert_eq!(scene.counts(), (40, 0));
    let sizes = scene.faulty.sizes.lock().unwrap().clone();
    assert_eq!(sizes[..4], [40, 20, 10, 20], "halved twice, and grown again after a success");
}

/// Design: a transaction is bounded in what it holds, however many elements its messages have. The
/// elements of one message stay together.
#[test]
fn a_batch_is_bounded_by_its_elements() {
    let scene = Scene::new(stores::embedded(), &[]);
    let array = |len: usize| Bytes::from(format!("[{}]", vec!["1"; len].join(",")));
    scene.append(&[array(900), array(900), array(900), array(2500), array(1)]);
    scene.start();
    wait_until("all messages are saved", || scene.position() == 5);
    assert_eq!(scene.counts(), (0, 5201));
    assert_eq!(*scene.faulty.sizes.lock().unwrap(), [3, 1, 1]);
}

/// Section 3: `/readyz` says which part isn't ready: a topic that is read and not saved isn't.
#[test]
fn the_topic_is_not_ready_before_its_messages_are_saved() {
    let scene = Scene::new(stores::embedded(), &[Some(Fault::OutageBefore)]);
    scene.append(&messages());
    scene.start();
    wait_until("all messages are saved", || scene.position() == 4);
    wait_until("the topic is ready", || scene.topic_missing().is_none());
    // At the first two saves nothing had been saved yet.
    assert_eq!(scene.faulty.ready.lock().unwrap()[..2], [false, false]);
}

/// Row 5: what is saved is cached at once, the newest most recently used.
#[test]
fn saved_orders_are_cached_newest_first() {
    let scene = Scene::new(stores::embedded(), &[]);
    let bodies: Vec<_> = ["z", "m", "a"].map(|uid| order(uid, 1).body().clone()).to_vec();
    scene.append(&bodies);
    scene.start();
    wait_until("all orders are cached", || scene.catalog.len() == 3);
    let cached: Vec<_> = scene.catalog.uids_by_recency().iter().map(ToString::to_string).collect();
    assert_eq!(cached, ["a", "m", "z"]);
}

/// Design: a position beyond the end of the log stops the partition, and says what to do.
#[test]
fn a_position_beyond_the_log_is_not_read_past() {
    let scene = Scene::new(stores::embedded(), &[]);
    scene.connect.connect().unwrap().assign("orderd", "orders", &[(0, 7)]).unwrap();
    scene.append(&[order("a", 1).body().clone()]);
    scene.start();
    wait_until("the topic isn't ready", || {
        scene.topic_missing().is_some_and(|reason| reason.contains("orderd positions set"))
    });
    assert_eq!((scene.position(), scene.counts()), (7, (0, 0)));
}
