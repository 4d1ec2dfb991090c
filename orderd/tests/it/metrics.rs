//! `/metrics`: what a Prometheus that scrapes a daemon gets.

use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::servers;
use prometheus_parse::Scrape;
use prometheus_parse::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

const SAMPLE: &[u8] = include_bytes!("../../assets/model.json");
const UID: &str = "b563feb7b2b84b6test";

fn scrape(daemon: &Daemon) -> Scrape {
    let answer = daemon.get("/metrics");
    assert_eq!(answer.status, 200);
    let content_type = answer.headers["content-type"].to_str().unwrap();
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    Scrape::parse(answer.body.lines().map(|line| Ok(line.to_owned()))).unwrap()
}

/// The sum of a metric's samples that have all these labels.
fn sum(scrape: &Scrape, metric: &str, labels: &[(&str, &str)]) -> f64 {
    let samples = scrape.samples.iter().filter(|sample| {
        let has = |(name, value): &(&str, &str)| sample.labels.get(name) == Some(value);
        sample.metric == metric && labels.iter().all(has)
    });
    let values = samples.map(|sample| match &sample.value {
        Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => *value,
        other => panic!("{metric} is {other:?}"),
    });
    values.sum()
}

fn demo(folder: &tempfile::TempDir) -> Daemon {
    let folder = folder.path().to_str().unwrap();
    Daemon::start(&["--data-dir", folder, "--demo", "--demo-interval", "1h"])
}

/// Issue: requests by route template, cache counters, ingest, dead letters, build.
#[test]
fn what_the_daemon_did_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = demo(&folder);
    daemon.wait_ready();
    assert_eq!(daemon.post(SAMPLE).unwrap(), 202);
    wait_until("the order is served", || daemon.get(&format!("/orders/{UID}")).status == 200);
    let before = scrape(&daemon);
    for path in ["/orders/", "/order/", "/api/order/"] {
        assert_eq!(daemon.get(&format!("{path}{UID}")).status, 200);
    }
    assert_eq!(daemon.get("/orders/nobody").status, 404);
    let after = scrape(&daemon);
    let more = |metric: &str, labels: &[(&str, &str)]| {
        sum(&after, metric, labels) - sum(&before, metric, labels)
    };
    let route = ("route", "/orders/:uid");
    let get = ("method", "GET");
    assert_eq!(more("orderd_http_requests_total", &[route, get, ("status", "200")]), 3.0);
    assert_eq!(more("orderd_http_requests_total", &[route, get, ("status", "404")]), 1.0);
    assert_eq!(more("orderd_order_reads_total", &[("from", "hit")]), 3.0);
    assert_eq!(more("orderd_order_reads_total", &[("from", "miss")]), 1.0);
    assert_eq!(more("orderd_cache_hits_total", &[]), 3.0);
    assert_eq!(more("orderd_cache_misses_total", &[]), 1.0);
    let store_reads = |scrape: &Scrape| {
        let mine = scrape.samples.iter().find(|sample| {
            sample.metric == "orderd_store_read_duration_seconds"
                && sample.labels.get("urgency") == Some("foreground")
        });
        let Value::Histogram(buckets) = &mine.unwrap().value else { panic!("{mine:?}") };
        buckets.last().unwrap().count
    };
    assert_eq!(store_reads(&after) - store_reads(&before), 1.0, "the miss was read");
    assert!(sum(&after, "orderd_ingest_orders_total", &[("outcome", "inserted")]) >= 1.0);
    assert!(sum(&after, "orderd_cache_entries", &[]) >= 1.0);
    assert_eq!(sum(&after, "orderd_cache_capacity_entries", &[]), 10_000.0);
    for part in ["store", "topic", "running"] {
        assert_eq!(sum(&after, "orderd_ready", &[("part", part)]), 1.0, "{part}");
    }
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(sum(&after, "orderd_build_info", &version), 1.0);
    assert!(sum(&after, "process_resident_memory_bytes", &[]) > 0.0);
    let timed = after.samples.iter().find(|sample| {
        sample.metric == "orderd_http_request_duration_seconds"
            && sample.labels.get("route") == Some("/orders/:uid")
    });
    let Value::Histogram(buckets) = &timed.unwrap().value else { panic!("{timed:?}") };
    let counts: Vec<_> = buckets.iter().map(|bucket| bucket.count).collect();
    assert!(counts.is_sorted() && *counts.last().unwrap() >= 4.0, "{counts:?}");
}

