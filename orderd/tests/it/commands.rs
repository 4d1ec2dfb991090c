//! The other commands, as people type them: `produce` and `migrate`.

use crate::daemon;
use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::proxy::Proxy;
use crate::servers;
use orderd::embedded::Embedded;
use std::collections::HashSet;

/// Row 13 and the issue: `produce --url` sends orders to a running daemon and prints their ids, one
/// a line; the same seed gives the same ids.
#[test]
fn produced_orders_are_served_by_the_daemon_they_were_sent_to() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let token = "a token of the test";
    let daemon = Daemon::start(&["--data-dir", folder, "--write-token", token]);
    let produce = |more: &[&str]| {
        let common = ["produce", "--url", daemon.base(), "--rate", "0", "--seed", "7"];
        daemon::run(&[&common[..], more].concat())
    };
    let refused = produce(&["--count", "1"]);
    assert!(!refused.status.success(), "without the token it is refused");
    assert!(refused.stderr.contains("--token"), "{}", refused.stderr);
    let ended = produce(&["--token", token, "--count", "60", "--bad", "0.5"]);
    assert!(ended.status.success(), "{}", ended.stderr);
    let uids: Vec<_> = ended.stdout.lines().collect();
    assert!((10..=50).contains(&uids.len()), "{} of 60 are good", uids.len());
    assert_eq!(uids.iter().collect::<HashSet<_>>().len(), uids.len());
    for uid in &uids {
        wait_until("the order is served", || daemon.get(&format!("/orders/{uid}")).status == 200);
    }
    let again = produce(&["--token", token, "--count", "60", "--bad", "0.5"]);
    assert_eq!(again.stdout, ended.stdout);
}

/// Issue: on a terminal a bar with rate and latency, with the ids above it; the ids alone on a
/// pipe.
#[test]
fn a_terminal_sees_a_bar_and_a_pipe_sees_ids() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&["--data-dir", folder.path().to_str().unwrap(), "--demo"]);
    let produce =
        ["produce", "--url", daemon.base(), "--count", "30", "--rate", "20", "--seed", "5"];
    let piped = daemon::run(&[&["--log", "warn"], &produce[..]].concat());
    assert_eq!((piped.stdout.lines().count(), &*piped.stderr), (30, ""));
    // `script` gives its program a terminal.
    let line = [&[env!("CARGO_BIN_EXE_orderd")], &produce[..]].concat().join(" ");
    let mut script = std::process::Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    let seen = script.env("TERM", "xterm").stdin(std::process::Stdio::null()).output().unwrap();
    let seen = String::from_utf8(seen.stdout).unwrap();
    for uid in piped.stdout.lines() {
        assert!(seen.contains(uid), "{uid} isn't in: {seen}");
    }
    for part in ["30/30 orders", "/s, ", "p50 ", "p99 "] {
        assert!(seen.contains(part), "{part} isn't in: {seen}");
    }
}

/// Row 13: `produce --kafka-brokers` makes the topic with its partitions, and a daemon reads it.
#[test]
fn orders_produced_to_kafka_come_through() {
    let (topic, folder) = (servers::unique_topic("produce"), tempfile::tempdir().unwrap());
    let brokers = servers::brokers();
    let kafka = ["--kafka-brokers", &brokers, "--kafka-topic", &topic, "--kafka-partitions", "3"];
    let arguments = ["produce", "--rate", "0", "--count", "500", "--template", "model.json"];
    let ended = daemon::run(&[&arguments[..], &kafka].concat());
    assert!(ended.status.success(), "{}", ended.stderr);
    let uids: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(uids.len(), 500);
    // Kafka beside the embedded store: sources and stores combine freely.
    let folder = ["--data-dir", folder.path().to_str().unwrap()];
    let daemon = Daemon::start(&[&folder[..], &kafka].concat());
    for uid in &uids {
        wait_until("the order is served", || daemon.get(&format!("/orders/{uid}")).status == 200);
    }
}

