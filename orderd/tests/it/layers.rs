//! The layers of the daemon, held by reading its text: which part may name which other, and which
//! file owns which outside crate.

use std::fs;
use std::path::Path;

/// Each part with the parts that it may name besides itself, lowest first.
#[rustfmt::skip]
const LAYERS: &[(&str, &[&str])] = &[
    ("backoff",   &[]),
    ("clock",     &[]),
    ("crash",     &[]),
    ("supervise", &[]),
    ("metrics",   &[]),
    ("order",     &[]),
    ("store",     &["backoff", "clock", "crash", "metrics", "order", "supervise"]),
    ("topic",     &["backoff", "clock", "supervise"]),
    ("embedded",  &["clock", "crash", "order", "store", "topic"]),
    ("catalog",   &["clock", "order", "store", "supervise"]),
    ("dead_letters", &["backoff", "catalog", "clock", "metrics", "order", "store", "supervise",
                       "topic"]),
    ("ingest",    &["backoff", "catalog", "clock", "crash", "metrics", "order", "store",
                    "supervise", "topic"]),
    ("hotset",    &["catalog", "order", "supervise"]),
    ("invalidation", &["backoff", "catalog", "clock", "order", "store", "supervise"]),
    ("warmup",    &["backoff", "catalog", "hotset", "order", "supervise"]),
    ("generate",  &["order", "topic"]),
    ("produce",   &["backoff", "clock", "generate", "order", "supervise", "topic"]),
    ("readings",  &["catalog", "clock", "metrics", "supervise"]),
    ("series",    &["catalog", "clock", "metrics", "supervise"]),
    ("http",      &["catalog", "clock", "dead_letters", "metrics", "order", "series", "supervise",
                    "topic"]),
    ("health",    &[]),
    ("systemd",   &["clock", "supervise"]),
    ("cli",       &["generate", "order", "store", "topic"]),
    ("settings",  &["cli"]),
    ("app",       &["backoff", "catalog", "cli", "clock", "dead_letters", "embedded", "hotset",
                    "http", "ingest", "invalidation", "metrics", "order", "produce", "readings",
                    "series", "store", "supervise", "systemd", "topic", "warmup"]),
    ("run",       &["app", "cli", "clock", "dead_letters", "embedded", "generate", "health",
                    "order", "produce", "settings", "store", "supervise", "topic"]),
    ("main",      &[]),
    ("lib",       &[]),
];

/// Outside crates, and where alone they may be named.
#[rustfmt::skip]
const OWNED: &[(&str, &[&str])] = &[
    ("lru_engine",         &["catalog/"]),
    ("postgres",           &["store/postgres/"]),
    ("refinery",           &["store/postgres/"]),
    ("prometheus",         &["metrics/"]),
    ("kafka",              &["topic/kafka/"]),
    ("kafka_protocol",     &["topic/kafka/"]),
    ("rdkafka",            &["topic/rdkafka/"]),
    ("redb",               &["embedded/"]),
    ("axum",               &["http/server_axum/"]),
    ("hyper",              &["http/server_axum/"]),
    ("hyper_util",         &["http/server_axum/"]),
    ("tokio",              &["http/server_axum/", "store/postgres/line.rs"]),
    ("tiny_http",          &["http/server_tiny.rs"]),
    ("httparse",           &["http/head.rs"]),
    ("utoipa_swagger_ui",  &["http/openapi/"]),
    ("askama",             &["http/pages/"]),
    ("simd_json",          &["order/decode.rs", "order/fields.rs"]),
    ("iso_currency",       &["order/strict.rs"]),
    ("indicatif",          &["produce/progress.rs"]),
    ("hdrhistogram",       &["produce/progress.rs"]),
    ("ureq",               &["health.rs", "produce/target.rs"]),
    ("clap",               &["cli/", "settings/"]),
    ("clap_complete",      &["cli/"]),
    ("toml",               &["settings/"]),
    ("dotenvy",            &["settings/files.rs"]),
    ("strsim",             &["settings/files.rs"]),
    ("signal_hook",        &["run/mod.rs"]),
    ("sd_notify",          &["systemd.rs"]),
    ("tracing_subscriber", &["run/mod.rs", "cli/"]),
];