/// Issue: by route *template*. Whatever a client asks for, it makes no series.
#[test]
fn no_client_can_make_series() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = demo(&folder);
    // Those of ingest appear as its partitions do.
    let is_asked_for = |name: &str| !name.starts_with("orderd_ingest_");
    let series = |daemon: &Daemon| {
        let scrape = scrape(daemon);
        let asked_for = scrape.samples.iter().filter(|sample| is_asked_for(&sample.metric));
        let name = |sample: &prometheus_parse::Sample| {
            let labels: BTreeMap<_, _> = sample.labels.iter().collect();
            format!("{}{labels:?}", sample.metric)
        };
        asked_for.map(name).collect::<BTreeSet<String>>()
    };
    // The first scrape is a request itself, and so the first of its series.
    for path in ["/orders/0", "/0", "/assets/0", "/metrics"] {
        daemon.get(path);
    }
    let before = series(&daemon);
    for number in 1..50 {
        for path in ["/orders/", "/", "/assets/", "/metrics/"] {
            daemon.get(&format!("{path}{number}"));
        }
    }
    assert_eq!(series(&daemon), before);
}

/// Issue: Prometheus' conventions. Every metric is explained and typed; what only grows ends in
/// `_total`, what doesn't doesn't; units are base units.
#[test]
fn names_follow_the_conventions() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = demo(&folder);
    daemon.wait_ready();
    daemon.post(SAMPLE).unwrap();
    daemon.get("/orders/nobody");
    let text = daemon.get("/metrics").body;
    let mut typed = BTreeSet::new();
    let mut explained = BTreeSet::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(help)) => {
                assert!(help.ends_with('.') || name.starts_with("process_"), "{line}");
                assert!(explained.insert(name), "{line} comes twice");
            }
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                for unit in ["_ms", "_us", "_milliseconds", "_kb", "_minutes", "_percent"] {
                    assert!(!name.contains(unit), "{line}");
                }
                assert!(name.starts_with("orderd_") || name.starts_with("process_"), "{line}");
                assert!(typed.insert(name), "{line} comes twice");
            }
            _ => {}
        }
    }
    assert_eq!(explained, typed);
    assert!(typed.len() >= 20, "{typed:?}");
}

/// Issue: lag by partition, with both Kafka clients and the embedded topic: nothing is left once
/// all is saved, and the metrics say since when.
#[test]
fn lag_is_known_by_partition() {
    let mut clients = vec![None, Some("kafka")];
    if cfg!(feature = "rdkafka") {
        clients.push(Some("rdkafka"));
    }
    for client in clients {
        let folder = tempfile::tempdir().unwrap();
        let (topic, brokers) = (servers::unique_topic("lag"), servers::brokers());
        let mut arguments = vec!["--data-dir", folder.path().to_str().unwrap(), "--demo"];
        if let Some(client) = client {
            arguments.extend(["--kafka-brokers", &brokers, "--kafka-topic", &topic]);
            arguments.extend(["--kafka-partitions", "2", "--kafka-client", client]);
            arguments.extend(["--kafka-group", &topic]);
        }
        let daemon = Daemon::start(&arguments);
        let name = if client.is_some() { topic.as_str() } else { "orders" };
        let of_topic = |scrape: &Scrape, metric: &str| {
            let mine = scrape.samples.iter().filter(|sample| {
                sample.metric == metric && sample.labels.get("topic") == Some(name)
            });
            mine.count()
        };
        let partitions = if client.is_some() { 2 } else { 1 };
        wait_until("everything is saved and known to be", || {
            let scrape = scrape(&daemon);
            let label = [("topic", name)];
            of_topic(&scrape, "orderd_ingest_lag_messages") == partitions
                && of_topic(&scrape, "orderd_ingest_caught_up_timestamp_seconds") == partitions
                && sum(&scrape, "orderd_ingest_next_offset", &label) >= 20.0
                && sum(&scrape, "orderd_ingest_lag_messages", &label) == 0.0
        });
    }
}
