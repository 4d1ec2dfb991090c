//! Posting orders.

use crate::http::site::Answer;
use crate::http::site::PATIENCE;
use crate::http::site::SERVERS;
use crate::http::site::Server;
use crate::http::site::Site;
use crate::http::site::problem;
use orderd::http::BODY_BYTES_MAX;
use orderd::http::Token;
use orderd::http::Writes;

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn demo(server: Server) -> Site {
    Site::with(server, Writes::Demo, PATIENCE)
}

fn post(site: &Site, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    site.ask("POST", "/orders", headers, body)
}

fn document(uid: &str) -> String {
    format!(r#"{{"order_uid":"{uid}","date_created":"2021-11-26T06:22:19Z","items":[{{}}]}}"#)
}

/// Section 3: POST `/orders` answers 202 when the topic has the orders, as they were sent.
#[test]
fn a_posted_order_is_in_the_topic() {
    for server in SERVERS {
        let site = demo(server);
        let one = document("one");
        let answer = post(&site, &[JSON], one.as_bytes());
        assert_eq!(answer.status, 202, "{server:?} {}", answer.text());
        assert_eq!(answer.json()["order_uids"], serde_json::json!(["one"]));
        assert_eq!(answer.header("location"), "/orders/one");
        let (two, three) = (document("two"), document("three"));
        let many = format!("[{two}, {three}]");
        let answer =
            post(&site, &[("Content-Type", "application/json; charset=utf-8")], many.as_bytes());
        assert_eq!(answer.status, 202, "{server:?} {}", answer.text());
        assert_eq!(answer.json()["order_uids"], serde_json::json!(["two", "three"]));
        let expected = [("one", one), ("two", two), ("three", three)]
            .map(|(uid, sent)| (uid.to_owned(), sent));
        assert_eq!(site.messages(), expected, "{server:?}");
    }
}

/// Section 3: 400 with all violations of all orders, and nothing of them is taken.
#[test]
fn every_violation_is_reported() {
    for server in SERVERS {
        let site = demo(server);
        let answer = post(&site, &[JSON], br#"{"order_uid":"","items":[{"price":"x"}]}"#);
        assert_eq!(answer.problem(), problem(400, "invalid_order"), "{server:?}");
        let problem_of = |answer: &Answer| {
            let errors = answer.json()["errors"].clone();
            let path = |error: &serde_json::Value| error["path"].as_str().unwrap().to_owned();
            let mut paths: Vec<String> = errors.as_array().unwrap().iter().map(path).collect();
            paths.sort();
            paths
        };
        assert_eq!(problem_of(&answer), ["date_created", "items[0].price", "order_uid"]);
        let mixed = format!(r#"[{}, {{"order_uid":"b","items":[{{}}]}}]"#, document("a"));
        let answer = post(&site, &[JSON], mixed.as_bytes());
        assert_eq!(problem_of(&answer), ["[1].date_created"], "{server:?}");
        for broken in ["", "{", "nonsense", "[]"] {
            let answer = post(&site, &[JSON], broken.as_bytes());
            assert_eq!(answer.problem(), problem(400, "invalid_order"), "{server:?} {broken:?}");
        }
        assert_eq!(site.messages(), []);
    }
}

/// Section 3: 413 for a body that is too long, announced or not; 415 for another type.
#[test]
fn long_and_foreign_bodies_are_refused() {
    for server in SERVERS {
        let site = demo(server);
        let long = vec![b' '; BODY_BYTES_MAX + 1];
        let answer = post(&site, &[JSON], &long);
        assert_eq!(answer.problem(), problem(413, "body_too_large"), "{server:?}");
        let mut chunked = format!("{:x}\r\n", long.len()).into_bytes();
        chunked.extend_from_slice(&long);
        chunked.extend_from_slice(b"\r\n0\r\n\r\n");
        let answer = post(&site, &[JSON, ("Transfer-Encoding", "chunked")], &chunked);
        assert_eq!(answer.problem(), problem(413, "body_too_large"), "{server:?}");
        for headers in [&[("Content-Type", "text/plain")][..], &[]] {
            let answer = post(&site, headers, document("a").as_bytes());
            assert_eq!(answer.problem(), problem(415, "not_json"), "{server:?} {headers:?}");
        }
        // What fits into a body may still be more than the topic takes with its key.
        for (length, status) in [(BODY_BYTES_MAX - 1024, 202), (BODY_BYTES_MAX, 422)] {
            let mut body = vec![b' '; length - document("a").len()];
            body.extend_from_slice(document("a").as_bytes());
            assert_eq!(post(&site, &[JSON], &body).status, status, "{server:?}");
        }
    }
}

/// Section 3: 413 for a length that is only announced, without waiting for the body. On the default
/// server alone: the other one reads a body whatever its length, as its documentation says.
#[test]
fn an_absurd_length_is_refused_at_once() {
    let site = demo(Server::Axum);
    let length = ("Content-Length", "99999999999999");
    let answer = post(&site, &[JSON, length], b"");
    assert_eq!(answer.problem(), problem(413, "body_too_large"));
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(site.get("/healthz").status, 200);
}

/// Section 3: off unless enabled; the token always, except under the demo.
#[test]
fn writing_needs_leave() {
    for server in SERVERS {
        let body = document("a");
        let off = post(&Site::start(server), &[JSON], body.as_bytes());
        assert_eq!(off.problem(), problem(403, "writes_off"), "{server:?}");
        let site = Site::with(server, Writes::Token(Token::new("open sesame")), PATIENCE);
        for headers in [&[JSON][..], &[JSON, ("Authorization", "Bearer open sesam")]] {
            let answer = post(&site, headers, body.as_bytes());
            assert_eq!(answer.problem(), problem(401, "token_required"), "{server:?}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let token = ("Authorization", "Bearer open sesame");
        assert_eq!(post(&site, &[JSON, token], body.as_bytes()).status, 202, "{server:?}");
    }
}

/// Section 3: a foreign `Origin`, cross-site fetches and a foreign `Host` are refused.
#[test]
fn foreign_sites_cannot_write() {
    for server in SERVERS {
        let site = demo(server);
        let own = format!("http://{}", site.address);
        for (header, status) in [
            (("Origin", own.as_str()), 202),
            (("Host", "orders.example.com"), 202),
            (("Sec-Fetch-Site", "same-origin"), 202),
            (("Origin", "http://evil.example"), 403),
            (("Origin", "null"), 403),
            (("Sec-Fetch-Site", "cross-site"), 403),
            (("Host", "evil.example"), 403),
        ] {
            let answer = post(&site, &[JSON, header], document("a").as_bytes());
            assert_eq!(answer.status, status, "{server:?} {header:?}");
        }
    }
}
