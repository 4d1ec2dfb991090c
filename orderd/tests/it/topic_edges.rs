//! Ingest at the edges of a topic: what it tells the topic, where it begins, and what it notices.

use crate::daemon::wait_until;
use crate::stores;
use crate::stores::Fresh;
use crate::stores::order;
use orderd::catalog::Catalog;
use orderd::clock::Clock;
use orderd::embedded::Embedded;
use orderd::ingest::Ingest;
use orderd::order::validate::Profile;
use orderd::store::Advance;
use orderd::store::Batch;
use orderd::store::Connect;
use orderd::store::database::Database;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::supervise::readiness::Part;
use orderd::supervise::readiness::Readiness;
use orderd::topic::Bounds;
use orderd::topic::Message;
use orderd::topic::OpenSink;
use orderd::topic::OpenSource;
use orderd::topic::Record;
use orderd::topic::Source;
use orderd::topic::Standing;
use orderd::topic::TopicError;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

/// A real source that claims a later beginning, and notes what it is told.
#[derive(Clone)]
struct Watched {
    inner: Arc<dyn OpenSource>,
    store: Arc<dyn Connect>,
    earliest: i64,
    /// Where the log ended when it was first looked at, if that isn't where it ends.
    end_before: Arc<Mutex<Option<i64>>>,
    seeks: Arc<Mutex<Vec<(i32, i64)>>>,
    /// What was told to be saved, with the position that was stored then.
    saved: Arc<Mutex<Vec<(i64, i64)>>>,
}

struct WatchedSource {
    inner: Box<dyn Source>,
    shared: Watched,
}

impl OpenSource for Watched {
    fn open(&self) -> Result<Box<dyn Source>, TopicError> {
        Ok(Box::new(WatchedSource { inner: self.inner.open()?, shared: self.clone() }))
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}

impl Source for WatchedSource {
    fn bounds(&mut self) -> Result<Vec<Bounds>, TopicError> {
        let mut bounds = self.inner.bounds()?;
        bounds.iter_mut().for_each(|bounds| bounds.earliest = self.shared.earliest);
        if let Some(end) = self.shared.end_before.lock().unwrap().take() {
            bounds.iter_mut().for_each(|bounds| bounds.end = end);
        }
        Ok(bounds)
    }

    fn seek(&mut self, positions: &[(i32, i64)]) {
        self.shared.seeks.lock().unwrap().extend(positions);
        self.inner.seek(positions);
    }

    fn fetch(&mut self, wait_max: Duration) -> Result<Vec<Message>, TopicError> {
        self.inner.fetch(wait_max)
    }

    fn standing(&mut self) -> Result<Standing, TopicError> {
        self.inner.standing()
    }

    fn saved(&mut self, positions: &[(i32, i64)]) {
        for &(partition, told) in positions {
            self.shared
                .saved
                .lock()
                .unwrap()
                .push((told, position(&*self.shared.store, partition)));
        }
        self.inner.saved(positions);
    }
}

fn position(store: &dyn Connect, partition: i32) -> i64 {
    store.connect().unwrap().assign("orderd", "orders", &[(partition, 0)]).unwrap()[0].1
}

struct Scene {
    crew: Crew,
    clock: Clock,
    watched: Watched,
    readiness: Arc<Readiness>,
    topic: Embedded,
    fresh: Fresh,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Ingest isn't started yet.
    fn new(earliest: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let topic = Embedded::open(folder.path()).unwrap();
        let fresh = stores::embedded();
        let watched = Watched {
            inner: Arc::new(topic.topic("orders", 1)),
            store: Arc::clone(&fresh.connect),
            earliest,
            end_before: Arc::default(),
            seeks: Arc::default(),
            saved: Arc::default(),
        };
        let crew = Crew::new(StopToken::new());
        let (clock, readiness) = (Clock::manual(), Arc::default());
        Self { crew, clock, watched, readiness, topic, fresh, _folder: folder }
    }

    fn start(&self) {
        let (connect, clock) = (Arc::clone(&self.fresh.connect), self.clock.clone());
        let database = Database::start(&self.crew, &connect, &clock, 1).unwrap();
        let ingest = Ingest {
            connect,
            sources: Arc::new(self.watched.clone()),
            catalog: Catalog::new(100, database, clock.clone()),
            readiness: Arc::clone(&self.readiness),
            metrics: Arc::default(),
            clock,
            group: "orderd".to_owned(),
            topic: "orders".to_owned(),
            profile: Profile::Lenient,
        };
        self.crew.spawn_restarting("ingest", move |stop| ingest.run(stop)).unwrap();
    }

    fn append(&self, partitions: u16, uids: &[&str]) {
        let record = |uid: &&str| Record {
            key: (*uid).to_owned().into(),
            value: order(uid, 1).body().clone(),
        };
        let records: Vec<_> = uids.iter().map(record).collect();
        let topic = self.topic.topic("orders", partitions);
        OpenSink::open(&topic).unwrap().append(&records).unwrap();
    }

