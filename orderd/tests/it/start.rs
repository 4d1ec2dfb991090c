//! A start that can't succeed says why in one sentence; one that only has to wait, waits.

use crate::daemon;
use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::servers;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

/// Runs `orderd serve` and expects one line on standard error that holds all of `words`.
#[track_caller]
fn refused(arguments: &[&str], words: &[&str]) {
    let mut all = vec!["--log", "error", "serve", "--listen", "127.0.0.1:0"];
    all.extend(arguments);
    let ended = daemon::run(&all);
    assert!(ended.status.code().is_some_and(|code| code != 0), "{ended:?}");
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{}", ended.stderr);
    for word in words {
        assert!(lines[0].contains(word), "`{word}` is missing in: {}", lines[0]);
    }
}

/// The URL of the maintenance database, changed.
fn url(change: impl FnOnce(&mut url::Url)) -> String {
    let database = servers::database();
    let mut url = url::Url::parse(database.url()).unwrap();
    change(&mut url);
    url.to_string()
}

/// Issue: a malformed URL is one sentence that names the thing and the setting.
#[test]
fn a_malformed_url_is_named() {
    for text in ["nonsense", "postgresql://host:port/orders", "http://host/orders"] {
        refused(&["--database-url", text], &["--database-url", "DATABASE_URL"]);
    }
}

/// Issue: a wrong password. The password itself is never shown.
#[test]
fn a_wrong_password_is_named() {
    let url = url(|url| url.set_password(Some("hunter2")).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["--database-url", &url, "--data-dir", folder.path().to_str().unwrap(), "--log", "error"];
    refused(&arguments[..4], &["password", "DATABASE_URL", "postgres"]);
    let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--log", "debug"];
    all.extend(&arguments[..4]);
    let ended = daemon::run(&all);
    assert!(!ended.stderr.contains("hunter2") && !ended.stdout.contains("hunter2"));
}

/// Issue: an unknown database.
#[test]
fn an_unknown_database_is_named() {
    let url = url(|url| url.set_path("/nowhere"));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let arguments = ["--database-url", &url, "--data-dir", folder];
    refused(&arguments, &["\"nowhere\"", "DATABASE_URL"]);
}

/// Issue: a taken port.
#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--log", "error", "serve", "--listen", &address, "--data-dir"];
    let ended = daemon::run(&[&arguments[..], &[folder.path().to_str().unwrap()]].concat());
    assert!(ended.status.code().is_some_and(|code| code != 0));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    for word in [&address, "--listen", "ORDERD_LISTEN"] {
        assert!(ended.stderr.contains(word), "`{word}` is missing in: {}", ended.stderr);
    }
}

/// Issue: a data folder without permission. `/proc` refuses root too, a file is never a folder.
#[test]
fn a_data_folder_that_cannot_be_used_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below_a_file = file.path().join("data");
    for folder in [Path::new("/proc/orderd"), file.path(), &below_a_file] {
        let folder = folder.to_str().unwrap();
        refused(&["--data-dir", folder], &["--data-dir", "ORDERD_DATA_DIR", folder]);
    }
}

/// Issue: a data folder in use.
#[test]
fn a_data_folder_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let _first = Daemon::start(&["--data-dir", folder]);
    refused(&["--data-dir", folder], &["in use", "--data-dir", folder]);
}

/// Issue: a server that refuses is waited for, with the daemon alive and `/readyz` saying what is
/// missing; and when it comes it is used.
#[test]
fn servers_that_refuse_are_waited_for() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let url = format!("postgresql://nobody@127.0.0.1:{port}/orders");
    let daemon =
        Daemon::start(&["--database-url", &url, "--kafka-brokers", &format!("127.0.0.1:{port}")]);
    check_alive_and_missing(&daemon, &["store"]);
    assert_stops(daemon);
}

/// Issue: a server that is silent is waited for too. It accepts, and never answers.
#[test]
fn servers_that_are_silent_are_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgresql://nobody@127.0.0.1:{port}/orders");
    let daemon =
        Daemon::start(&["--database-url", &url, "--kafka-brokers", &format!("127.0.0.1:{port}")]);
    // The daemon has really come to this server: it sent something.
    let (mut connection, _) = silent.accept().unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    connection.read_exact(&mut [0]).unwrap();
    check_alive_and_missing(&daemon, &["store"]);
    assert_stops(daemon);
}

/// Issue: a silent Kafka beside a real database.
#[test]
fn a_silent_kafka_is_missing_alone() {
    let database = servers::database();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let brokers = silent.local_addr().unwrap().to_string();
    let daemon = Daemon::start(&["--database-url", database.url(), "--kafka-brokers", &brokers]);
    wait_until("the store is ready and the topic is missing", || {
        let answer = daemon.get("/readyz");
        let state: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        answer.status == 503 && is_ready(&state, "store") && !is_ready(&state, "topic")
    });
    check_alive_and_missing(&daemon, &["topic"]);
    assert_stops(daemon);
}

fn is_ready(state: &serde_json::Value, part: &str) -> bool {
    let text = state["parts"][part].as_str();
    text.unwrap_or_else(|| panic!("`{part}` is not in {state}")) == "ok"
}

#[track_caller]
fn check_alive_and_missing(daemon: &Daemon, missing: &[&str]) {
    assert_eq!(daemon.get("/healthz").status, 200);
    let answer = daemon.get("/readyz");
    assert_eq!(answer.status, 503);
    let state: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    for part in missing {
        assert!(!is_ready(&state, part), "{state}");
    }
}

#[track_caller]
fn assert_stops(daemon: Daemon) {
    let (status, took) = daemon.interrupt();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "the stop took {took:?}");
}
