//! Dead letters over HTTP, on both servers.

use crate::http::site::PATIENCE;
use crate::http::site::SERVERS;
use crate::http::site::Server;
use crate::http::site::Site;
use crate::http::site::problem;
use orderd::http::Token;
use orderd::http::Writes;
use orderd::order::decode::Part;
use orderd::store::DeadLetter;
use orderd::store::Origin;

/// A message that tries to be a page, with an order that is valid by the rules of the site.
const PAYLOAD: &str = r#"{"order_uid":"mended","date_created":"2021-11-26T06:22:19Z",
    "items":[{"name":"<script>alert(1)</script>"}]}"#;

fn letter(offset: i64, code: &str, payload: &'static [u8]) -> DeadLetter {
    DeadLetter {
        origin: Origin { partition: 0, offset, element: 0 },
        code: code.to_owned(),
        reason: format!("<b>{code}</b> at {offset}"),
        part: Part::Message,
        payload: payload.into(),
    }
}

/// A site with three letters: one that is an order by now, one that isn't, and one of any bytes.
fn site(server: Server, writes: Writes) -> Site {
    let site = Site::with(server, writes, PATIENCE);
    site.save_letters(&[
        letter(0, "required", PAYLOAD.as_bytes()),
        letter(1, "type", b"{\"items\":[{\"price\":\"x\"}]}"),
        letter(2, "syntax", b"\xff<html>"),
    ]);
    site
}

