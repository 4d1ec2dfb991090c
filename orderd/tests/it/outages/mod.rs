//! Servers that are away, restarted, stopped or silent: everything waits, and all heals by itself.
//!
//! Each cell of PostgreSQL and Kafka × away at the start, away later, restarted, stopped (SIGSTOP)
//! and black-holed is one test with the real daemon and the real server.

mod hanging;
mod kafka;
mod postgres;

use crate::daemon::Answer;
use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::stores::order;
use serde_json::Value;

/// What `/readyz` says about a part: `ok`, or what it lacks.
fn part(daemon: &Daemon, name: &str) -> String {
    let state: Value = serde_json::from_str(&daemon.get("/readyz").body).unwrap();
    state["parts"][name].as_str().unwrap().to_owned()
}

/// Posts the order with this id and version, which the topic takes.
fn post(daemon: &Daemon, uid: &str, version: i64) {
    assert_eq!(daemon.post(order(uid, version).body()).unwrap(), 202, "{uid}");
}

/// Waits until the daemon serves this version of the order.
#[track_caller]
fn wait_served(daemon: &Daemon, uid: &str, version: i64) -> Answer {
    let path = format!("/orders/{uid}");
    let body = order(uid, version).body().clone();
    wait_until(&format!("{uid} of version {version} is served"), || {
        let answer = daemon.get(&path);
        answer.status == 200 && answer.body == body
    });
    daemon.get(&path)
}

/// A cached order is served, from the cache.
#[track_caller]
fn check_cached(daemon: &Daemon, uid: &str) {
    let answer = daemon.get(&format!("/orders/{uid}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["x-cache"], "HIT");
}

/// The cached order is served though the database is away: as a hit, or, as soon as the daemon has
/// noticed, marked as maybe stale.
fn check_copy(daemon: &Daemon, uid: &str) {
    let answer = daemon.get(&format!("/orders/{uid}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(["HIT", "STALE"].contains(&answer.headers["x-cache"].to_str().unwrap()), "{answer:?}");
}
