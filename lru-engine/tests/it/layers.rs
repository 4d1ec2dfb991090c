//! The layers of the crate, held by reading its text.
//!
//! `lib.rs` lists the modules from what stands on its own to what stands on the rest. Here is
//! which of them each may use, and which outside names have one owner. A file that is not listed,
//! or a name in the wrong file, is reported in a sentence.

use std::fs;
use std::path::Path;

/// Each file, and the modules of the crate that it may name.
#[rustfmt::skip]
const LAYERS: &[(&str, &[&str])] = &[
    ("hash.rs",       &[]),
    ("error.rs",      &[]),
    ("stats.rs",      &[]),
    ("count.rs",      &["hash"]),
    ("sync.rs",       &[]),
    ("lock.rs",       &[]),
    ("mark.rs",       &[]),
    ("listener.rs",   &[]),
    ("index/chunk.rs", &[]),
    ("prefetch.rs",   &[]),
    ("index/mod.rs",  &["index::chunk", "prefetch"]),
    ("arena/list.rs", &["prefetch"]),
    ("arena/mod.rs",  &["arena::list", "prefetch"]),
    ("displaced.rs",  &[]),
    ("shard.rs",      &["arena", "displaced", "error", "index", "stats"]),
    ("iter.rs",       &["arena", "shard"]),
    ("map.rs",        &["error", "hash", "iter", "shard", "stats"]),
    ("budget.rs",     &["sync"]),
    ("flight.rs",     &["sync"]),
    ("weight.rs",     &["arena", "sync"]),
    ("room.rs",       &["budget", "displaced", "error", "weight"]),
    ("outstanding.rs", &["flight", "stats"]),
    ("sharded.rs",    &["arena", "budget", "count", "displaced", "error", "hash", "lock", "mark", "outstanding",
                        "shard", "sync", "weight"]),
    ("cache.rs",      &["count", "hash", "listener", "sharded", "weight"]),
    ("weighed.rs",    &["arena", "budget", "cache", "displaced", "error", "listener", "outstanding", "room",
                        "sharded", "weight"]),
    ("insert.rs",     &["arena", "budget", "cache", "displaced", "error", "listener", "sharded"]),
    ("sweep.rs",      &["cache", "listener", "stats", "weight"]),
    ("ticket.rs",     &["cache", "error", "listener", "outstanding", "room", "sharded"]),
    ("lookup.rs",     &["cache", "error", "flight", "mark", "ticket"]),
    ("load.rs",       &["cache", "error", "flight", "lookup", "mark"]),
    ("builder.rs",    &["cache", "count", "error", "hash", "listener", "sharded", "weight"]),
    ("models.rs",     &[]),
    ("schedules/mod.rs", &[]),
    ("schedules/world.rs", &[]),
    ("lib.rs",        &["builder", "cache", "error", "hash", "iter", "listener", "lookup", "map",
                        "stats", "ticket"]),
];

/// Names that one file owns, and why.
#[rustfmt::skip]
const OWNED: &[(&str, &str, &str)] = &[
    ("Mutex",        "sync.rs",    "one file decides what a lock is"),
    ("Condvar",      "sync.rs",    "one file decides how a thread waits"),
    ("thread_local", "mark.rs",    "one file knows what a thread is inside of"),
    ("available_parallelism", "count.rs", "one file counts the cores"),
    ("sleep",        "lock.rs",    "only who waits for a shard sleeps"),
    ("foldhash",     "hash.rs",    "the default hasher is opaque"),
];

/// Names that no file may have, and why.
#[rustfmt::skip]
const BANNED: &[(&str, &str)] = &[
    ("super::super", "name modules from the root of the crate"),
    ("crate::{",     "one `use crate::module::Name;` a line"),
    ("::*",          "name what is used"),
    ("spawn",        "the engine starts no thread"),
    ("Instant",      "the engine reads no clock"),
    ("SystemTime",   "the engine reads no clock"),
    ("std::env",     "the engine reads no environment"),
    ("println",      "the engine writes no log"),
];

/// The files that may be unsafe, each with a figure that pays for it, and why no other.
#[rustfmt::skip]
const UNSAFE: (&[&str], &str) = (
    &["arena/list.rs", "arena/mod.rs", "index/chunk.rs", "lock.rs", "prefetch.rs", "shard.rs"],
    "the engine is safe Rust but for its lock, a hit's way through index and list, and prefetching",
);

/// A source file: its path below `src`, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

fn sources(folder: &Path, prefix: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            sources(&entry.path(), &format!("{path}/"), found);
        } else {
            found.push(Source { path, text: fs::read_to_string(entry.path()).unwrap() });
        }
    }
}

