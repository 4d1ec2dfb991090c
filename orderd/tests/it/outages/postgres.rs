//! PostgreSQL away, restarted, stopped and black-holed, under the real daemon.

use crate::daemon::Daemon;
use crate::daemon::now;
use crate::daemon::wait_until;
use crate::outages::check_copy;
use crate::outages::part;
use crate::outages::post;
use crate::outages::wait_served;
use crate::own_servers::Kind;
use crate::own_servers::OwnServer;
use crate::proxy::Proxy;
use crate::servers;
use ::postgres::Client;
use ::postgres::NoTls;
use std::time::Duration;

/// A daemon on this database, whose cache holds one order, with the topic in its own folder.
fn daemon(url: &str, folder: &tempfile::TempDir) -> Daemon {
    let folder = folder.path().to_str().unwrap();
    let arguments = ["--demo", "--demo-interval", "10h", "--cache-capacity", "1"];
    Daemon::start(&[&arguments[..], &["--data-dir", folder, "--database-url", url]].concat())
}

/// A ready daemon that has saved `stored` and then `cached`, and caches the latter alone.
fn settled(url: &str, folder: &tempfile::TempDir) -> Daemon {
    let daemon = daemon(url, folder);
    daemon.wait_ready();
    for uid in ["stored", "cached"] {
        post(&daemon, uid, 1);
        wait_served(&daemon, uid, 1);
    }
    daemon
}

/// A server to break, and a settled daemon on it with its folder.
fn settled_on_own_server() -> (OwnServer, tempfile::TempDir, Daemon) {
    let server = OwnServer::start(Kind::Postgres);
    let folder = tempfile::tempdir().unwrap();
    let daemon = settled(&server.address, &folder);
    (server, folder, daemon)
}

/// While the database is away: readiness says so, the cached order is served, others are answered
/// with 503 and `Retry-After` (or 504) in bounded time, and the topic takes orders.
fn check_away(daemon: &Daemon) {
    wait_until("the store is missing", || part(daemon, "store") != "ok");
    check_copy(daemon, "cached");
    wait_until("an order that isn't cached is answered with 503", || {
        let started = now();
        let answer = daemon.get("/orders/stored");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert!([503, 504].contains(&answer.status), "{answer:?}");
        answer.status == 503 && answer.headers.contains_key("retry-after")
    });
    check_copy(daemon, "cached");
    post(daemon, "stored", 2);
}

/// Afterwards all is as if nothing had been: what was posted meanwhile is saved, once.
fn check_healed(daemon: Daemon, url: &str) {
    daemon.wait_ready();
    wait_served(&daemon, "stored", 2);
    wait_served(&daemon, "cached", 1);
    let mut client = Client::connect(url, NoTls).unwrap();
    // The demo has sent some of its own. Of all messages only `stored` came a second time.
    let counts = "select (select count(*) from orders where order_uid in ('stored', 'cached')), \
         (select count(*) from dead_letters), \
         (select sum(next_offset)::bigint from positions) - (select count(*) from orders)";
    let row = client.query_one(counts, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), (2, 0, 1));
    assert_eq!(daemon.interrupt().0.code(), Some(0));
}

/// Issue, outages: PostgreSQL isn't there at the start, and comes.
#[test]
fn away_at_the_start() {
    let mut server = OwnServer::start(Kind::Postgres);
    let url = server.address.clone();
    server.kill();
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&url, &folder);
    wait_until("the store is missing", || part(&daemon, "store") != "ok");
    let answer = daemon.get("/orders/stored");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.headers.contains_key("retry-after"));
    for (uid, version) in [("stored", 1), ("cached", 1), ("stored", 2)] {
        post(&daemon, uid, version);
    }
    server.start_again();
    check_healed(daemon, &url);
}

/// Issue, outages: PostgreSQL crashes, stays away, and comes back.
#[test]
fn away_later() {
    let (mut server, _folder, daemon) = settled_on_own_server();
    server.kill();
    check_away(&daemon);
    server.start_again();
    check_healed(daemon, &server.address);
}

/// Issue, outages: PostgreSQL is restarted, so that every connection breaks once.
#[test]
fn restarted() {
    let (mut server, _folder, daemon) = settled_on_own_server();
    server.kill();
    server.start_again();
    // Before or after the first connection is made anew.
    assert_eq!(daemon.get("/orders/cached").status, 200);
    post(&daemon, "stored", 2);
    check_healed(daemon, &server.address);
}

/// Issue, outages: PostgreSQL is stopped, every process of it, while it is being read from.
#[test]
fn stopped() {
    let (server, _folder, daemon) = settled_on_own_server();
    server.freeze();
    check_away(&daemon);
    server.thaw();
    check_healed(daemon, &server.address);
}

/// Issue, outages: the way to PostgreSQL swallows everything; connections are accepted.
#[test]
fn black_holed() {
    let database = servers::database();
    let (proxy, url) = Proxy::to_url(database.url());
    let folder = tempfile::tempdir().unwrap();
    let daemon = settled(&url, &folder);
    proxy.freeze();
    check_away(&daemon);
    proxy.thaw();
    check_healed(daemon, database.url());
}

/// Design, deadlines: with the database black-holed a stop still ends within its deadline.
#[test]
fn a_stop_ends_within_its_deadline_while_black_holed() {
    let database = servers::database();
    let (proxy, url) = Proxy::to_url(database.url());
    let folder = tempfile::tempdir().unwrap();
    let daemon = settled(&url, &folder);
    proxy.freeze();
    // One batch hangs in its transaction, and the watch in its question.
    post(&daemon, "stored", 2);
    wait_until("the store is missing", || part(&daemon, "store") != "ok");
    let (status, took) = daemon.interrupt();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}