/// Row 6 and the issue: letters are listed newest first, by page, state and reason, and each is
/// shown with its bytes, which are never an answer by themselves.
#[test]
fn letters_are_listed_and_shown() {
    for server in SERVERS {
        let site = site(server, Writes::Demo);
        let listed = |target: &str| {
            let answer = site.get(target);
            assert_eq!(answer.status, 200, "{server:?} {}", answer.text());
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("cache-control"), "no-store");
            answer.json()
        };
        let codes = |page: &serde_json::Value| -> Vec<String> {
            let letters = page["dead_letters"].as_array().unwrap().iter();
            letters.map(|letter| letter["code"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(codes(&listed("/dead-letters")), ["syntax", "type", "required"]);
        let first = site.get("/dead-letters?limit=2");
        let next = first.header("link").strip_prefix('<').unwrap().split('>').next().unwrap();
        let second = listed(next);
        assert_eq!((codes(&first.json()).len(), codes(&second)), (2, vec!["required".to_owned()]));
        assert_eq!(second["next_cursor"], serde_json::Value::Null);
        assert_eq!(codes(&listed("/dead-letters?code=type")), ["type"]);
        assert_eq!(codes(&listed("/dead-letters?reason=at+2&state=all")), ["syntax"]);
        assert!(codes(&listed("/dead-letters?state=dropped")).is_empty());

        let bytes = listed("/dead-letters/3");
        assert_eq!(
            (bytes["payload"].as_str(), &bytes["payload_text"]),
            (Some("/zxodG1sPg=="), &serde_json::Value::Null)
        );
        assert_eq!(listed("/dead-letters/1")["payload_text"], PAYLOAD);
        let origin = serde_json::json!({
            "topic": "orders", "partition": 0, "offset": 1, "element": 0
        });
        assert_eq!(listed("/dead-letters/2")["origin"], origin);
        for (target, expected) in [
            ("/dead-letters/99", problem(404, "dead_letter_not_found")),
            ("/dead-letters/one", problem(400, "bad_dead_letter_id")),
            ("/dead-letters/", problem(400, "bad_dead_letter_id")),
            ("/dead-letters?state=lost", problem(400, "bad_state")),
            ("/dead-letters?limit=0", problem(400, "bad_limit")),
            ("/dead-letters?cursor=x", problem(400, "bad_cursor")),
        ] {
            assert_eq!(site.get(target).problem(), expected, "{server:?} {target}");
        }
    }
}

/// Issue: replay over HTTP lands a letter once and serves its order; what is no order yet is told
/// with all its violations; a letter is dropped, and then replayed by force only.
#[test]
fn letters_are_replayed_and_dropped() {
    for server in SERVERS {
        let site = site(server, Writes::Demo);
        assert_eq!(site.get("/orders/mended").status, 404);
        let post = |target: &str| site.ask("POST", target, &[], b"");
        let answer = post("/dead-letters/1/replay");
        assert_eq!(answer.status, 200, "{server:?} {}", answer.text());
        let order = serde_json::json!([{ "order_uid": "mended", "outcome": "inserted" }]);
        assert_eq!(answer.json()["orders"], order);
        let served = site.get("/orders/mended");
        assert_eq!((served.status, served.header("x-cache")), (200, "HIT"), "{server:?}");
        let again = post("/dead-letters/1/replay?force");
        assert_eq!((again.status, &again.json()["outcome"]), (200, &"already_replayed".into()));

        let bad = post("/dead-letters/2/replay");
        assert_eq!(bad.problem(), problem(422, "invalid_order"), "{server:?}");
        assert!(bad.json()["errors"].as_array().unwrap().len() >= 3, "{}", bad.text());
        assert_eq!(
            post("/dead-letters/99/replay").problem(),
            problem(404, "dead_letter_not_found")
        );
        assert_eq!(post("/dead-letters/3/replay?force=x").problem(), problem(400, "bad_force"));

        // Dropped twice comes to the same; a replayed letter can't be dropped.
        assert_eq!(post("/dead-letters/2/drop").status, 200, "{server:?}");
        assert_eq!(site.ask("DELETE", "/dead-letters/2", &[], b"").status, 200);
        assert_eq!(post("/dead-letters/1/drop").problem(), problem(409, "dead_letter_settled"));
        assert_eq!(site.get("/dead-letters").json()["dead_letters"].as_array().unwrap().len(), 1);
        let wrong = site.ask("POST", "/dead-letters/1", &[], b"");
        assert_eq!(wrong.problem(), problem(405, "method_not_allowed"));
        assert_eq!(
            site.get("/dead-letters/1/replay").problem(),
            problem(405, "method_not_allowed")
        );
    }
}

/// Issue: a replay that would undo a later message is refused and names it, unless it is forced.
#[test]
fn an_overtaken_letter_is_a_conflict() {
    for server in SERVERS {
        let site = site(server, Writes::Demo);
        site.save(&[crate::http::site::order("mended", "later")]);
        let refused = site.ask("POST", "/dead-letters/1/replay", &[], b"");
        assert_eq!(refused.problem(), problem(409, "dead_letter_overtaken"), "{server:?}");
        assert!(refused.json()["detail"].as_str().unwrap().contains("orders/0/3/0"));
        let forced = site.ask("POST", "/dead-letters/1/replay?force=true", &[], b"");
        assert_eq!(forced.json()["orders"][0]["outcome"], "replaced", "{server:?}");
    }
}

/// Section 3 and the issue: dead letters hold customers' data, so whoever reads or settles them
/// needs what a writer needs: the token, and a request that no foreign site made.
#[test]
fn only_writers_see_dead_letters() {
    let all = [
        ("GET", "/dead-letters"),
        ("GET", "/dead-letters/1"),
        ("POST", "/dead-letters/1/replay"),
        ("POST", "/dead-letters/1/drop"),
        ("DELETE", "/dead-letters/1"),
    ];
    for server in SERVERS {
        let off = site(server, Writes::Off);
        let guarded = site(server, Writes::Token(Token::new("open sesame")));
        let demo = site(server, Writes::Demo);
        for (method, target) in all {
            let ask = |site: &Site, headers: &[(&str, &str)]| {
                site.ask(method, target, headers, b"").problem()
            };
            let place = format!("{server:?} {method} {target}");
            assert_eq!(ask(&off, &[]), problem(403, "writes_off"), "{place}");
            assert_eq!(ask(&guarded, &[]), problem(401, "token_required"), "{place}");
            let wrong = ("Authorization", "Bearer close sesame");
            assert_eq!(ask(&guarded, &[wrong]), problem(401, "token_required"), "{place}");
            for (name, value, code) in [
                ("Origin", "https://evil.example", "foreign_origin"),
                ("Sec-Fetch-Site", "cross-site", "foreign_origin"),
                ("Host", "evil.example", "foreign_host"),
            ] {
                assert_eq!(ask(&demo, &[(name, value)]), problem(403, code), "{place}");
            }
        }
        let token = ("Authorization", "Bearer open sesame");
        assert_eq!(guarded.get_with("/dead-letters", &[token]).status, 200, "{server:?}");
        let replayed = guarded.ask("POST", "/dead-letters/1/replay", &[token], b"");
        assert_eq!(replayed.status, 200, "{server:?} {}", replayed.text());
    }
}
