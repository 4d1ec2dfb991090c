//! The cache, looked into.

use crate::http::site::SERVERS;
use crate::http::site::Site;
use crate::http::site::order;
use serde_json::Value;

const BROWSER: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn uids(state: &Value) -> Vec<&str> {
    let entries = state["by_recency"].as_array().unwrap();
    entries.iter().map(|entry| entry["order_uid"].as_str().unwrap()).collect()
}

/// Row 23: a look into the cache: entries in recency order, ratios and sizes; looking changes no
/// order of theirs.
#[test]
fn row_23_the_cache_shows_its_entries_by_recency() {
    for server in SERVERS {
        let site = Site::start(server);
        let empty = site.get("/cache");
        assert_eq!((empty.status, empty.header("cache-control")), (200, "no-store"));
        assert_eq!(empty.json()["hit_ratio"], Value::Null, "{server:?}");
        site.save(&[order("a", "Anna"), order("b", "Boris"), order("c", "Clara")]);
        let mut bytes = 0;
        for uid in ["a", "b", "c", "a"] {
            bytes += site.get(&format!("/orders/{uid}")).body.len();
        }
        bytes -= site.get("/orders/a").body.len();
        site.series.sample();
        for _ in 0..3 {
            let state = site.get("/cache").json();
            assert_eq!(uids(&state), ["a", "c", "b"], "{server:?}");
            assert_eq!((&state["entries"], &state["capacity"]), (&3.into(), &1000.into()));
            assert_eq!((&state["hits"], &state["misses"]), (&2.into(), &3.into()));
            assert_eq!((&state["hit_ratio"], &state["bytes"]), (&0.4.into(), &bytes.into()));
            assert_eq!(state["capacity_bytes"], 2_000_000, "{server:?}");
            let sample = &state["samples"][0];
            assert_eq!((&sample["hits"], &sample["misses"]), (&2.into(), &3.into()));
            assert!(sample["hit_ms_mean"].as_f64().unwrap() > 0.0, "{sample}");
            assert!(sample["miss_ms_mean"].as_f64() > sample["hit_ms_mean"].as_f64(), "{sample}");
            assert_eq!(site.get_with("/api/cache", &[BROWSER]).json(), state, "{server:?}");
            let page = site.get_with("/cache", &[BROWSER]);
            let at = |uid: &str| page.text().find(&format!("data-key=\"{uid}\"")).unwrap();
            assert!(at("a") < at("c") && at("c") < at("b"), "{server:?}");
            for text in ["40.0%", "1,000", "2.0\u{a0}MB", "<svg", "Cache read, mean"] {
                assert!(page.text().contains(text), "{server:?} {text}: {}", page.text());
            }
        }
        // Only asking for an order uses it.
        site.get("/orders/b");
        assert_eq!(uids(&site.get("/cache").json()), ["b", "a", "c"], "{server:?}");
    }
}

/// Row 23: a large cache is shown page by page, and each entry once.
#[test]
fn row_23_a_large_cache_is_shown_page_by_page() {
    for server in SERVERS {
        let site = Site::start(server);
        let orders: Vec<_> = (0..120).map(|number| order(&format!("o{number}"), "")).collect();
        site.save(&orders);
        for number in 0..120 {
            assert_eq!(site.get(&format!("/orders/o{number}")).status, 200);
        }
        let expected: Vec<_> = (0..120).rev().map(|number| format!("o{number}")).collect();
        let mut shown = Vec::new();
        for from in ["0", "50", "100", "150"] {
            let state = site.get(&format!("/cache?from={from}")).json();
            shown.extend(uids(&state).into_iter().map(str::to_owned));
            let page = site.get_with(&format!("/cache?from={from}"), &[BROWSER]);
            let (has_more, has_before) = (from == "0" || from == "50", from != "0");
            assert_eq!(page.text().contains("rel=\"next\""), has_more, "{server:?} {from}");
            assert_eq!(page.text().contains("rel=\"prev\""), has_before, "{server:?} {from}");
        }
        assert_eq!(shown, expected, "{server:?}");
        for wrong in ["", "-1", "+1", "x", "99999999999999999999"] {
            let answer = site.get(&format!("/cache?from={wrong}"));
            assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some("bad_from")));
        }
    }
}
