//! The daemon on its embedded store and topic, as `make run` starts it.

use crate::daemon::Daemon;
use crate::daemon::now;
use crate::daemon::wait_until;
use crate::stores::order;
use orderd::order::Order;
use std::collections::HashSet;
use std::time::Duration;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn demo(&self) -> Daemon {
        Daemon::start(&["--demo", "--data-dir", self.0.path().to_str().unwrap()])
    }

    /// Accepts orders as a demo does, and makes none of its own for the time of a test.
    fn quiet(&self) -> Daemon {
        let folder = self.0.path().to_str().unwrap();
        Daemon::start(&["--demo", "--demo-interval", "1h", "--data-dir", folder])
    }
}

/// The ids on a page of orders.
fn listed(daemon: &Daemon) -> Vec<String> {
    let recent = daemon.get("/api/orders/recent");
    let orders: Vec<serde_json::Value> = serde_json::from_str(&recent.body).unwrap();
    orders.iter().map(|order| order["order_uid"].as_str().unwrap().to_owned()).collect()
}

/// Issue: the page lists orders within 5 seconds of the line `listening on`; an order is the same
/// from the store and from the cache; Ctrl-C ends it with 0 within 5 seconds.
#[test]
fn the_demo_shows_orders_at_once_and_ends_at_ctrl_c() {
    let folder = Folder::new();
    let daemon = folder.demo();
    let started = now();
    wait_until("orders are listed", || !listed(&daemon).is_empty());
    let uid = listed(&daemon).remove(0);
    let page = daemon.get("/");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert_eq!(page.status, 200);
    assert!(page.body.contains(&listed(&daemon)[9]), "the page lists the newest orders");
    let first = daemon.get(&format!("/orders/{uid}"));
    let second = daemon.get(&format!("/orders/{uid}"));
    let from =
        |answer: &crate::daemon::Answer| answer.headers["x-cache"].to_str().unwrap().to_owned();
    assert!(["HIT", "MISS"].contains(&from(&first).as_str()), "{first:?}");
    assert_eq!(from(&second), "HIT");
    assert_eq!((first.status, first.body), (200, second.body));
    let (status, took) = daemon.interrupt();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "the stop took {took:?}");
}

/// Issue: after `kill -9` and another start every order that was acknowledged is there.
#[test]
fn what_was_acknowledged_survives_kills() {
    let folder = Folder::new();
    let mut acknowledged: Vec<Order> = Vec::new();
    for round in 0..5 {
        let daemon = folder.quiet();
        let from = acknowledged.len();
        // Killed in the middle of what ingest does with these, not after it.
        for number in 0..60 {
            let order = order(&format!("kill-{round}-{number}"), number);
            assert_eq!(daemon.post(order.body()).unwrap(), 202);
            acknowledged.push(order);
        }
        assert_eq!(acknowledged.len(), from + 60);
        daemon.kill();
    }
    let daemon = folder.quiet();
    let last = acknowledged.last().unwrap().uid().clone();
    wait_until("the last order is served", || daemon.get(&format!("/orders/{last}")).status == 200);
    for order in &acknowledged {
        let answer = daemon.get(&format!("/orders/{}", order.uid()));
        assert_eq!(answer.status, 200, "{} is lost", order.uid());
        assert_eq!(answer.body.as_bytes(), &order.body()[..]);
    }
    // None is there twice: the pages of all orders hold each id once.
    let mut seen = HashSet::new();
    let mut path = "/orders?limit=100".to_owned();
    loop {
        let page: serde_json::Value = serde_json::from_str(&daemon.get(&path).body).unwrap();
        for order in page["orders"].as_array().unwrap() {
            let uid = order["order_uid"].as_str().unwrap().to_owned();
            assert!(seen.insert(uid.clone()), "{uid} is listed twice");
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/orders?limit=100&cursor={cursor}");
    }
    assert!(acknowledged.iter().all(|order| seen.contains(order.uid().as_str())));
}

/// Issue: a second start finds its data again, and warms it.
#[test]
fn a_second_start_finds_and_warms_its_data() {
    let folder = Folder::new();
    let first = folder.quiet();
    let order = order("kept", 7);
    assert_eq!(first.post(order.body()).unwrap(), 202);
    wait_until("it is served", || first.get("/orders/kept").status == 200);
    let (status, _) = first.interrupt();
    assert_eq!(status.code(), Some(0));
    let second = folder.quiet();
    // Warm-up caches it without anybody asking for it; a read that comes too early is a MISS.
    wait_until("it is served", || second.get("/orders/kept").status == 200);
    let answer = second.get("/orders/kept");
    assert_eq!(answer.headers["x-cache"], "HIT");
    assert_eq!(answer.body.as_bytes(), &order.body()[..]);
}
