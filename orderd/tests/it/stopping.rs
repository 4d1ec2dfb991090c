//! Row 20: the way out, in its order and within its deadline.

use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::proxy::Proxy;
use crate::servers;
use crate::servers::TestDatabase;
use crate::stores::order;
use postgres::Client;
use postgres::NoTls;
use std::time::Duration;

/// A daemon on a database of its own, which it reaches through a proxy, with one order saved.
struct Scene {
    daemon: Daemon,
    database: TestDatabase,
    proxy: Proxy,
    _folder: tempfile::TempDir,
}

fn scene(shutdown_deadline: &str, server: &str) -> Scene {
    let database = servers::database();
    let (proxy, url) = Proxy::to_url(database.url());
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&[
        "--demo",
        "--demo-interval",
        "10h",
        "--data-dir",
        folder.path().to_str().unwrap(),
        "--database-url",
        &url,
        "--shutdown-deadline",
        shutdown_deadline,
        "--http-server",
        server,
    ]);
    daemon.wait_ready();
    post(&daemon, "saved");
    wait_until("the order is served", || daemon.get("/orders/saved").status == 200);
    Scene { daemon, database, proxy, _folder: folder }
}

fn post(daemon: &Daemon, uid: &str) {
    assert_eq!(daemon.post(order(uid, 1).body()).unwrap(), 202);
}

fn is_stopping(daemon: &Daemon) -> bool {
    let answer = daemon.get("/readyz");
    answer.status == 503 && answer.body.contains("the daemon is stopping")
}

/// Row 20: readiness turns 503 first, and HTTP goes on while the batch in hand is saved: it is in
/// the database when the process has ended.
#[test]
fn the_batch_in_hand_is_saved_while_requests_are_answered() {
    for server in ["axum", "tiny_http"] {
        let scene = scene("30s", server);
        let mut holder = Client::connect(scene.database.url(), NoTls).unwrap();
        let mut held = holder.transaction().unwrap();
        held.batch_execute("lock table orders in exclusive mode").unwrap();
        post(&scene.daemon, "in_hand");
        let mut observer = Client::connect(scene.database.url(), NoTls).unwrap();
        wait_until("the batch waits for the lock", || {
            let waiting = "select count(*) from pg_locks l join pg_class c on c.oid = l.relation \
                 where c.relname = 'orders' and not l.granted";
            observer.query_one(waiting, &[]).unwrap().get::<_, i64>(0) == 1
        });
        scene.daemon.signal("TERM");
        wait_until("readiness turns 503", || is_stopping(&scene.daemon));
        assert_eq!(scene.daemon.get("/orders/saved").headers["x-cache"], "HIT");
        let count = "select count(*) from orders where order_uid = 'in_hand'";
        assert_eq!(observer.query_one(count, &[]).unwrap().get::<_, i64>(0), 0);
        held.commit().unwrap();
        let (status, took) = scene.daemon.ended();
        assert_eq!(status.code(), Some(0));
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!(observer.query_one(count, &[]).unwrap().get::<_, i64>(0), 1);
    }
}

/// Row 20: a request that waits for the database when the stop begins gets its answer, and the
/// whole stop keeps its deadline though the database never answers.
#[test]
fn requests_are_drained_and_the_deadline_kept_with_the_database_black_holed() {
    for (server, deadline_s) in [("axum", 10), ("tiny_http", 10), ("axum", 2)] {
        let scene = scene(&format!("{deadline_s}s"), server);
        scene.proxy.freeze();
        post(&scene.daemon, "in_hand");
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| scene.daemon.try_get("/orders/unknown"));
            // The batch, the watch's question and the request's.
            wait_until("the request is in hand", || scene.proxy.held() >= 3);
            scene.daemon.signal("TERM");
            wait_until("readiness turns 503", || is_stopping(&scene.daemon));
            let answer = asking.join().unwrap();
            if deadline_s == 10 {
                let answer = answer.unwrap();
                assert!([503, 504].contains(&answer.status), "{answer:?}");
            }
        });
        let (status, took) = scene.daemon.ended();
        assert_eq!(status.code(), Some(0), "{server}");
        assert!(took < Duration::from_secs(deadline_s), "{server}: {took:?} of {deadline_s} s");
    }
}

/// Row 20: a second signal ends the process at once, whatever it waits for.
#[test]
fn a_second_signal_ends_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "TERM")] {
        let scene = scene("60s", "axum");
        scene.proxy.freeze();
        post(&scene.daemon, "in_hand");
        scene.daemon.signal(first);
        wait_until("the daemon is stopping", || is_stopping(&scene.daemon));
        scene.daemon.signal(second);
        let (status, took) = scene.daemon.ended();
        assert_eq!(status.code(), None, "a signal ended it");
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

/// Row 20: with nothing to wait for a stop takes no time, however long it may take.
#[test]
fn an_idle_daemon_stops_at_once() {
    let scene = scene("60s", "axum");
    let (status, took) = scene.daemon.interrupt();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(3), "{took:?}");
}
