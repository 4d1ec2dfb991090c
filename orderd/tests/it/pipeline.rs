//! The whole way of an order, on a real Kafka and a real PostgreSQL, with the real program.

use crate::daemon::Daemon;
use crate::daemon::now;
use crate::daemon::wait_until;
use crate::servers;
use crate::servers::TestDatabase;
use crate::workload;
use crate::workload::Workload;
use orderd::store::postgres::Postgres;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::OpenSink as _;
use rand::RngExt as _;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

const ORDERS: usize = 20_000;
const TWICE: usize = 200;
const PARTITIONS: i32 = 3;

/// A database, a topic, and the settings of a daemon between them.
struct Scene {
    database: TestDatabase,
    topic: String,
    crew: Crew,
}

impl Scene {
    fn new(prefix: &str) -> Self {
        let (database, topic) = (servers::database(), servers::unique_topic(prefix));
        Self { database, topic, crew: Crew::new(StopToken::new()) }
    }

    fn start(&self) -> Daemon {
        Daemon::start(&[
            "--database-url",
            self.database.url(),
            "--kafka-brokers",
            &servers::brokers(),
            "--kafka-topic",
            &self.topic,
            "--kafka-partitions",
            &PARTITIONS.to_string(),
        ])
    }

    /// Sends everything, counting what the topic has acknowledged.
    fn send(&self, workload: &Workload, sent: &AtomicUsize) {
        let topic = workload::kafka(&self.crew, &self.topic, PARTITIONS);
        let mut sink = topic.open().unwrap();
        for batch in workload.records.chunks(100) {
            sink.append(batch).unwrap();
            sent.fetch_add(batch.len(), Ordering::SeqCst);
        }
    }

    fn check(&self, workload: &Workload) {
        workload.check(&Postgres::new(self.database.url()).unwrap(), &self.topic);
        // Independently of the store's own reading: every child row is there, and once.
        let mut client = postgres::Client::connect(self.database.url(), postgres::NoTls).unwrap();
        let mut count = |table: &str| {
            let row = client.query_one(&format!("select count(*) from {table}"), &[]).unwrap();
            usize::try_from(row.get::<_, i64>(0)).unwrap()
        };
        let items = |body: &[u8]| {
            let document: serde_json::Value = serde_json::from_slice(body).unwrap();
            document["items"].as_array().unwrap().len()
        };
        assert_eq!(count("deliveries"), workload.orders.len());
        assert_eq!(count("payments"), workload.orders.len());
        assert_eq!(count("items"), workload.orders.values().map(|body| items(body)).sum::<usize>());
    }

    /// Whether every position has come to the end of its partition.
    fn is_through(&self, workload: &Workload) -> bool {
        let mut client = postgres::Client::connect(self.database.url(), postgres::NoTls).unwrap();
        let sum = "select coalesce(sum(next_offset), 0)::bigint from positions where topic = $1";
        let passed: i64 = client.query_one(sum, &[&self.topic]).unwrap().get(0);
        usize::try_from(passed).unwrap() == workload.records.len()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.crew.stop_and_join(Duration::from_secs(5));
    }
}

/// Issue: 20 000 orders are produced, 200 of them twice, 50 messages broken in different ways. In
/// the end PostgreSQL has the 20 000, each equal to what was sent, and 50 dead letters.
#[test]
fn twenty_thousand_orders_arrive_once_and_unchanged() {
    let scene = Scene::new("pipeline");
    let workload = Workload::new(20_261_120, ORDERS, TWICE);
    assert_eq!((workload.orders.len(), workload.broken.len()), (ORDERS, 50));
    let daemon = scene.start();
    daemon.wait_ready();
    let started = now();
    scene.send(&workload, &AtomicUsize::new(0));
    wait_until("every message is saved", || scene.is_through(&workload));
    eprintln!("{} messages were sent and saved in {:?}", workload.records.len(), started.elapsed());
    scene.check(&workload);
    // Rows 5 and 9: served, the last of them from the cache, byte for byte as stored.
    for (uid, body) in workload.orders.iter().take(50) {
        let answer = daemon.get(&format!("/orders/{uid}"));
        assert_eq!((answer.status, answer.body.as_bytes()), (200, &body[..]));
    }
    let (status, took) = daemon.interrupt();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "the stop took {took:?}");
}

/// Issue: the daemon is killed ten times at random moments during such a run: nothing is lost and
/// nothing is there twice.
#[test]
fn ten_kills_lose_nothing_and_repeat_nothing() {
    let scene = Scene::new("kills");
    let seed = rand::rng().random();
    let workload = Workload::new(seed, ORDERS, TWICE);
    let sent = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| scene.send(&workload, &sent));
        for kill in 1..=10 {
            let daemon = scene.start();
            wait_for_some_progress(&scene, kill);
            daemon.kill();
        }
        sending.join().unwrap();
    });
    assert!(!scene.is_through(&workload), "the last kill fell into the run too");
    let _daemon = scene.start();
    wait_until("every message is saved", || scene.is_through(&workload));
    scene.check(&workload);
}

/// Waits for a random while: until some hundreds of messages more are saved, and then for up to 50
/// milliseconds, so that the kill falls anywhere within a batch.
fn wait_for_some_progress(scene: &Scene, kill: usize) {
    let mut random = rand::rng();
    let saved = || -> i64 {
        let url = scene.database.url();
        let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
        // Before the first migration there is no table to ask.
        let row =
            client.query_one("select coalesce(sum(next_offset), 0)::bigint from positions", &[]);
        row.map_or(0, |row| row.get(0))
    };
    let before = saved();
    let more = random.random_range(1..=1200);
    wait_until("ingest goes on after the kill", || saved() >= before + more);
    let stop = StopToken::new();
    let wait_ms = random.random_range(0..50);
    eprintln!("kill {kill} after {} messages and {wait_ms} ms", saved());
    stop.wait(Duration::from_millis(wait_ms));
}
