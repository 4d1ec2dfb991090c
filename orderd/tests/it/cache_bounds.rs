//! Row 8: the cache is bounded by entries and by bytes, from the setting to the metrics.

use crate::daemon::Answer;
use crate::daemon::Daemon;
use crate::daemon::wait_until;
use serde_json::Value;
use serde_json::json;

/// An order with so many items, each with a name of 1000 bytes.
fn order(uid: &str, items: usize) -> Vec<u8> {
    let item = json!({ "name": "n".repeat(1000) });
    let order = json!({
        "order_uid": uid,
        "date_created": "2021-11-26T06:22:19Z",
        "items": vec![item; items],
    });
    order.to_string().into_bytes()
}

fn from(answer: &Answer) -> &str {
    answer.headers["x-cache"].to_str().unwrap()
}

fn daemon(folder: &tempfile::TempDir, bounds: &[&str]) -> Daemon {
    let folder = folder.path().to_str().unwrap();
    let all = [&["--data-dir", folder, "--demo", "--demo-interval", "1h"], bounds].concat();
    let daemon = Daemon::start(&all);
    daemon.wait_ready();
    daemon
}

/// Takes an order in, and waits until it is served.
fn take_in(daemon: &Daemon, uid: &str, items: usize) {
    assert_eq!(daemon.post(&order(uid, items)).unwrap(), 202);
    wait_until("it is served", || daemon.get(&format!("/orders/{uid}")).status == 200);
}

fn cache(daemon: &Daemon) -> Value {
    serde_json::from_str(&daemon.get("/api/cache").body).unwrap()
}

fn metric(daemon: &Daemon, name: &str) -> u64 {
    let text = daemon.get("/metrics").body;
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    let value = line.unwrap_or_else(|| panic!("no {name}")).split(' ').nth(1).unwrap();
    value.parse().unwrap()
}

/// Row 8: never more bytes than `--cache-bytes`, however few entries; the least recently used ones
/// leave. An order that is larger than all may be is served and not cached, and evicts nothing.
#[test]
fn row_8_the_cache_is_bounded_by_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder, &["--cache-bytes", "8KiB"]);
    for number in 0..12 {
        take_in(&daemon, &format!("small-{number}"), 1);
        let bytes = cache(&daemon)["bytes"].as_u64().unwrap();
        assert!((1000..=8192).contains(&bytes), "{bytes}");
    }
    let full = cache(&daemon);
    assert_eq!(full["capacity_bytes"], 8192);
    assert_eq!(full["capacity"], 10_000);
    let entries = full["entries"].as_u64().unwrap();
    assert!((2..=8).contains(&entries), "{full}");
    assert!(full["evictions"].as_u64().unwrap() >= 12 - entries, "{full}");
    assert_eq!(full["by_recency"][0]["order_uid"], "small-11");
    assert_eq!(metric(&daemon, "orderd_cache_bytes"), full["bytes"].as_u64().unwrap());
    assert_eq!(metric(&daemon, "orderd_cache_capacity_bytes"), 8192);

    take_in(&daemon, "large", 10);
    for _ in 0..2 {
        let large = daemon.get("/orders/large");
        assert_eq!((large.status, from(&large)), (200, "MISS"));
        assert!(large.body.len() > 8192);
    }
    assert_eq!(cache(&daemon)["by_recency"], full["by_recency"]);
    assert_eq!(from(&daemon.get("/orders/small-11")), "HIT");
}

/// Row 8: never more entries than `--cache-capacity`, however small.
#[test]
fn row_8_the_cache_is_bounded_by_entries() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder, &["--cache-capacity", "3"]);
    for number in 0..6 {
        take_in(&daemon, &format!("o{number}"), 1);
    }
    let full = cache(&daemon);
    let uids: Vec<_> = full["by_recency"].as_array().unwrap().iter().collect();
    let uids: Vec<_> = uids.iter().map(|entry| entry["order_uid"].as_str().unwrap()).collect();
    assert_eq!(uids, ["o5", "o4", "o3"]);
    assert_eq!((&full["capacity"], &full["capacity_bytes"]), (&json!(3), &json!(256 << 20)));
    assert_eq!(from(&daemon.get("/orders/o0")), "MISS");
    assert_eq!(from(&daemon.get("/orders/o3")), "MISS", "it had to go for the one before");
}