/// The code of a file: without comments, and without its unit tests, which come last.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .take_while(|line| *line != "mod tests {")
        .enumerate()
        .map(|(position, line)| (position + 1, line.split("//").next().unwrap_or(line)))
}

/// The module paths that follow each `crate::` in a line, such as `arena::slab`.
fn modules_named(line: &str) -> impl Iterator<Item = String> {
    line.split("crate::").skip(1).map(|rest| {
        let is_module = |segment: &&str| {
            segment.starts_with(|first: char| first.is_ascii_lowercase()) && !segment.is_empty()
        };
        let path = rest.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next();
        let segments: Vec<&str> = path.unwrap_or(rest).split("::").take_while(is_module).collect();
        segments.join("::")
    })
}

/// Whether `named` is `allowed`, or a thing inside of it that is not a module with a row itself.
fn is_within(named: &str, allowed: &str) -> bool {
    let has_row = |module: &str| {
        let file = format!("{}.rs", module.replace("::", "/"));
        LAYERS.iter().any(|(path, _)| *path == file)
    };
    let module = match named.rsplit_once("::") {
        Some((outer, _)) if !has_row(named) => outer,
        _ => named,
    };
    module == allowed
}

fn offences(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, _) in LAYERS {
        if !sources.iter().any(|source| source.path == *path) {
            found.push(format!("src/{path} is listed in the layer test and does not exist"));
        }
    }
    for Source { path, text } in sources {
        let Some((_, allowed)) = LAYERS.iter().find(|(listed, _)| listed == path) else {
            found.push(format!("src/{path} is not listed: say in the layer test what it may use"));
            continue;
        };
        // The models and schedules of the crate start threads of their checker.
        let is_model = path == "models.rs" || path.starts_with("schedules/");
        for (number, line) in code(text).filter(|_| !is_model) {
            let place = format!("src/{path}:{number}");
            for named in modules_named(line) {
                if !allowed.iter().any(|module| is_within(&named, module)) {
                    found.push(format!("{place} uses crate::{named}, which is not below it"));
                }
            }
            for (name, owner, why) in OWNED {
                if line.contains(name) && path != owner {
                    found.push(format!("{place} names {name}, which src/{owner} owns: {why}"));
                }
            }
            let (unsafe_files, why) = UNSAFE;
            if line.contains("unsafe") && !unsafe_files.contains(&path.as_str()) {
                found.push(format!("{place} has unsafe: {why}"));
            }
            for (name, why) in BANNED {
                if line.contains(name) {
                    found.push(format!("{place} has {name}: {why}"));
                }
            }
        }
    }
    found
}

/// Design: the modules use each other in one direction, and outside names have one owner.
#[test]
fn each_module_uses_only_what_is_below_it() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    let offences = offences(&found);
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// The check above can fail: each kind of offence is found, and named with its line.
#[test]
fn made_up_offenders_are_named() {
    #[track_caller]
    fn check(path: &str, text: &str, expected: &str) {
        let mut all = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut all);
        all.retain(|source| source.path != path);
        all.push(Source { path: path.to_owned(), text: text.to_owned() });
        assert_eq!(offences(&all), [expected]);
    }
    let below = "which is not below it";
    check(
        "shard.rs",
        "use crate::cache::Cache;",
        &format!("src/shard.rs:1 uses crate::cache, {below}"),
    );
    check(
        "shard.rs",
        "use crate::arena::list::List;",
        &format!("src/shard.rs:1 uses crate::arena::list, {below}"),
    );
    check(
        "arena/list.rs",
        "\nfn f() -> crate::stats::Stats {}",
        &format!("src/arena/list.rs:2 uses crate::stats, {below}"),
    );
    check(
        "shard.rs",
        "use std::sync::Mutex;",
        "src/shard.rs:1 names Mutex, which src/sync.rs owns: one file decides what a lock is",
    );
    check(
        "cache.rs",
        "thread_local! {}",
        "src/cache.rs:1 names thread_local, which src/mark.rs owns: one file knows what a thread \
         is inside of",
    );
    check(
        "map.rs",
        "unsafe { 1 }",
        "src/map.rs:1 has unsafe: the engine is safe Rust but for its lock, a hit's way through \
         index and list, and prefetching",
    );
    check("map.rs", "thread::spawn(f)", "src/map.rs:1 has spawn: the engine starts no thread");
    check("policy.rs", "", "src/policy.rs is not listed: say in the layer test what it may use");
    assert!(offences(&[]).iter().any(|offence| offence.contains("src/map.rs is listed")));
    check_comment_is_no_offence();
}

fn check_comment_is_no_offence() {
    let named: Vec<_> =
        code("//! crate::cache\n/// unsafe").flat_map(|l| modules_named(l.1)).collect();
    assert!(named.is_empty(), "{named:?}");
}
