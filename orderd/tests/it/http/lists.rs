//! Lists of orders.

use crate::http::site::SERVERS;
use crate::http::site::Site;
use crate::http::site::order;
use crate::http::site::problem;
use serde_json::Value;

fn uids(orders: &Value) -> Vec<&str> {
    orders.as_array().unwrap().iter().map(|order| order["order_uid"].as_str().unwrap()).collect()
}

/// Row 16: `GET /orders`, paged by cursor, newest first, each order once and none left out.
#[test]
fn row_16_pages_lead_from_the_newest_to_the_oldest() {
    for server in SERVERS {
        let site = Site::start(server);
        let orders: Vec<_> = (0..25).map(|number| order(&format!("o{number}"), "x")).collect();
        site.save(&orders);
        let mut target = "/orders?limit=10".to_owned();
        let mut seen: Vec<String> = Vec::new();
        let mut lengths = Vec::new();
        loop {
            let answer = site.get(&target);
            assert_eq!(answer.status, 200, "{server:?} {target}");
            let page = answer.json();
            let on_page = uids(&page["orders"]);
            lengths.push(on_page.len());
            seen.extend(on_page.into_iter().map(str::to_owned));
            let Some(next) = page["next_cursor"].as_str() else {
                assert_eq!(answer.header("link"), "");
                break;
            };
            target = format!("/orders?limit=10&cursor={next}");
            assert_eq!(answer.header("link"), format!("<{target}>; rel=\"next\""));
        }
        assert_eq!(lengths, [10, 10, 5], "{server:?}");
        let expected: Vec<String> = (0..25).rev().map(|number| format!("o{number}")).collect();
        assert_eq!(seen, expected, "{server:?}");
    }
}

/// Row 16: `GET /api/orders/recent` has the last ten, as the bare array that the seed's page reads.
#[test]
fn row_16_recent_has_the_last_ten() {
    for server in SERVERS {
        let site = Site::start(server);
        assert_eq!(site.get("/api/orders/recent").text(), "[]", "{server:?}");
        assert_eq!(site.get("/orders").text(), r#"{"orders":[],"next_cursor":null}"#);
        let orders: Vec<_> = (0..12).map(|number| order(&format!("o{number}"), "x")).collect();
        site.save(&orders);
        let answer = site.get("/api/orders/recent");
        let recent = answer.json();
        let expected: Vec<String> = (2..12).rev().map(|number| format!("o{number}")).collect();
        assert_eq!(uids(&recent), expected, "{server:?}");
        let (target, _) = answer.header("link").split_once('>').unwrap();
        let rest = site.get(target.trim_start_matches('<')).json();
        assert_eq!(uids(&rest["orders"]), ["o1", "o0"], "{server:?}");
        let etag = answer.header("etag");
        let again = site.get_with("/api/orders/recent", &[("If-None-Match", etag)]);
        assert_eq!(again.status, 304, "{server:?}");
    }
}

/// Row 16, section 3: `limit` is 1 to 100 and `cursor` is one that was given out; else 400.
#[test]
fn row_16_odd_limits_and_cursors_are_refused() {
    for server in SERVERS {
        let site = Site::start(server);
        for limit in ["1", "100"] {
            assert_eq!(site.get(&format!("/orders?limit={limit}")).status, 200, "{limit}");
        }
        for limit in ["", "0", "101", "-1", "%2B5", "1.0", "x", "99999999999999999999"] {
            let answer = site.get(&format!("/orders?limit={limit}"));
            assert_eq!(answer.problem(), problem(400, "bad_limit"), "{server:?} {limit}");
        }
        for cursor in ["", "1", "%00", "AQAAAAAAAAA"] {
            let answer = site.get(&format!("/orders?cursor={cursor}"));
            assert_eq!(answer.problem(), problem(400, "bad_cursor"), "{server:?} {cursor}");
        }
        let twice = site.get("/orders?limit=1&limit=2");
        assert_eq!(twice.problem(), problem(400, "duplicate_parameter"), "{server:?}");
        assert_eq!(site.get("/orders?a=%zz").problem(), problem(400, "bad_query"), "{server:?}");
    }
}
