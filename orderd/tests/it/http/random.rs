//! Row 14: `/random/{n}` makes, sends and returns orders.

use crate::http::site::PATIENCE;
use crate::http::site::SERVERS;
use crate::http::site::Site;
use crate::http::site::problem;
use orderd::http::Token;
use orderd::http::Writes;

/// Row 14: POST, and GET as in the seed, answer with the orders that are in the topic then.
#[test]
fn the_orders_that_are_returned_are_in_the_topic() {
    for server in SERVERS {
        let site = Site::with(server, Writes::Demo, PATIENCE);
        let uid = |order: &serde_json::Value| order["order_uid"].as_str().unwrap().to_owned();
        let mut returned = Vec::new();
        for (method, count) in [("POST", 3), ("GET", 1), ("POST", 100)] {
            let answer = site.ask(method, &format!("/random/{count}"), &[], b"");
            assert_eq!(answer.status, 200, "{server:?} {}", answer.text());
            let orders = answer.json();
            assert_eq!(orders.as_array().unwrap().len(), count, "{server:?} {method}");
            returned.extend(orders.as_array().unwrap().iter().map(uid));
        }
        let sent: Vec<_> = site.messages().into_iter().map(|(key, _)| key).collect();
        assert_eq!(sent, returned, "{server:?}");
        let most = site.ask("POST", "/random/1000", &[], b"").json();
        assert_eq!(most.as_array().unwrap().len(), 1000, "{server:?}");
    }
}

/// Row 14: 400, as a page for a browser, for anything but a natural number up to 1000.
#[test]
fn anything_but_a_natural_number_is_refused() {
    for server in SERVERS {
        let site = Site::with(server, Writes::Demo, PATIENCE);
        for count in ["0", "1001", "-1", "+1", "1.0", "x", "", "%31", "99999999999999999999"] {
            let target = format!("/random/{count}");
            let answer = site.ask("POST", &target, &[], b"");
            assert_eq!(answer.problem(), problem(400, "bad_count"), "{server:?} {count}");
            let page = site.ask("GET", &target, &[("Accept", "text/html")], b"");
            assert_eq!(page.status, 400, "{server:?} {count}");
            assert!(page.header("content-type").starts_with("text/html"), "{server:?} {count}");
        }
        assert!(site.messages().is_empty(), "{server:?}");
    }
}

/// Section 3: it writes, so it is for those who may write; and a HEAD makes nothing.
#[test]
fn only_those_who_may_write_make_orders() {
    for server in SERVERS {
        let site = Site::with(server, Writes::Token(Token::new("secret")), PATIENCE);
        for method in ["GET", "POST"] {
            let refused = site.ask(method, "/random/1", &[], b"");
            assert_eq!(refused.problem(), problem(401, "token_required"), "{server:?}");
            let token = [("Authorization", "Bearer secret")];
            assert_eq!(site.ask(method, "/random/1", &token, b"").status, 200, "{server:?}");
            let foreign = [token[0], ("Origin", "https://evil.example")];
            let refused = site.ask(method, "/random/1", &foreign, b"");
            assert_eq!(refused.problem(), problem(403, "foreign_origin"), "{server:?}");
        }
        assert_eq!(site.ask("HEAD", "/random/1", &[], b"").status, 405, "{server:?}");
        assert_eq!(site.messages().len(), 2, "{server:?}");
        let off = Site::start(server);
        let refused = off.ask("POST", "/random/1", &[], b"");
        assert_eq!(refused.problem(), problem(403, "writes_off"), "{server:?}");
    }
}
