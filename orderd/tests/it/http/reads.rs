//! Reading one order.

use crate::http::site::Answer;
use crate::http::site::Mode;
use crate::http::site::PATIENCE;
use crate::http::site::SERVERS;
use crate::http::site::Site;
use crate::http::site::order;
use crate::http::site::problem;
use orderd::http::Writes;
use std::io::Write as _;
use std::time::Duration;

/// Row 15: every path of the seeds answers with the order, by one handler.
#[test]
fn row_15_every_path_of_the_seeds_answers() {
    for server in SERVERS {
        let site = Site::start(server);
        let stored = order("b563feb7b2b84b6test", "Test Testov");
        site.save(std::slice::from_ref(&stored));
        for target in [
            "/orders/b563feb7b2b84b6test",
            "/order/b563feb7b2b84b6test",
            "/api/order/b563feb7b2b84b6test",
            "/orders/b563feb7b2b84b6%74est",
            "/api/getOrder?OrderUID=b563feb7b2b84b6test",
            "/api/getOrder?uuid=b563feb7b2b84b6test&_=1",
        ] {
            let answer = site.get(target);
            assert_eq!(answer.status, 200, "{server:?} {target}");
            assert_eq!(answer.body, *stored.body(), "{server:?} {target}");
            assert_eq!(answer.header("content-type"), "application/json");
        }
        for name in ["order_uid", "OrderUID", "uuid"] {
            let body = format!(r#"{{"{name}":"b563feb7b2b84b6test"}}"#);
            for method in ["GET", "POST"] {
                let answer = site.ask(method, "/api/getOrder", &[], body.as_bytes());
                assert_eq!(answer.body, *stored.body(), "{server:?} {method} {body}");
            }
        }
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = site.ask("POST", "/api/getOrder", &form, b"OrderUID=b563feb7b2b84b6test");
        assert_eq!(answer.body, *stored.body());
        for (body, code) in [
            ("", "order_uid_required"),
            ("{}", "order_uid_required"),
            ("[]", "bad_body"),
            (r#"{"uuid":1}"#, "bad_order_uid"),
            (r#"{"uuid":"a","OrderUID":"b"}"#, "duplicate_parameter"),
        ] {
            let answer = site.ask("POST", "/api/getOrder", &[], body.as_bytes());
            assert_eq!(answer.problem(), problem(400, code), "{server:?} {body}");
        }
        let twice = site.get("/api/getOrder?OrderUID=a&OrderUID=b");
        assert_eq!(twice.problem(), problem(400, "duplicate_parameter"));
    }
}

/// Issue: asked twice, `X-Cache` says MISS and then HIT, and the body is the same byte for byte.
/// Row 10 and section 3: the time taken, the entity tag, and who may keep the answer.
#[test]
fn row_9_a_miss_is_cached_and_a_hit_is_the_same() {
    for server in SERVERS {
        let site = Site::start(server);
        let stored = order("a", "Test Testov");
        site.save(std::slice::from_ref(&stored));
        let miss = site.get("/orders/a");
        let hit = site.get("/orders/a");
        assert_eq!(miss.header("x-cache"), "MISS", "{server:?}");
        assert_eq!(hit.header("x-cache"), "HIT", "{server:?}");
        assert!(miss.header("server-timing").starts_with("db;dur="), "{miss:?}");
        assert!(hit.header("server-timing").starts_with("cache;dur="), "{hit:?}");
        assert_eq!(miss.body, hit.body);
        for answer in [&miss, &hit] {
            assert_eq!(answer.header("etag"), stored.digest().etag());
            assert_eq!(answer.header("cache-control"), "private, no-cache");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        }
    }
}

/// Section 3: HEAD has the headers of GET and no body.
#[test]
fn head_is_get_without_a_body() {
    for server in SERVERS {
        let site = Site::start(server);
        site.save(&[order("a", "Test Testov")]);
        site.get("/orders/a");
        for target in ["/orders/a", "/orders/unknown", "/healthz", "/orders", "/"] {
            let get = site.get(target);
            let head = site.ask("HEAD", target, &[], b"");
            assert_eq!(head.status, get.status, "{server:?} {target}");
            assert_eq!(head.body, b"", "{server:?} {target}");
            for name in ["content-type", "etag", "cache-control", "content-length"] {
                assert_eq!(head.header(name), get.header(name), "{server:?} {target} {name}");
            }
        }
    }
}

/// Section 3: 304 to a matching `If-None-Match`, from the cache and from the store.
#[test]
fn a_copy_that_is_current_is_not_sent_again() {
    for server in SERVERS {
        let site = Site::start(server);
        let stored = order("a", "Test Testov");
        site.save(std::slice::from_ref(&stored));
        let etag = stored.digest().etag();
        let weak = format!("\"x\", W/{etag}");
        for sent in [etag.as_str(), weak.as_str(), "*"] {
            let answer = site.get_with("/orders/a", &[("If-None-Match", sent)]);
            assert_eq!(answer.status, 304, "{server:?} {sent}");
            assert_eq!(answer.body, b"");
            assert_eq!(answer.header("etag"), etag);
            assert_eq!(answer.header("cache-control"), "private, no-cache");
        }
        let any = [("If-None-Match", "*")];
        assert_eq!(site.ask("POST", "/api/getOrder?uuid=a", &any, b"").status, 200, "{server:?}");
        let other = site.get_with("/orders/a", &[("If-None-Match", "\"x\"")]);
        assert_eq!((other.status, other.body), (200, stored.body().to_vec()));
    }
}

/// Section 3: 400 for what is no id, 404 for an unknown one; row 18: with their real status codes.
#[test]
fn row_18_malformed_and_unknown_ids_are_told_apart() {
    for server in SERVERS {
        let site = Site::start(server);
        let long = format!("/orders/{}", "a".repeat(65));
        for target in
            ["/orders/", "/orders/a%20b", "/orders/a%2Fb", "/orders/%ff", "/orders/%4", &long]
        {
            assert_eq!(site.get(target).problem(), problem(400, "bad_order_uid"), "{target}");
        }
        for cache in ["MISS", "HIT"] {
            let unknown = site.get("/orders/unknown");
            assert_eq!(unknown.problem(), problem(404, "order_not_found"), "{server:?}");
            assert_eq!(unknown.header("x-cache"), cache, "{server:?}");
            let timing = if cache == "HIT" { "cache;dur=" } else { "db;dur=" };
            assert!(unknown.header("server-timing").starts_with(timing), "{server:?} {unknown:?}");
        }
    }
}

/// Section 3: 503 with `Retry-After` if the store is away and the order isn't cached, 504 if it is
/// too slow; what is cached is served all the same.
#[test]
fn cached_orders_outlive_the_store() {
    for server in SERVERS {
        let site = Site::with(server, Writes::Off, Duration::from_millis(100));
        site.save(&[order("a", "Test Testov"), order("b", "Test Testov")]);
        assert_eq!(site.get("/orders/a").status, 200);
        site.set(Mode::IsAway);
        let away = site.get("/orders/b");
        assert_eq!(away.problem(), problem(503, "store_unavailable"), "{server:?}");
        assert_eq!((away.header("retry-after"), away.header("x-cache")), ("1", "MISS"));
        assert!(away.header("server-timing").starts_with("db;dur="), "{server:?} {away:?}");
        assert_eq!(site.get("/orders").problem(), problem(503, "store_unavailable"));
        assert_eq!(site.get("/orders/a").header("x-cache"), "HIT");
        site.set(Mode::Stalls);
        let slow = site.get("/orders/b");
        assert_eq!(slow.problem(), problem(504, "store_too_slow"));
        assert_eq!(slow.header("x-cache"), "MISS");
        let took = slow.header("server-timing").strip_prefix("db;dur=").unwrap();
        assert!(took.parse::<f64>().unwrap() >= 100.0, "{server:?} {slow:?}");
        assert_eq!(site.get("/orders/a").header("x-cache"), "HIT");
        site.release();
    }
}

/// Section 3: 503 when overloaded; a hit never waits behind misses.
#[test]
fn hits_are_answered_while_misses_wait() {
    const MISSES: usize = 40;
    for server in SERVERS {
        let site = Site::with(server, Writes::Off, PATIENCE);
        site.save(&[order("a", "Test Testov")]);
        assert_eq!(site.get("/orders/a").status, 200);
        // Connected before the crowd, since `tiny_http` leaves some of a crowd waiting.
        let mut open = site.connect();
        let request = b"GET /orders/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
        open.write_all(request).unwrap();
        assert_eq!(Answer::read(&mut open).header("x-cache"), "HIT");
        site.set(Mode::Stalls);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let misses: Vec<_> = (0..MISSES)
                .map(|number| {
                    let site = &site;
                    scope.spawn(move || site.get(&format!("/orders/unknown-{number}")).status)
                })
                .collect();
            site.wait_stalled();
            open.write_all(request).unwrap();
            assert_eq!(Answer::read(&mut open).header("x-cache"), "HIT", "{server:?}");
            site.release();
            misses.into_iter().map(|miss| miss.join().unwrap()).collect()
        });
        assert!(statuses.contains(&404), "{server:?} {statuses:?}");
        assert!(statuses.iter().all(|status| [404, 503].contains(status)), "{statuses:?}");
    }
}

/// Row 20: what is in hand when the word to stop comes is answered, and every thread ends.
#[test]
fn row_20_requests_in_hand_are_answered_on_stop() {
    for server in SERVERS {
        let site = Site::start(server);
        site.save(&[order("a", "Test Testov")]);
        site.set(Mode::Stalls);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| site.get("/orders/a").status);
            site.wait_stalled();
            site.crew.stop_token().stop();
            site.release();
            assert_eq!(asked.join().unwrap(), 200, "{server:?}");
        });
        assert_eq!(site.crew.stop_and_join(PATIENCE), Vec::<String>::new(), "{server:?}");
    }
}
