//! What becomes of a setting with a value that can't be meant: one sentence that names it.

use crate::daemon;
use crate::daemon::Daemon;
use clap::Parser as _;
use orderd::cli::Cli;
use orderd::cli::Command;
use orderd::http::Limits;

const SAMPLE: &[u8] = include_bytes!("../../assets/model.json");

/// Every setting that doesn't take any text, with values that it refuses.
#[rustfmt::skip]
const WRONG: &[(&str, &str, &[&str])] = &[
    ("serve",   "--listen",           &["localhost:8081", "8081", ""]),
    ("serve",   "--data-dir",         &[""]),
    ("serve",   "--kafka-topic",      &[""]),
    ("serve",   "--kafka-partitions", &["0", "-1", "x"]),
    ("serve",   "--kafka-group",      &[""]),
    ("serve",   "--kafka-client",     &["x", ""]),
    ("serve",   "--kafka-sasl-mechanism", &["x", "plain", "GSSAPI"]),
    ("serve",   "--kafka-user",       &[""]),
    ("serve",   "--kafka-password",   &[""]),
    ("serve",   "--instance",         &["2/2", "1", "-1/2", "0/0", "x/2", "1/2/3", ""]),
    ("serve",   "--cache-capacity",   &["-1", "x", "1.5"]),
    ("serve",   "--cache-bytes",      &["-1", "+1", "x", "1.5MiB", "1MB", "MiB", ""]),
    ("serve",   "--cache-bytes",      &["99999999999GiB"]),
    ("serve",   "--warm-orders",      &["-1", "x"]),
    ("serve",   "--warm-threads",     &["-1", "x"]),
    ("serve",   "--database-threads", &["0", "-1", "x", "257"]),
    ("serve",   "--validation",       &["x"]),
    ("serve",   "--http-server",      &["x"]),
    ("serve",   "--http-connections-max", &["0", "-1", "x", "1000001"]),
    ("serve",   "--http-requests-max",   &["0", "-1", "x", "4097"]),
    ("serve",   "--http-head-wait-max",  &["0s", "-1s", "x", "1"]),
    ("serve",   "--http-body-wait-max",  &["0s", "-1s", "x", "1"]),
    ("serve",   "--http-idle-wait-max",  &["0s", "-1s", "x", "1"]),
    ("serve",   "--http-write-wait-max", &["0s", "-1s", "x", "1"]),
    ("serve",   "--write-token",      &[""]),
    ("serve",   "--public-hosts",     &["", "http://orders", "orders:80", "a,,b", "a/b"]),
    ("serve",   "--cors-origins",     &["", "*", "null", "shop.example.com", "file:///a"]),
    ("serve",   "--cors-origins",     &["https://a/", "https://A", "https://a:443", "https://u@a"]),
    ("serve",   "--demo-interval",    &["-1s", "x", "1"]),
    ("serve",   "--log",              &["a=b=c", "warning", "info,verbose"]),
    ("produce", "--interval",         &["-1s", "x", "1"]),
    ("produce", "--rate",             &["-1", "x", "inf", "NaN"]),
    ("produce", "--count",            &["-1", "x"]),
    ("produce", "--seed",             &["-1", "x"]),
    ("produce", "--bad",              &["-0.1", "1.1", "x"]),
    ("produce", "--template",         &["x"]),
    ("produce", "--token",            &[""]),
];

/// Issue: a bad value is an exit status that isn't 0 and a sentence that names the setting.
#[test]
fn a_wrong_value_names_its_setting() {
    for (command, setting, values) in WRONG {
        for value in *values {
            let target = ["--url", "http://127.0.0.1:1"];
            let target = if *command == "produce" { &target[..] } else { &[] };
            refused(&[&["orderd", command, setting, value], target].concat(), setting);
        }
    }
    for (setting, other) in [("--partition", "--offset"), ("--offset", "--partition")] {
        refused(&["orderd", "positions", "set", other, "0", setting, "-1"], setting);
    }
}

/// Issue: limits have good defaults: those that the server has by itself.
#[test]
fn the_defaults_of_limits_are_the_servers_own() {
    let cli = Cli::try_parse_from(["orderd", "serve"]).unwrap();
    let Command::Serve(settings) = cli.command else { panic!("serve is serve") };
    let (asked, own) = (settings.http_limits, Limits::default());
    assert_eq!(asked.http_connections_max as usize, own.connections_max);
    assert_eq!(usize::from(asked.http_requests_max), own.requests_max);
    assert_eq!(asked.http_head_wait_max, own.head_wait_max);
    assert_eq!(asked.http_body_wait_max, own.body_wait_max);
    assert_eq!(asked.http_idle_wait_max, own.idle_wait_max);
    assert_eq!(asked.http_write_wait_max, own.write_wait_max);
}

#[track_caller]
fn refused(arguments: &[&str], setting: &str) {
    let error = Cli::try_parse_from(arguments).expect_err(&format!("{arguments:?}"));
    let text = error.to_string();
    let sentence = text.lines().next().unwrap_or("");
    assert_eq!(error.exit_code(), 2, "{arguments:?}");
    assert!(sentence.contains(&format!("for '{setting}")), "{arguments:?}: {text}");
}

/// Row 13: `produce` without a target names both that there are.
#[test]
fn produce_without_a_target_names_both() {
    let ended = daemon::run(&["produce"]);
    assert_eq!(ended.status.code(), Some(2));
    for setting in ["--url", "--kafka-brokers"] {
        assert!(ended.stderr.contains(setting), "{}", ended.stderr);
    }
}

/// Issue: settings by flag and environment variable; a flag's variable takes what people write.
#[test]
fn the_demo_can_be_switched_by_its_variable() {
    let folder = tempfile::tempdir().unwrap();
    for (value, expected) in [("1", 202), ("true", 202), ("0", 403), ("off", 403)] {
        let data = folder.path().join(value);
        let daemon =
            Daemon::start_with(&["--data-dir", data.to_str().unwrap()], &[("ORDERD_DEMO", value)]);
        assert_eq!(daemon.post(SAMPLE).unwrap(), expected, "ORDERD_DEMO={value}");
    }
}

/// House rule: users see a sentence that names the thing. A full disk below standard output is one.
#[test]
#[cfg(target_os = "linux")]
fn a_standard_output_that_takes_nothing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let serve = ["--log", "error", "serve", "--listen", "127.0.0.1:0", "--data-dir", folder];
    let list = ["positions", "list", "--data-dir", folder];
    let set = ["positions", "set", "--partition", "0", "--offset", "1", "--data-dir", folder];
    for arguments in [&serve[..], &set, &list] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = daemon::orderd(arguments).stdout(full).output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with("orderd: standard output"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}
