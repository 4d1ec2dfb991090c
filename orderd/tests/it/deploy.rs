//! What lies beside the program for those who run it: compose, image, alerts, dashboard, unit file.

use crate::daemon;
use crate::daemon::Daemon;
use crate::servers;
use orderd::settings::shown;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `${NAME:-value}` as compose reads it where NAME isn't set.
fn with_defaults(text: &str) -> String {
    let mut parts = text.split("${");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, rest) = part.split_once('}').unwrap_or_else(|| panic!("{text}"));
        let (_, default) = inside.split_once(":-").unwrap_or_else(|| panic!("{text}: no default"));
        result.push_str(default);
        result.push_str(rest);
    }
    result
}

/// Row 22: what compose gives the daemon and the producer are settings that they have.
#[test]
fn compose_gives_settings_that_there_are() {
    let compose = yaml("docker-compose.yml");
    for (service, command) in [("orderd", "check-config"), ("producer", "produce")] {
        let environment = compose["services"][service]["environment"].as_object().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = vec![command];
        if command == "produce" {
            let words = compose["services"][service]["command"].as_array().unwrap();
            assert_eq!(words[0], "produce");
            arguments.extend(words[1..].iter().map(|word| word.as_str().unwrap()));
            arguments.push("--help");
        }
        let mut program = daemon::orderd(&arguments);
        for (name, value) in environment {
            let value = value.as_str().map_or_else(|| value.to_string(), with_defaults);
            let known = shown::table().contains(&format!("`{name}`"));
            assert!(known, "{name} is no setting");
            program.env(name, value);
        }
        let ended = program.current_dir(folder.path()).output().unwrap();
        assert!(ended.status.success(), "{service}: {ended:?}");
    }
}

/// Row 22: health checks order the start: nobody waits for a service that can't be healthy.
#[test]
fn compose_waits_only_for_what_has_a_health_check() {
    let compose = yaml("docker-compose.yml");
    let services = compose["services"].as_object().unwrap();
    let mut waits = 0;
    for (name, service) in services {
        let Some(needed) = service.get("depends_on").and_then(Value::as_object) else { continue };
        for (other, how) in needed {
            let other_service = &services[other];
            assert_eq!(how["condition"], "service_healthy", "{name} waits for {other}");
            // The image of `orderd` brings its own check.
            let checked =
                other_service.get("healthcheck").is_some() || other_service.get("build").is_some();
            assert!(checked, "{name} waits for {other}, which has no health check");
            waits += 1;
        }
    }
    assert!(waits >= 4, "{waits}");
    for (name, service) in services {
        let tool = ["console", "prometheus", "grafana"].contains(&name.as_str());
        assert_eq!(service.get("profiles").is_some(), tool, "{name}");
    }
}

/// Issue: what compose and the image name in this repository is there.
#[test]
fn the_files_that_compose_mounts_are_there() {
    let compose = yaml("docker-compose.yml");
    let mut mounted = 0;
    for service in compose["services"].as_object().unwrap().values() {
        let volumes = service.get("volumes").and_then(Value::as_array);
        for volume in volumes.into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            if source.starts_with("./") {
                assert!(root().join(source).exists(), "{source} is mounted and isn't there");
                mounted += 1;
            }
        }
    }
    assert_eq!(mounted, 4);
    let image = text("Dockerfile");
    for line in ["USER orderd", "HEALTHCHECK", "CMD [\"orderd\", \"health\"]"] {
        assert!(image.contains(line), "the image has no {line}");
    }
}

/// The names of the daemon's metrics in an expression.
fn metrics_in(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("orderd_") || word.starts_with("process_"))
}

/// Issue: the dashboard and the alerts ask for metrics that the daemon has.
#[test]
fn dashboard_and_alerts_name_metrics_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    // With a database, so that there can be other instances.
    let database = servers::database();
    let data = folder.path().to_str().unwrap();
    let store = ["--database-url", database.url(), "--data-dir", data, "--demo"];
    let daemon = Daemon::start(&store);
    daemon.wait_ready();
    daemon.get("/orders/nobody");
    daemon::wait_until("orders are taken in", || {
        let scraped = daemon.get("/metrics").body;
        ["orderd_ingest_next_offset{", "orderd_ingest_caught_up_timestamp_seconds{"]
            .iter()
            .all(|series| scraped.contains(series))
    });
    let scraped = daemon.get("/metrics").body;
    let typed = scraped.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut known: BTreeSet<_> =
        typed.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    // It has no samples until there is a dead letter.
    known.insert("orderd_dead_letters_total".to_owned());
    let dashboard: Value = serde_json::from_str(&text("docs/monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let of_panels = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let alerts = yaml("docs/monitoring/alerts.yml");
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    let expressions: Vec<_> =
        of_panels.chain(rules).map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(expressions.len() >= 25, "{}", expressions.len());
    for expression in expressions {
        for name in metrics_in(expression) {
            let family = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(known.contains(family), "there is no {name}, in: {expression}");
        }
    }
}
