//! Which test proves which of the daemon's promises: the rows of what its forerunners did, and the
//! lines of its HTTP interface. A promise without a test fails here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What the daemon's forerunners did, by the number that the tests name: `Row 4: ...`.
const ROWS: [(usize, &str); 26] = [
    (1, "the topic `orders`, read in a group"),
    (2, "the topic is made at the start, with its partitions"),
    (3, "saved in PostgreSQL, one transaction a batch, positions included"),
    (4, "never past an unsaved message, through every crash"),
    (5, "new orders are cached at once"),
    (6, "dead letters with message, reason and origin; their topic"),
    (7, "warm-up with the newest orders, by many threads"),
    (8, "the cache is bounded by entries and by bytes"),
    (9, "read-through with single flight"),
    (10, "the log has the time that a read took, and from where"),
    (11, "migrations at the start, and by a command"),
    (12, "an index on the items of an order"),
    (13, "the producer as a process of its own"),
    (14, "`/random/{n}` makes, sends and returns orders"),
    (15, "one order by every path of the forerunners"),
    (16, "all orders, and the last ten"),
    (17, "the home page with search, order, states and newest orders"),
    (18, "pages for what is not found, malformed or failed"),
    (19, "the description of the interface, and its page"),
    (20, "a graceful shutdown"),
    (21, "configuration from flags, environment, `.env` and a file"),
    (22, "compose, with health checks in the order of the start"),
    (23, "a look into the cache"),
    (24, "wholly random orders"),
    (25, "`psql` into the database, as the README shows it"),
    (26, "layers, and unit tests"),
];

/// What the HTTP interface promises, each with a test that runs on both servers.
#[rustfmt::skip]
const HTTP: &[(&str, &str)] = &[
    ("GET of an order by every path",        "row_15_every_path_of_the_seeds_answers"),
    ("POST /api/getOrder with the id",       "row_15_every_path_of_the_seeds_answers"),
    ("HEAD is GET without a body",           "head_is_get_without_a_body"),
    ("304 to If-None-Match",                 "a_copy_that_is_current_is_not_sent_again"),
    ("400 and 404 of an order",              "row_18_malformed_and_unknown_ids_are_told_apart"),
    ("503 with Retry-After, and 504",        "cached_orders_outlive_the_store"),
    ("503 when overloaded",                  "hits_are_answered_while_misses_wait"),
    ("ETag, X-Cache, Server-Timing, Cache-Control", "row_9_a_miss_is_cached_and_a_hit_is_the_same"),
    ("X-Request-Id",                         "every_answer_has_a_request_id"),
    ("GET /orders with limit, cursor, Link", "row_16_pages_lead_from_the_newest_to_the_oldest"),
    ("GET /orders with a wrong limit or cursor", "row_16_odd_limits_and_cursors_are_refused"),
    ("POST /orders: 202",                    "a_posted_order_is_in_the_topic"),
    ("POST /orders: 400 with all violations", "every_violation_is_reported"),
    ("POST /orders: 413 and 415",            "long_and_foreign_bodies_are_refused"),
    ("POST /orders: off, or with the token", "writing_needs_leave"),
    ("POST /orders: foreign sites",          "foreign_sites_cannot_write"),
    ("POST /random/{n}",                     "the_orders_that_are_returned_are_in_the_topic"),
    ("/random/{n}: 400",                     "anything_but_a_natural_number_is_refused"),
    ("/healthz, /readyz and /metrics",       "health_says_what_is_missing"),
    ("pages escape everything, under a policy", "orders_are_text_and_never_markup"),
    ("/openapi.json and /docs",              "swagger_ui_needs_no_other_host"),
    ("/cache",                               "row_23_the_cache_shows_its_entries_by_recency"),
    ("405 with Allow, 501, OPTIONS",         "methods_are_answered_as_http_says"),
    ("414 and 431",                          "heads_have_limits"),
    ("errors as problems and as pages",      "row_18_errors_are_pages_for_browsers"),
    ("CORS is off unless configured",        "no_other_site_may_read_unless_it_is_configured"),
    ("CORS for a configured origin",         "pages_of_a_configured_origin_may_read"),
];

