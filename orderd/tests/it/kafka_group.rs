//! Several instances in one consumer group: each message is saved once, whoever reads it.

use crate::daemon::wait_until;
use crate::servers;
use crate::servers::TestDatabase;
use crate::workload::Workload;
use orderd::catalog::Catalog;
use orderd::clock::Clock;
use orderd::dead_letters::Letters;
use orderd::ingest::Ingest;
use orderd::order::OrderUid;
use orderd::order::validate::Profile;
use orderd::store::Batch;
use orderd::store::Connect;
use orderd::store::Counts;
use orderd::store::DeadLetter;
use orderd::store::Saved;
use orderd::store::Store;
use orderd::store::StoreError;
use orderd::store::StoredOrder;
use orderd::store::database::Database;
use orderd::store::postgres::Postgres;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::supervise::readiness::Readiness;
use orderd::topic::OpenSink;
use orderd::topic::OpenSource;
use orderd::topic::Record;
use orderd::topic::kafka::Client;
use orderd::topic::kafka::KafkaSettings;
use orderd::topic::kafka::KafkaTopic;
use orderd::topic::kafka::Security;
use orderd::topic::kafka::Share;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

const PARTITIONS: i32 = 6;

/// Who saved which offsets of which partition: `(partition, from, to, member)`.
type Ledger = Arc<Mutex<Vec<(i32, i64, i64, usize)>>>;

/// A real store that notes what it has saved for one member, and can be away.
#[derive(Clone)]
struct Noting {
    inner: Arc<Postgres>,
    member: usize,
    ledger: Ledger,
    away: Arc<AtomicBool>,
}

struct NotingStore {
    inner: Box<dyn Store>,
    shared: Noting,
}

impl Noting {
    fn reach(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) {
            let source = "switched off by the test".into();
            return Err(StoreError::Outage { what: "of the test".to_owned(), source });
        }
        Ok(())
    }
}

impl Connect for Noting {
    fn connect(&self) -> Result<Box<dyn Store>, StoreError> {
        self.reach()?;
        Ok(Box::new(NotingStore { inner: self.inner.connect()?, shared: self.clone() }))
    }

    fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.inner.migrate()
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}

impl Store for NotingStore {
    fn assign(
        &mut self,
        group: &str,
        topic: &str,
        starts: &[(i32, i64)],
    ) -> Result<Vec<(i32, i64)>, StoreError> {
        self.shared.reach()?;
        self.inner.assign(group, topic, starts)
    }

    fn save(&mut self, batch: &Batch) -> Result<Saved, StoreError> {
        self.shared.reach()?;
        let saved = self.inner.save(batch)?;
        let advances = batch.advances.iter();
        let member = self.shared.member;
        let mut ledger = self.shared.ledger.lock().unwrap();
        ledger.extend(advances.map(|moved| (moved.partition, moved.from, moved.to, member)));
        Ok(saved)
    }