    fn orders(&self) -> u64 {
        self.fresh.connect.connect().unwrap().counts().unwrap().orders
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.crew.stop_and_join(Duration::from_secs(20));
    }
}

/// Design: the group offset comes last, so the topic is never told more than what is saved.
#[test]
fn the_topic_is_told_what_is_saved_and_not_more() {
    let scene = Scene::new(0);
    scene.append(1, &["a", "b", "c"]);
    scene.start();
    wait_until("the topic is told", || !scene.watched.saved.lock().unwrap().is_empty());
    scene.append(1, &["d"]);
    wait_until("the topic is told again", || scene.watched.saved.lock().unwrap().len() == 2);
    assert_eq!(*scene.watched.saved.lock().unwrap(), [(3, 3), (4, 4)]);
}

/// Issue: partitions move between instances. A position that the former owner moved on, after this
/// one has looked where the log ends, is no alarm and is read on from.
#[test]
fn a_position_moved_after_the_look_at_the_log_is_read_on_from() {
    let scene = Scene::new(0);
    scene.append(1, &["a", "b", "c"]);
    scene.fresh.connect.connect().unwrap().assign("orderd", "orders", &[(0, 2)]).unwrap();
    *scene.watched.end_before.lock().unwrap() = Some(1);
    scene.start();
    wait_until("what lies behind the position is saved", || scene.orders() == 1);
    assert_eq!(*scene.watched.seeks.lock().unwrap(), [(0, 2)]);
}

/// Row 4: where retention has removed what wasn't read, reading goes on at what is left.
#[test]
fn reading_begins_at_what_retention_has_left() {
    let scene = Scene::new(2);
    assert_eq!(position(&*scene.fresh.connect, 0), 0);
    scene.append(1, &["a", "b", "c", "d"]);
    scene.start();
    wait_until("the rest is saved", || position(&*scene.fresh.connect, 0) == 4);
    assert_eq!(*scene.watched.seeks.lock().unwrap(), [(0, 2)]);
    assert_eq!(scene.orders(), 2);
}

/// Row 1: partitions that are added while the daemon runs are read too, within a minute.
#[test]
fn added_partitions_are_read() {
    let scene = Scene::new(0);
    scene.append(1, &["a"]);
    scene.start();
    wait_until("the first order is saved", || scene.orders() == 1);
    let uids: Vec<String> = (0..20).map(|n| format!("o{n}")).collect();
    scene.append(3, &uids.iter().map(String::as_str).collect::<Vec<_>>());
    scene.clock.advance(Duration::from_secs(61));
    wait_until("all orders are saved", || scene.orders() == 21);
    assert!(position(&*scene.fresh.connect, 2) > 0, "the third partition has some of them");
}

/// Design: a position beyond the end of the log stops its partition alone, and `/readyz` goes on
/// saying so while the others are read.
#[test]
fn a_stopped_partition_stops_no_other_and_stays_known() {
    let scene = Scene::new(0);
    let store = &*scene.fresh.connect;
    store.connect().unwrap().assign("orderd", "orders", &[(1, 700)]).unwrap();
    let uids: Vec<String> = (0..20).map(|n| format!("o{n}")).collect();
    scene.append(2, &uids.iter().map(String::as_str).collect::<Vec<_>>());
    scene.start();
    wait_until("the topic is told", || !scene.watched.saved.lock().unwrap().is_empty());
    scene.append(2, &uids.iter().map(String::as_str).collect::<Vec<_>>());
    wait_until("the topic is told again", || scene.watched.saved.lock().unwrap().len() == 2);
    assert!(position(store, 0) > 0);
    assert_eq!(position(store, 1), 700);
    let snapshot = scene.readiness.snapshot(scene.clock.now());
    let missing = snapshot.into_iter().find(|(part, _)| *part == Part::Topic).unwrap().1;
    assert!(missing.unwrap().contains("[1]"));

    // An operator gives the partition a position that exists, and the daemon isn't restarted.
    let advances = vec![Advance { partition: 1, from: 700, to: 0 }];
    let (group, topic) = ("orderd".to_owned(), "orders".to_owned());
    let set = Batch { group, topic, advances, ..Batch::default() };
    store.connect().unwrap().save(&set).unwrap();
    scene.clock.advance(Duration::from_secs(61));
    wait_until("all orders are saved", || scene.orders() == 20);
}

/// Design: a running daemon notices a position that was set within a minute, though no message
/// comes that it would find moved.
#[test]
fn a_position_that_is_set_is_noticed_by_an_idle_daemon() {
    let scene = Scene::new(0);
    scene.append(1, &["a"]);
    scene.start();
    wait_until("the topic is told", || !scene.watched.saved.lock().unwrap().is_empty());
    let advances = vec![Advance { partition: 0, from: 1, to: 700 }];
    let (group, topic) = ("orderd".to_owned(), "orders".to_owned());
    let set = Batch { group, topic, advances, ..Batch::default() };
    scene.fresh.connect.connect().unwrap().save(&set).unwrap();
    scene.clock.advance(Duration::from_secs(61));
    wait_until("the position is read again", || {
        let snapshot = scene.readiness.snapshot(scene.clock.now());
        let missing = snapshot.into_iter().find(|(part, _)| *part == Part::Topic).unwrap().1;
        missing.is_some_and(|reason| reason.contains("[0]"))
    });
}
