//! The named crash points: each is reached, and nothing is lost or repeated after a crash there.

use crate::daemon;
use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::servers;
use orderd::crash::Point;
use orderd::store::Connect as _;
use orderd::store::Counts;
use orderd::store::positions::Positions;
use orderd::store::postgres::Postgres;
use std::os::unix::process::ExitStatusExt as _;

const SIGABRT: i32 = 6;

/// How many messages are in the topic, and how many of them are damaged.
const SENT: i64 = 40;

/// Issue, drill: with the real servers, at each point the process ends there, and the next one
/// saves every message once: the orders as orders, the damaged as dead letters.
#[test]
fn each_crash_point_is_reached_and_loses_nothing() {
    let topic = servers::unique_topic("crash");
    let (count, brokers) = (SENT.to_string(), servers::brokers());
    let produced = daemon::run(&[
        "produce",
        "--kafka-brokers",
        &brokers,
        "--kafka-topic",
        &topic,
        "--count",
        &count,
        "--rate",
        "0",
        "--bad",
        "0.5",
        "--seed",
        "7",
    ]);
    assert!(produced.status.success(), "{produced:?}");
    let mut counted = None;
    for point in Point::ALL {
        let database = servers::database();
        let arguments = [
            "--database-url",
            database.url(),
            "--kafka-brokers",
            &brokers,
            "--kafka-topic",
            &topic,
        ];
        let armed = format!("{}:1", point.name());
        assert_eq!(crash(&arguments, &armed), Some(SIGABRT), "{point:?} ends the process");

        let postgres = Postgres::new(database.url()).unwrap();
        let committed = matches!(point, Point::AfterCommit | Point::BeforeGroupCommit);
        let left = counts(&postgres);
        assert_eq!(left.orders + left.dead_letters > 0, committed, "{point:?} left {left:?}");
        let daemon = Daemon::start(&arguments);
        wait_until("every message is behind", || position(&postgres) == Some(SENT));
        let found = counts(&postgres);
        assert_eq!(*counted.get_or_insert(found), found, "after {point:?}");
        assert_eq!(daemon.interrupt().0.code(), Some(0));
    }
    let Counts { orders, dead_letters } = counted.unwrap();
    assert!(orders > 0 && dead_letters > 0, "{orders} orders, {dead_letters} dead letters");
}

/// Issue, drill: the crash comes at the wanted time, and not at the first.
#[test]
fn a_crash_point_waits_for_its_time() {
    let database = servers::database();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let arguments = [
        "--database-url",
        database.url(),
        "--data-dir",
        folder,
        "--demo",
        "--demo-interval",
        "1ms",
    ];
    assert_eq!(crash(&arguments, "after-commit:3"), Some(SIGABRT));
    let postgres = Postgres::new(database.url()).unwrap();
    assert!(counts(&postgres).orders >= 3, "three batches are committed");
}

/// A drill that names no point ends at once, instead of proving nothing.
#[test]
fn an_unknown_point_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", folder.path().to_str().unwrap(), "--demo"];
    assert_eq!(crash(&arguments, "nowhere:1"), Some(SIGABRT));
}

/// Runs the daemon with an armed crash point, and returns the signal that ended it.
fn crash(arguments: &[&str], armed: &str) -> Option<i32> {
    let all = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
    daemon::run_with(&all, &[("ORDERD_CRASH_AT", armed)]).status.signal()
}

fn counts(postgres: &Postgres) -> Counts {
    postgres.connect().unwrap().counts().unwrap()
}

fn position(postgres: &Postgres) -> Option<i64> {
    postgres.positions().unwrap().first().map(|position| position.next_offset)
}