    fn load(&mut self, uids: &[OrderUid]) -> Result<Vec<StoredOrder>, StoreError> {
        self.inner.load(uids)
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

/// One database and one topic that all members share.
struct Scene {
    database: TestDatabase,
    brokers: String,
    client: Client,
    topic: String,
    ledger: Ledger,
    producing: Crew,
}

/// A running ingest. It leaves the group when it is dropped.
struct Member {
    crew: Crew,
    away: Arc<AtomicBool>,
}

impl Drop for Member {
    fn drop(&mut self) {
        let late = self.crew.stop_and_join(Duration::from_secs(20));
        assert!(std::thread::panicking() || late.is_empty(), "still running: {late:?}");
    }
}

impl Scene {
    fn new(client: Client, brokers: String) -> Self {
        let database = servers::database();
        Postgres::new(database.url()).unwrap().migrate().unwrap();
        let (topic, ledger) = (servers::unique_topic("group"), Ledger::default());
        let producing = Crew::new(StopToken::new());
        let scene = Self { database, brokers, client, topic, ledger, producing };
        // A leader may say for a moment after an election that it is none.
        let all = scene.topic(&scene.producing, Some(Share { instance: 0, count: 1 }));
        wait_until("the topic is there", || {
            OpenSource::open(&all).and_then(|mut source| source.bounds()).is_ok()
        });
        scene
    }

    fn topic(&self, crew: &Crew, share: Option<Share>) -> KafkaTopic {
        let settings = KafkaSettings {
            brokers: self.brokers.clone(),
            topic: self.topic.clone(),
            group: self.topic.clone(),
            partitions: PARTITIONS,
            message_bytes_max: 4 << 20,
            client: self.client,
            security: Security::default(),
            share,
        };
        KafkaTopic::start(crew, Clock::system(), settings).unwrap()
    }

    fn store(&self) -> Postgres {
        Postgres::new(self.database.url()).unwrap()
    }

    fn join(&self, member: usize, share: Option<Share>) -> Member {
        let crew = Crew::new(StopToken::new());
        let away = Arc::new(AtomicBool::new(false));
        let connect: Arc<dyn Connect> = Arc::new(Noting {
            inner: Arc::new(self.store()),
            member,
            ledger: Arc::clone(&self.ledger),
            away: Arc::clone(&away),
        });
        let clock = Clock::system();
        let database = Database::start(&crew, &connect, &clock, 1).unwrap();
        let ingest = Ingest {
            connect,
            sources: Arc::new(self.topic(&crew, share)),
            catalog: Catalog::new(1000, database, clock.clone()),
            readiness: Arc::new(Readiness::new()),
            metrics: Arc::default(),
            clock,
            group: self.topic.clone(),
            topic: self.topic.clone(),
            profile: Profile::Lenient,
        };
        crew.spawn_restarting("ingest", move |stop| ingest.run(stop)).unwrap();
        Member { crew, away }
    }

    fn send(&self, records: &[Record]) {
        let mut sink = OpenSink::open(&self.topic(&self.producing, None)).unwrap();
        for some in records.chunks(50) {
            sink.append(some).unwrap();
        }
    }

    /// The partitions of which this member has saved something since the ledger had `since` lines.
    fn partitions_of(&self, member: usize, since: usize) -> Vec<i32> {
        let ledger = self.ledger.lock().unwrap();
        let own = ledger.iter().skip(since).filter(|line| line.3 == member);
        let mut partitions: Vec<i32> = own.map(|line| line.0).collect();
        partitions.sort_unstable();
        partitions.dedup();
        partitions
    }

    fn lines(&self) -> usize {
        self.ledger.lock().unwrap().len()
    }

    fn saved(&self) -> usize {
        let saved: i64 = self.ledger.lock().unwrap().iter().map(|line| line.2 - line.1).sum();
        usize::try_from(saved).unwrap()
    }

    /// As long as it goes on: how fast that is depends on the machine.
    fn wait_saved(&self, messages: usize) {
        while self.saved() < messages {
            let before = self.saved();
            wait_until("more messages are saved", || self.saved() > before);
        }
    }

    /// Every offset of every partition was saved, and by one member once.
    fn check(&self, workload: &Workload) {
        workload.check_orders(&self.store());
        let mut ledger = self.ledger.lock().unwrap().clone();
        ledger.sort_unstable();
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        for (partition, from, to, member) in ledger {
            let at = next.entry(partition).or_insert(0);
            assert_eq!(*at, from, "member {member} saved partition {partition} from there");
            *at = to;
        }
        assert_eq!(next.len(), usize::try_from(PARTITIONS).unwrap());
        let saved: i64 = next.values().sum();
        assert_eq!(usize::try_from(saved).unwrap(), workload.records.len());
    }
}

/// Sends small parts until something has come of it.
fn send_until(scene: &Scene, records: &mut &[Record], what: &str, done: impl Fn() -> bool) {
    let deadline = crate::daemon::now() + crate::daemon::PATIENCE;
    while !done() {
        assert!(crate::daemon::now() < deadline, "{what} didn't come true");
        let (some, rest) = records.split_at(60.min(records.len()));
        assert!(!some.is_empty(), "too few messages until {what}");
        scene.send(some);
        *records = rest;
    }
}

/// Row 1 and the issue: a rebalance with two sources on 3.9 and on 4.x: each message is saved once
/// and nothing is lost, when a member joins, when one leaves, and when all are idle.
#[test]
fn members_that_come_and_go_save_each_message_once() {
    for brokers in [servers::brokers(), servers::brokers_4()] {
        let scene = Scene::new(Client::Rdkafka, brokers);
        let workload = Workload::new(17, 20_000, 100);
        let mut left = &workload.records[..];
        let first = scene.join(1, None);
        send_until(&scene, &mut left, "one member has all", || {
            scene.partitions_of(1, 0).len() == 6
        });
        let since = scene.lines();
        let second = scene.join(2, None);
        send_until(&scene, &mut left, "both have their share", || {
            scene.partitions_of(2, since).len() == 3
        });
        let since = scene.lines();
        send_until(&scene, &mut left, "the shares are disjoint", || {
            let mut both = scene.partitions_of(1, since);
            both.extend(scene.partitions_of(2, since));
            both.len() == 6
        });
        drop(first);
        let since = scene.lines();
        send_until(&scene, &mut left, "the second has all", || {
            scene.partitions_of(2, since).len() == 6
        });
        scene.send(left);
        scene.wait_saved(workload.records.len());
        drop(second);
        scene.check(&workload);
    }
}

/// Issue: polling goes on while paused. A member without its store keeps its place, hands over what
/// it is asked for, and goes on where it stood.
#[test]
fn a_member_without_a_store_never_holds_up_the_group() {
    let scene = Scene::new(Client::Rdkafka, servers::brokers_4());
    let workload = Workload::new(18, 10_000, 0);
    let mut left = &workload.records[..];
    let first = scene.join(1, None);
    send_until(&scene, &mut left, "one member has all", || scene.partitions_of(1, 0).len() == 6);
    first.away.store(true, Ordering::SeqCst);
    let second = scene.join(2, None);
    send_until(&scene, &mut left, "the second has its share", || {
        scene.partitions_of(2, 0).len() == 3
    });
    first.away.store(false, Ordering::SeqCst);
    scene.send(left);
    scene.wait_saved(workload.records.len());
    drop((first, second));
    scene.check(&workload);
}

/// Issue: with the client `kafka` instances share the partitions by their numbers, and one that
/// starts again goes on where it stood.
#[test]
fn instances_with_fixed_shares_save_each_message_once() {
    let scene = Scene::new(Client::Kafka, servers::brokers());
    let workload = Workload::new(19, 2000, 50);
    let (before, after) = workload.records.split_at(1000);
    let share = |instance| Some(Share { instance, count: 2 });
    let first = scene.join(1, share(0));
    let second = scene.join(2, share(1));
    scene.send(before);
    scene.wait_saved(before.len());
    drop(second);
    scene.send(after);
    let third = scene.join(3, share(1));
    scene.wait_saved(workload.records.len());
    drop((first, third));
    assert_eq!(scene.partitions_of(1, 0), [0, 2, 4]);
    assert_eq!(scene.partitions_of(3, 0), [1, 3, 5]);
    scene.check(&workload);
}