/// A test with what its documentation says, and what follows its name in its file.
struct Proof {
    file: String,
    name: String,
    says: String,
    rest: String,
}

/// Every test of the workspace's two crates.
fn proofs() -> Vec<Proof> {
    fn read(folder: &Path, found: &mut Vec<Proof>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                of_file(&path.display().to_string(), &fs::read_to_string(&path).unwrap(), found);
            }
        }
    }
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for folder in ["orderd/src", "orderd/tests", "lru-engine/src", "lru-engine/tests"] {
        read(&root.join(folder), &mut found);
    }
    found
}

/// The tests of one file: documentation, then `#[test]`, then the function. What the file's own
/// documentation says holds for each.
fn of_file(file: &str, text: &str, found: &mut Vec<Proof>) {
    let of_all: Vec<_> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    for (at, _) in text.match_indices("#[test]\n") {
        let before: Vec<_> = text[..at].lines().rev().collect();
        let doc = before.iter().take_while(|line| line.trim_start().starts_with("///"));
        let doc: Vec<_> = doc.map(|line| line.trim_start()).collect();
        let mut says = of_all.join(" ");
        says.extend(doc.iter().rev().map(|line| format!(" {line}")));
        let Some((_, rest)) = text[at..].split_once("fn ") else { continue };
        let Some((name, rest)) = rest.split_once('(') else { continue };
        let next = rest.find("#[test]\n").unwrap_or(rest.len());
        let (name, rest) = (name.to_owned(), rest[..next].to_owned());
        found.push(Proof { file: file.to_owned(), name, says, rest });
    }
}

/// The rows that a test says it proves: `Row 7:`, `Rows 13 and 24:`, `row 10`.
fn rows_of(says: &str) -> Vec<usize> {
    let words: Vec<_> = says.split([' ', ':', ',', ';', '.']).filter(|w| !w.is_empty()).collect();
    let mut rows = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if !["row", "rows"].contains(&word.to_ascii_lowercase().as_str()) {
            continue;
        }
        let mut rest = words[at + 1..].iter();
        while let Some(number) = rest.next().and_then(|number| number.parse::<usize>().ok()) {
            rows.push(number);
            if rest.next() != Some(&"and") {
                break;
            }
        }
    }
    rows
}

/// Issue: every row has a test that names it.
#[test]
fn every_row_has_a_test_that_names_it() {
    let mut tests: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for proof in proofs() {
        for row in rows_of(&proof.says) {
            tests.entry(row).or_default().push(proof.name.clone());
        }
    }
    for (row, what) in ROWS {
        let named = tests.remove(&row).unwrap_or_default();
        assert!(!named.is_empty(), "row {row} ({what}) has no test");
        eprintln!("{row:>2} {what}: {}", named.join(", "));
    }
    assert!(tests.is_empty(), "tests name rows that there are not: {tests:?}");
}

/// Issue: every line of the HTTP interface has a test, which runs on both servers.
#[test]
fn every_line_of_the_interface_has_a_test_on_both_servers() {
    let proofs = proofs();
    for (line, name) in HTTP {
        let mut named = proofs.iter().filter(|proof| proof.name == *name);
        let proof = named.next().unwrap_or_else(|| panic!("{line}: there is no test {name}"));
        assert!(proof.file.contains("tests/it/http/"), "{line}: {}", proof.file);
        assert!(proof.rest.contains("in SERVERS {"), "{line}: {name} runs on one server alone");
    }
}

/// The reading itself: what counts as naming a row, and what doesn't.
#[test]
fn rows_are_read_as_they_are_written() {
    assert_eq!(rows_of("Row 4: never past."), [4]);
    assert_eq!(rows_of("Rows 13 and 24: made up."), [13, 24]);
    assert_eq!(rows_of("Issue: so. Row 10 and section 3: both."), [10]);
    assert_eq!(rows_of("Row 17 and row 18: pages."), [17, 18]);
    assert_eq!(rows_of("Row 14: 400 and 7."), [14]);
    assert_eq!(rows_of("a row 0 and one row is read"), [0]);
    assert!(rows_of("arrows 4").is_empty());
}
