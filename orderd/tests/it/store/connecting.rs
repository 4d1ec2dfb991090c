//! What PostgreSQL's store promises before there is a session: sentences and bounded waits.

use crate::servers::TestDatabase;
use crate::servers::database;
use orderd::clock::Clock;
use orderd::store::Connect;
use orderd::store::StoreError;
use orderd::store::letters::Filter;
use orderd::store::postgres::Postgres;
use postgres::Config;
use postgres::NoTls;
use postgres::config::Host;
use refinery::embed_migrations;
use std::collections::HashSet;
use std::net::TcpListener;
use std::time::Duration;

// For a database as an earlier version left it.
embed_migrations!("../migrations");

/// A URL of the tests' server.
fn url(database: &TestDatabase, credentials: &str, name: &str) -> String {
    let config: Config = database.url().parse().unwrap();
    let [Host::Tcp(host)] = config.get_hosts() else { panic!("one server over TCP") };
    format!("postgresql://{credentials}@{host}:{}/{name}", config.get_ports()[0])
}

/// The one sentence that a URL is refused with, which must name the setting and hold no password.
fn refusal(url: &str) -> String {
    let connected = Postgres::new(url).and_then(|postgres| postgres.connect().map(drop));
    let error = connected.unwrap_err();
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    let sentence = error.to_string();
    assert!(sentence.contains("--database-url (DATABASE_URL)"), "{sentence}");
    assert!(!sentence.contains("hush"), "{sentence}");
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    sentence
}

/// Issue: a malformed URL is one sentence that names the setting, and never shows the password.
#[test]
fn a_malformed_url_is_refused() {
    for url in [
        "",
        "nonsense",
        "http://user:hush@host/orders",
        "postgresql://user:hush@host:port/orders",
        "postgresql://user:hush@host:99999/orders",
        "postgresql://user:hush@host/orders?hush=1",
        "host=localhost password=hush hush",
        "user=orderd password=hush",
    ] {
        assert!(refusal(url).contains("no PostgreSQL URL"), "{url}");
    }
    assert!(refusal("postgresql://u:hush@host/orders?sslmode=require").contains("TLS"));
}

/// Issue: a wrong password is one sentence that names user, place and setting.
#[test]
fn a_wrong_password_is_refused() {
    let database = database();
    let mut client = postgres::Client::connect(database.url(), NoTls).unwrap();
    let role = format!("role_{}", std::process::id());
    client.batch_execute(&format!("create role {role} login password 'right'")).unwrap();
    let wrong = refusal(&url(&database, &format!("{role}:hush"), "postgres"));
    let missing = refusal(&url(&database, &role, "postgres"));
    let right = Postgres::new(&url(&database, &format!("{role}:right"), "postgres"));
    let right = right.unwrap().connect();
    drop(right.unwrap());
    client.batch_execute(&format!("drop role {role}")).unwrap();

    let place = url(&database, "", "postgres").replace("postgresql://@", "");
    let address = place.trim_end_matches("/postgres");
    for sentence in [wrong, missing] {
        assert!(sentence.contains(&role) && sentence.contains(address), "{sentence}");
        assert!(sentence.contains("password"), "{sentence}");
    }
}

/// Issue: an unknown database is one sentence that names it and the setting.
#[test]
fn an_unknown_database_is_refused() {
    let database = database();
    let config: Config = database.url().parse().unwrap();
    let password = String::from_utf8(config.get_password().unwrap().to_vec()).unwrap();
    let credentials = format!("{}:{password}", config.get_user().unwrap());
    let sentence = refusal(&url(&database, &credentials, "nowhere"));
    assert!(sentence.contains("no database \"nowhere\""), "{sentence}");
    assert!(!sentence.contains(&password), "{sentence}");
}

/// Design: the name for people says where, and never who or with what.
#[test]
fn the_name_holds_no_secret() {
    let name = |url: &str| Postgres::new(url).unwrap().name();
    assert_eq!(name("postgresql://me:hush@db/orders"), "postgresql://db:5432/orders");
    assert_eq!(name("postgres://me:hush@a:1,b:2/x"), "postgresql://a:1,b:2/x");
    assert_eq!(name("host=::1 user=me password=hush"), "postgresql://[::1]:5432/me");
    let postgres = Postgres::new("postgresql://me:hush@db/orders").unwrap();
    assert!(!format!("{postgres:?}").contains("hush"));
}

