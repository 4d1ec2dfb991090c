//! The real PostgreSQL and the real Apache Kafka that the tests run against.
//!
//! `make test` starts both and names them in two environment variables; `make servers` keeps them
//! running for repeated `cargo test`. A test that finds no variable fails: none is skipped.
//! Each test takes a database and topics of its own, so that all can run at the same time.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use postgres::Client;
use postgres::NoTls;

/// A database of this test alone, dropped with this value.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    maintenance_url: String,
    name: String,
    url: String,
}

/// Creates an empty database with a name that no other test has.
///
/// # Panics
///
/// When `ORDERD_TEST_DATABASE_URL` is missing or its server does not create the database.
pub(crate) fn database() -> TestDatabase {
    let maintenance_url = variable("ORDERD_TEST_DATABASE_URL");
    let name = unique("orderd_test").replace('-', "_");
    Client::connect(&maintenance_url, NoTls)
        .and_then(|mut client| client.batch_execute(&format!("CREATE DATABASE {name}")))
        .unwrap_or_else(|error| panic!("no database for a test: {error:?}"));
    let url = with_database(&maintenance_url, &name);
    TestDatabase { maintenance_url, name, url }
}

impl TestDatabase {
    /// The superuser's URL of this database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // FORCE ends the sessions that a failed test left behind. The server may be gone already,
        // and a panic here would hide the test's own.
        if let Ok(mut client) = Client::connect(&self.maintenance_url, NoTls) {
            let _ = client.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// `host:port` of the real broker, in the form of `--kafka-brokers`.
///
/// # Panics
///
/// When `ORDERD_TEST_KAFKA` is missing.
pub(crate) fn brokers() -> String {
    variable("ORDERD_TEST_KAFKA")
}

/// `host:port` of the real broker of 4.x.
///
/// # Panics
///
/// When `ORDERD_TEST_KAFKA_4` is missing.
pub(crate) fn brokers_4() -> String {
    variable("ORDERD_TEST_KAFKA_4")
}

/// The way into the same broker by TLS and SASL, as the user `orderd`.
#[derive(Debug)]
#[cfg(feature = "rdkafka")]
pub(crate) struct SecureBroker {
    /// `host:port`.
    pub(crate) address: String,
    /// The file with the certificate to trust.
    pub(crate) ca_file: String,
    /// The user's password.
    pub(crate) password: String,
}

/// The other way into the broker of 4.x.
///
/// # Panics
///
/// When one of its variables is missing.
#[cfg(feature = "rdkafka")]
pub(crate) fn secure_broker() -> SecureBroker {
    SecureBroker {
        address: variable("ORDERD_TEST_KAFKA_4_SECURE"),
        ca_file: variable("ORDERD_TEST_KAFKA_4_CA"),
        password: variable("ORDERD_TEST_KAFKA_4_PASSWORD"),
    }
}

/// A topic's name that no other test, and no earlier run on the same broker, has used.
pub(crate) fn unique_topic(prefix: &str) -> String {
    unique(prefix)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the variables are how `make test` names its servers"
)]
fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: `make test` and `make servers` provide it"))
}

#[expect(clippy::disallowed_methods, reason = "the clock only tells runs apart")]
fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{nanos}-{}-{count}", std::process::id())
}

/// Puts another database's name into a URL: between the host and the `?` of the options.
fn with_database(url: &str, name: &str) -> String {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let host_start = address.find("://").map_or(0, |scheme| scheme + 3);
    let host_end = address[host_start..].find('/').map_or(address.len(), |at| host_start + at);
    let separator = if options.is_empty() { "" } else { "?" };
    format!("{}/{name}{separator}{options}", &address[..host_end])
}

/// Issue: the tests run on a real PostgreSQL, each in a database of its own that ends with it.
#[test]
fn a_database_is_empty_and_is_dropped_with_its_value() {
    let exists = |name: &str| {
        let mut client = Client::connect(&variable("ORDERD_TEST_DATABASE_URL"), NoTls).unwrap();
        let row = client
            .query_one("SELECT count(*) FROM pg_database WHERE datname = $1", &[&name])
            .unwrap();
        row.get::<_, i64>(0) == 1
    };
    let database = database();
    let name = database.name.clone();
    let mut client = Client::connect(database.url(), NoTls).unwrap();
    let connected: String =
        client.query_one("SELECT current_database()::text", &[]).unwrap().get(0);
    assert_eq!(connected, name);
    assert!(exists(&name));
    // The session above is still open: FORCE has to end it.
    drop(database);
    assert!(!exists(&name));
}

/// Each test has a database of its own on the server that `ORDERD_TEST_DATABASE_URL` names.
#[test]
fn a_database_url_keeps_its_options() {
    assert_eq!(with_database("postgres://u:p@h:1/a?x=y", "b"), "postgres://u:p@h:1/b?x=y");
    assert_eq!(with_database("postgres://u:p@h:1", "b"), "postgres://u:p@h:1/b");
}