/// Row 22: what a container's health check asks tells a ready daemon from one that isn't there.
#[test]
fn health_tells_whether_a_daemon_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&["--data-dir", folder.path().to_str().unwrap()]);
    daemon.wait_ready();
    let ready = daemon::run(&["health", "--url", daemon.base()]);
    assert!(ready.status.success() && ready.stdout.contains("ready"), "{}", ready.stderr);
    let database = "postgresql://nobody@127.0.0.1:1/none";
    let waiting = Daemon::start(&[
        "--data-dir",
        folder.path().join("waiting").to_str().unwrap(),
        "--database-url",
        database,
    ]);
    let not_ready = daemon::run(&["health", "--url", waiting.base()]);
    assert_eq!(not_ready.status.code(), Some(1));
    assert!(not_ready.stderr.contains("store"), "{}", not_ready.stderr);
    let nobody = daemon::run(&["health", "--url", "http://127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(nobody.stderr.contains("http://127.0.0.1:1"), "{}", nobody.stderr);
}

/// Row 11: `migrate` brings the schema up to date, and says so when it is.
#[test]
fn migrate_says_what_it_applied() {
    let database = servers::database();
    let arguments = ["migrate", "--database-url", database.url()];
    let first = daemon::run(&arguments);
    assert!(first.status.success(), "{}", first.stderr);
    assert!(first.stdout.contains("V1__orders"), "{}", first.stdout);
    let second = daemon::run(&arguments);
    assert_eq!((second.status.success(), &*second.stdout), (true, "the schema is up to date\n"));
    for ended in [first, second] {
        assert_eq!(ended.stderr, "", "the libraries' own steps are nobody's business");
    }
}

/// Issue: a PostgreSQL that falls silent while the daemon runs is waited for: `/readyz` says so,
/// what is cached is served, what isn't gets an error within its deadline, and all heals by itself.
#[test]
fn a_database_that_falls_silent_is_noticed_and_waited_for() {
    let database = servers::database();
    let (proxy, url) = Proxy::to_url(database.url());
    let (topic, brokers) = (servers::unique_topic("silent"), servers::brokers());
    let daemon = Daemon::start(&[
        "--database-url",
        &url,
        "--kafka-brokers",
        &brokers,
        "--kafka-topic",
        &topic,
        "--demo",
    ]);
    daemon.wait_ready();
    let recent = || -> Vec<serde_json::Value> {
        serde_json::from_str(&daemon.get("/api/orders/recent").body).unwrap()
    };
    wait_until("orders are there", || !recent().is_empty());
    let uid = recent()[0]["order_uid"].as_str().unwrap().to_owned();
    let path = format!("/orders/{uid}");
    assert_eq!(daemon.get(&path).status, 200);
    proxy.freeze();
    let state =
        || -> serde_json::Value { serde_json::from_str(&daemon.get("/readyz").body).unwrap() };
    wait_until("the store is missing", || state()["parts"]["store"] != "ok");
    assert_eq!(daemon.get("/readyz").status, 503);
    assert_eq!(daemon.get("/healthz").status, 200);
    let cached = daemon.get(&path);
    assert_eq!((cached.status, &cached.headers["x-cache"]), (200, &"STALE".parse().unwrap()));
    let uncached = daemon.get("/orders/nobody").status;
    assert!([503, 504].contains(&uncached), "{uncached}");
    proxy.thaw();
    daemon.wait_ready();
    wait_until("uncached orders are read again", || daemon.get("/orders/nobody").status == 404);
}

/// House rule: a sentence that names the thing. A database without the schema isn't out of reach.
#[test]
fn positions_of_a_database_that_was_never_migrated_are_named() {
    let database = servers::database();
    let set = ["set", "--partition", "0", "--offset", "0"];
    for action in [&["list"][..], &set] {
        let store = ["--log", "error", "--database-url", database.url()];
        let ended = daemon::run(&[&["positions"], action, &store].concat());
        assert_eq!((ended.status.code(), ended.stderr.lines().count()), (Some(1), 1), "{ended:?}");
        for word in ["`orderd migrate`", "--database-url (DATABASE_URL)"] {
            assert!(ended.stderr.contains(word), "{word} is missing in: {}", ended.stderr);
        }
    }
}

/// Design: a position beyond the end of the log is mended by `orderd positions set`, as the alarm
/// says, on either store; and a daemon that starts then goes on from there.
#[test]
fn positions_are_listed_and_set() {
    let (database, folder) = (servers::database(), tempfile::tempdir().unwrap());
    let migrated = daemon::run(&["migrate", "--database-url", database.url()]);
    assert!(migrated.status.success(), "{}", migrated.stderr);
    let folder = folder.path().to_str().unwrap();
    // A wrong folder is called so, and stays as empty as it was.
    let wrong = daemon::run(&["positions", "list", "--data-dir", folder]);
    assert!(!wrong.status.success() && wrong.stderr.contains("--data-dir"), "{}", wrong.stderr);
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    drop(Embedded::open(folder.as_ref()).unwrap());
    for store in [["--database-url", database.url()], ["--data-dir", folder]] {
        let positions = |more: &[&str]| {
            let ended = daemon::run(&[&["positions"], more, &store].concat());
            assert!(ended.status.success(), "{}", ended.stderr);
            ended.stdout
        };
        let set = |offset| positions(&["set", "--partition", "0", "--offset", offset]);
        assert_eq!(positions(&["list"]), "");
        assert_eq!(set("7"), "set to 7; there was none\n");
        assert_eq!(positions(&["list"]), "orderd\torders\t0\t7\n");
        assert_eq!(set("0"), "moved from 7 to 0\n");
        assert_eq!(positions(&["list"]), "orderd\torders\t0\t0\n");
    }
    let daemon = Daemon::start(&["--data-dir", folder, "--demo"]);
    daemon.wait_ready();
    let refused = daemon::run(&["positions", "list", "--data-dir", folder]);
    assert!(!refused.status.success() && refused.stderr.contains("in use"), "{}", refused.stderr);
}

/// Issue: the 50 kinds of damage are listed, each with the code that it is refused with.
#[test]
fn the_kinds_of_damage_are_listed() {
    let ended = daemon::run(&["produce", "--list-damage"]);
    assert!(ended.status.success(), "{}", ended.stderr);
    let lines: Vec<Vec<&str>> = ended.stdout.lines().map(|l| l.split('\t').collect()).collect();
    assert_eq!(lines.len(), 50);
    assert_eq!(lines.iter().map(|fields| fields[0]).collect::<HashSet<_>>().len(), 50);
    assert!(lines.iter().all(|fields| fields.len() == 3 && fields[2].ends_with('.')), "{lines:?}");
    assert!(lines.contains(&vec!["leap_second", "format", "The date_created has a 60th second."]));
}

/// Issue: structured logs with request ids. With `--log-format json` each line is an object, and
/// what is logged about a request names it.
#[test]
fn the_log_can_be_read_by_programs() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--log", "debug", "--log-format", "json", "serve", "--listen", "127.0.0.1:0"];
    let mut command = daemon::orderd(&[&arguments[..], &["--data-dir", "."]].concat());
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    command.current_dir(folder.path()).stdout(std::process::Stdio::piped()).stderr(log);
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let base = line.trim().strip_prefix("listening on ").unwrap();
    let url = format!("{base}/orders/nobody");
    let read = |folder: &std::path::Path| std::fs::read_to_string(folder.join("log")).unwrap();
    wait_until("the store is reached", || read(folder.path()).contains("the store is reached"));
    let answer = ureq::get(&url).header("X-Request-Id", "of-this-test").call();
    assert!(matches!(answer, Err(ureq::Error::StatusCode(404))), "{answer:?}");
    let names_it = |text: &str| text.lines().filter(|line| line.contains("of-this-test")).count();
    wait_until("the request is logged", || names_it(&read(folder.path())) >= 2);
    child.kill().unwrap();
    child.wait().unwrap();
    for line in read(folder.path()).lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(event["level"].is_string() && event["timestamp"].is_string(), "{line}");
    }
}