/// What no file may have, and why.
#[rustfmt::skip]
const BANNED: &[(&str, &str)] = &[
    ("super::super", "name modules from the root of the crate"),
    ("crate::{",     "one `use crate::module::Name;` a line"),
    ("unsafe ",      "the daemon is safe Rust"),
];

/// A source file: its path below `src`, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The part that the file belongs to: the first folder, or the file's own name.
    fn part(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or(&self.path);
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

fn sources() -> Vec<Source> {
    fn read(folder: &Path, prefix: &str, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                read(&entry.path(), &format!("{path}/"), found);
            } else {
                found.push(Source { path, text: fs::read_to_string(entry.path()).unwrap() });
            }
        }
    }
    let mut found = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    found
}

/// The lines of a file up to its unit tests, numbered, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| *line != "mod tests {");
    (1..).zip(lines.map(|line| line.split("//").next().unwrap_or(line)))
}

/// The parts that a line names.
fn parts_named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// Whether a line names an outside crate: its name and `::`, and no path before it.
fn names_crate(line: &str, name: &str) -> bool {
    let path = format!("{name}::");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == ':'))
    })
}

fn offences(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let (path, part) = (&source.path, source.part());
        let Some((_, allowed)) = LAYERS.iter().find(|(listed, _)| *listed == part) else {
            found.push(format!("src/{path} belongs to no part: say here what it may name"));
            continue;
        };
        for (number, line) in code(&source.text) {
            let place = format!("src/{path}:{number}");
            let is_allowed = |named: &str| named == part || allowed.contains(&named);
            for named in parts_named(line).filter(|named| !is_allowed(named)) {
                found.push(format!("{place} names {named}, which {part} may not"));
            }
            for (name, owners) in OWNED.iter().filter(|(name, _)| names_crate(line, name)) {
                if !owners.iter().any(|owner| path.starts_with(owner)) {
                    found.push(format!("{place} names the crate {name}, which {owners:?} own"));
                }
            }
            for (text, why) in BANNED.iter().filter(|(text, _)| line.contains(text)) {
                found.push(format!("{place} has `{text}`: {why}"));
            }
        }
    }
    found
}

/// Row 26 and the design: dependencies run one way, and each outside crate has one owner.
#[test]
fn each_part_names_only_what_it_may() {
    let offences = offences(&sources());
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// No row is about a part or an owner that is gone.
#[test]
fn each_row_is_about_something_that_exists() {
    let sources = sources();
    for (part, _) in LAYERS {
        assert!(sources.iter().any(|source| source.part() == *part), "{part} is gone");
    }
    for (name, owners) in OWNED {
        for owner in *owners {
            let named = sources
                .iter()
                .filter(|source| source.path.starts_with(owner))
                .any(|source| code(&source.text).any(|(_, line)| names_crate(line, name)));
            assert!(named, "{owner} doesn't name {name} any more");
        }
    }
}

/// The check above can fail: each kind of offence is found, and named with its line.
#[test]
fn made_up_offenders_are_named() {
    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        assert_eq!(offences(&[source]), expected);
    }
    check(
        "http/orders.rs",
        "\nuse crate::store::Store;",
        &["src/http/orders.rs:2 names store, which http may not"],
    );
    check(
        "ingest/mod.rs",
        "use kafka::client::KafkaClient;",
        &["src/ingest/mod.rs:1 names the crate kafka, which [\"topic/kafka/\"] own"],
    );
    check("stray.rs", "", &["src/stray.rs belongs to no part: say here what it may name"]);
    check("clock.rs", "unsafe {", &["src/clock.rs:1 has `unsafe `: the daemon is safe Rust"]);
    check("app.rs", "use crate::store::postgres::Postgres;", &[]);
    check("http/mod.rs", "// crate::store::Store is never named here", &[]);
}