/// Issue: a PostgreSQL that refuses or is silent is waited for, and each attempt is bounded.
#[test]
fn a_silent_or_absent_server_is_an_outage_within_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let clock = Clock::system();
    for address in [silent.local_addr().unwrap(), closed] {
        let postgres = Postgres::new(&format!("postgresql://u:p@{address}/orders")).unwrap();
        let start = clock.now();
        let connected = postgres.connect().map(drop);
        assert!(matches!(connected, Err(StoreError::Outage { .. })), "{connected:?}");
        let migrated = postgres.migrate();
        assert!(matches!(migrated, Err(StoreError::Outage { .. })), "{migrated:?}");
        let waited = clock.now() - start;
        assert!(waited < Duration::from_secs(10), "{address} took {waited:?}");
    }
}

/// Design: of several servers the first that answers is taken.
#[test]
fn a_silent_server_does_not_hide_the_next_one() {
    let database = database();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config: Config = database.url().parse().unwrap();
    let password = String::from_utf8(config.get_password().unwrap().to_vec()).unwrap();
    let credentials = format!("{}:{password}", config.get_user().unwrap());
    let second = url(&database, &credentials, config.get_dbname().unwrap());
    let both = second.replace('@', &format!("@{},", silent.local_addr().unwrap()));
    Postgres::new(&both).unwrap().connect().map(drop).unwrap();
}

/// Row 11: any number of instances may migrate at once; one does it, and all find it done.
#[test]
fn concurrent_migrations_are_applied_once() {
    let database = database();
    let postgres = Postgres::new(database.url()).unwrap();
    let applied = std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| postgres.migrate().unwrap()));
        threads.map(|thread| thread.join().unwrap())
    });
    let all: Vec<String> = applied.into_iter().flatten().collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "{all:?}");
    for name in ["V1__orders", "V2__dead_letters"] {
        assert!(all.iter().any(|applied| applied.contains(name)), "{all:?}");
    }
    assert!(postgres.migrate().unwrap().is_empty());
    assert_eq!(postgres.connect().unwrap().counts().unwrap().orders, 0);
}

/// Issue: dead letters that an earlier orderd stored are there after the upgrade, and open.
#[test]
fn an_earlier_schema_keeps_its_dead_letters() {
    let database = database();
    let mut client = postgres::Client::connect(database.url(), NoTls).unwrap();
    let first = refinery::Target::Version(1);
    migrations::runner().set_target(first).run(&mut client).unwrap();
    let letter = "insert into dead_letters (topic, partition, \"offset\", element, code, reason, \
         payload) values ('orders', 3, 7, 2, 'type', 'why', '\\x00ff')";
    client.batch_execute(letter).unwrap();
    let postgres = Postgres::new(database.url()).unwrap();
    postgres.migrate().unwrap();
    let mut store = postgres.connect().unwrap();
    let letters = store.letters().list(&Filter::open(), None, 9).unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].place.to_string(), "orders/3/7/2");
    let (found, payload) = store.letters().find(letters[0].id).unwrap().unwrap();
    assert_eq!((found.order_uid, &payload[..]), (None, &b"\0\xff"[..]));
}

/// Design: a database that a later orderd has migrated isn't touched by an earlier one.
#[test]
fn a_later_schema_is_refused() {
    let database = database();
    let postgres = Postgres::new(database.url()).unwrap();
    postgres.migrate().unwrap();
    let mut client = postgres::Client::connect(database.url(), NoTls).unwrap();
    let later = "insert into refinery_schema_history \
         select 999, 'later', applied_on, checksum from refinery_schema_history where version = 1";
    client.batch_execute(later).unwrap();
    let refused = postgres.migrate();
    let Err(StoreError::Configuration(sentence)) = refused else { panic!("{refused:?}") };
    assert!(sentence.contains("doesn't fit this orderd"), "{sentence}");
    assert!(sentence.contains("--database-url (DATABASE_URL)"), "{sentence}");
}

/// Design: a database that can't hold every text is refused, before orders become dead letters.
#[test]
fn a_database_of_another_encoding_is_refused() {
    let database = database();
    let mut client = postgres::Client::connect(database.url(), NoTls).unwrap();
    let config: Config = database.url().parse().unwrap();
    let name = format!("{}_latin1", config.get_dbname().unwrap());
    let create = "encoding 'LATIN1' locale 'C' template template0";
    client.batch_execute(&format!("create database {name} {create}")).unwrap();
    let url = database.url().replace(config.get_dbname().unwrap(), &name);
    let refused = Postgres::new(&url).unwrap().migrate();
    client.batch_execute(&format!("drop database {name} with (force)")).unwrap();
    let Err(StoreError::Configuration(sentence)) = refused else { panic!("{refused:?}") };
    assert!(sentence.contains("LATIN1"), "{sentence}");
    assert!(sentence.contains("--database-url (DATABASE_URL)"), "{sentence}");
}
