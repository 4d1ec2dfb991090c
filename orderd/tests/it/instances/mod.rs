//! Several daemons on one PostgreSQL: what one of them replaces, the others don't serve any more.

mod drill;
mod listening;
mod outages;
mod updates;

use crate::daemon::Daemon;
use crate::proxy::Proxy;
use crate::servers;
use crate::servers::TestDatabase;
use crate::stores;

/// What a listening session says, and no other does.
pub(crate) const LISTENING: &str = "listen orderd_replaced";

/// A daemon with an embedded topic of its own on a shared database, which it reaches through a
/// proxy.
pub(crate) struct Instance {
    pub(crate) daemon: Daemon,
    pub(crate) proxy: Proxy,
    _folder: tempfile::TempDir,
}

/// What a reader got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) status: u16,
    /// The amount, which stands for the version.
    pub(crate) version: Option<i64>,
    pub(crate) x_cache: String,
}

impl Instance {
    /// Starts a daemon called `name` on a database and waits until it is ready.
    pub(crate) fn start(database_url: &str, name: &str) -> Self {
        let (proxy, url) = Proxy::to_url(database_url);
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().to_str().unwrap();
        let daemon = Daemon::start(&[
            "--database-url",
            &url,
            "--data-dir",
            data_dir,
            "--kafka-group",
            name,
            "--demo",
            "--demo-interval",
            "1h",
        ]);
        daemon.wait_ready();
        Self { daemon, proxy, _folder: folder }
    }

    /// Has this instance save a version of an order.
    pub(crate) fn write(&self, uid: &str, version: i64) {
        let status = self.daemon.post(stores::order(uid, version).body()).unwrap();
        assert_eq!(status, 202);
    }

    pub(crate) fn read(&self, uid: &str) -> Read {
        let answer = self.daemon.get(&format!("/orders/{uid}"));
        let document: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let x_cache = answer.headers.get("x-cache");
        Read {
            status: answer.status,
            version: document["payment"]["amount"].as_i64(),
            x_cache: x_cache.map_or(String::new(), |value| value.to_str().unwrap().to_owned()),
        }
    }

    /// What `/readyz` says of the coherence with others.
    pub(crate) fn coherence(&self) -> String {
        let state: serde_json::Value =
            serde_json::from_str(&self.daemon.get("/readyz").body).unwrap();
        state["parts"]["coherence"].as_str().unwrap().to_owned()
    }
}

/// A found order.
pub(crate) fn found(version: i64, x_cache: &str) -> Read {
    Read { status: 200, version: Some(version), x_cache: x_cache.to_owned() }
}

/// Two daemons on a database.
pub(crate) fn two() -> (TestDatabase, Instance, Instance) {
    let database = servers::database();
    let (a, b) = (Instance::start(database.url(), "a"), Instance::start(database.url(), "b"));
    (database, a, b)
}
