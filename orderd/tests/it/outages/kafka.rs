//! Kafka away, restarted, stopped and black-holed, under the real daemon.
//!
//! A broker takes seconds to start, so that one is shared: each test has it alone for its time, and
//! leaves it running. It tells its clients to come through a proxy, which the tests can freeze.

use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::outages::check_cached;
use crate::outages::part;
use crate::outages::post;
use crate::outages::wait_served;
use crate::own_servers::Kind;
use crate::own_servers::OwnServer;
use crate::proxy::Proxy;
use crate::servers;
use crate::stores::order;
use orderd::clock::Clock;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::OpenSource;
use orderd::topic::detached::Detached;
use orderd::topic::kafka::Client;
use orderd::topic::kafka::KafkaSettings;
use orderd::topic::kafka::KafkaTopic;
use orderd::topic::kafka::Security;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

struct Broker {
    server: OwnServer,
    proxy: Proxy,
}

impl Broker {
    fn start() -> Self {
        let mut server = OwnServer::start(Kind::Kafka);
        let proxy = Proxy::to(server.address.clone());
        server.advertise(proxy.address());
        Self { server, proxy }
    }

    fn address(&self) -> String {
        self.proxy.address().to_string()
    }
}

/// The shared broker, for one test at a time. A test that failed may have left it away.
fn broker() -> MutexGuard<'static, Option<Broker>> {
    static BROKER: Mutex<Option<Broker>> = Mutex::new(None);
    match BROKER.lock() {
        Ok(mut broker) => {
            broker.get_or_insert_with(Broker::start);
            broker
        }
        Err(poisoned) => {
            let mut broker = PoisonError::into_inner(poisoned);
            *broker = Some(Broker::start());
            BROKER.clear_poison();
            broker
        }
    }
}

fn daemon(broker: &Broker, folder: &tempfile::TempDir) -> Daemon {
    let topic = servers::unique_topic("outages");
    let folder = folder.path().to_str().unwrap();
    let arguments = ["--demo", "--demo-interval", "10h", "--data-dir", folder];
    let kafka = ["--kafka-brokers", &broker.address(), "--kafka-topic", &topic];
    Daemon::start(&[&arguments[..], &kafka].concat())
}

fn settled(broker: &Broker, folder: &tempfile::TempDir) -> Daemon {
    let daemon = daemon(broker, folder);
    daemon.wait_ready();
    post(&daemon, "cached", 1);
    wait_served(&daemon, "cached", 1);
    daemon
}

/// While the broker is away: readiness says so, and orders are served as before, the unknown too.
fn check_away(daemon: &Daemon) {
    wait_until("the topic is missing", || part(daemon, "topic") != "ok");
    assert_eq!(part(daemon, "store"), "ok");
    check_cached(daemon, "cached");
    assert_eq!(daemon.get("/orders/unknown").status, 404);
}

/// An order that is posted while the broker is away isn't acknowledged.
fn check_refused(daemon: &Daemon) {
    let status = daemon.post(order("late", 1).body()).unwrap();
    assert!([503, 504].contains(&status), "{status}");
}

/// Afterwards orders go through again.
fn check_healed(daemon: Daemon) {
    daemon.wait_ready();
    wait_until("an order is taken again", || daemon.post(order("late", 2).body()).unwrap() == 202);
    wait_served(&daemon, "late", 2);
    assert_eq!(daemon.interrupt().0.code(), Some(0));
}

/// Issue, outages: Kafka isn't there at the start, and comes.
#[test]
fn away_at_the_start() {
    let mut broker = broker();
    let broker = broker.as_mut().unwrap();
    broker.server.kill();
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(broker, &folder);
    wait_until("the store is there", || part(&daemon, "store") == "ok");
    assert_ne!(part(&daemon, "topic"), "ok");
    assert_eq!(daemon.get("/orders/unknown").status, 404);
    check_refused(&daemon);
    broker.server.start_again();
    check_healed(daemon);
}

/// Issue, outages: Kafka crashes, stays away, and comes back.
#[test]
fn away_later() {
    let mut broker = broker();
    let broker = broker.as_mut().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let daemon = settled(broker, &folder);
    broker.server.kill();
    check_away(&daemon);
    check_refused(&daemon);
    broker.server.start_again();
    check_healed(daemon);
}

/// Issue, outages: Kafka is restarted, so that every connection breaks once.
#[test]
fn restarted() {
    let mut broker = broker();
    let broker = broker.as_mut().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let daemon = settled(broker, &folder);
    broker.server.kill();
    broker.server.start_again();
    check_cached(&daemon, "cached");
    check_healed(daemon);
}

/// Issue, outages: Kafka is stopped in the middle of a fetch.
#[test]
fn stopped() {
    let mut broker = broker();
    let broker = broker.as_mut().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let daemon = settled(broker, &folder);
    broker.server.freeze();
    check_away(&daemon);
    check_refused(&daemon);
    broker.server.thaw();
    check_healed(daemon);
}

/// Issue, outages: the way to Kafka swallows everything; connections are accepted. A stop in the
/// middle of it keeps its deadline.
#[test]
fn black_holed() {
    let mut broker = broker();
    let broker = broker.as_mut().unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [daemon, stopping] = [0, 1].map(|number| settled(broker, &folders[number]));
    broker.proxy.freeze();
    check_away(&daemon);
    check_refused(&daemon);
    let (status, took) = stopping.interrupt();
    broker.proxy.thaw();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    check_healed(daemon);
}

/// Design, deadlines: a fetch that hangs on the real client is left behind after its time, another
/// source is opened when the broker answers again, and the thread ends when its call returns.
#[test]
fn a_fetch_that_hangs_is_left_behind() {
    let mut broker = broker();
    let broker = broker.as_mut().unwrap();
    let crew = Arc::new(Crew::new(StopToken::new()));
    let topic = servers::unique_topic("hanging");
    let settings = KafkaSettings {
        brokers: broker.address(),
        group: topic.clone(),
        topic,
        partitions: 1,
        message_bytes_max: 1 << 20,
        client: Client::Kafka,
        security: Security::default(),
        share: None,
    };
    let kafka = KafkaTopic::start(&crew, Clock::system(), settings).unwrap();
    let kafka: Arc<dyn OpenSource> = Arc::new(kafka);
    let wait_max = Duration::from_secs(8);
    let sources: Detached<dyn OpenSource> =
        Detached::new(kafka, &crew, "kafka-source", wait_max, StopToken::new());
    let mut source = None;
    wait_until("the broker is there", || {
        source = sources.open().ok();
        source.is_some()
    });
    let mut source = source.unwrap();
    source.seek(&[(0, 0)]);
    assert_eq!(source.fetch(Duration::from_millis(10)).unwrap(), []);
    broker.proxy.freeze();
    let error = source.fetch(Duration::from_millis(10)).unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
    assert_eq!(sources.hung(), 1);
    // What is silent is asked over a plain socket first, and so nothing else hangs.
    assert!(sources.open().is_err());
    assert_eq!(sources.hung(), 1);
    broker.proxy.thaw();
    wait_until("the call has returned", || sources.hung() == 0);
    sources.open().unwrap();
    drop(source);
    assert_eq!(crew.stop_and_join(Duration::from_secs(20)), Vec::<String>::new());
}
