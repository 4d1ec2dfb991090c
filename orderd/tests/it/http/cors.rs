//! What pages of other sites may read.

use crate::http::site::Answer;
use crate::http::site::SERVERS;
use crate::http::site::Site;
use crate::http::site::order;
use crate::http::site::problem;

const SHOP: &str = "https://shop.example.com";

fn said(answer: &Answer) -> (&str, &str) {
    (answer.header("access-control-allow-origin"), answer.header("access-control-allow-methods"))
}

/// Section 3: CORS is off unless configured: no answer says a word about it.
#[test]
fn no_other_site_may_read_unless_it_is_configured() {
    for server in SERVERS {
        let site = Site::start(server);
        site.save(&[order("a", "Anna")]);
        let asked = [("Origin", SHOP), ("Access-Control-Request-Method", "GET")];
        for method in ["GET", "HEAD", "OPTIONS"] {
            for target in ["/orders/a", "/orders/unknown", "/orders", "/healthz"] {
                let answer = site.ask(method, target, &asked, b"");
                assert_eq!(said(&answer), ("", ""), "{server:?} {method} {target}");
                assert!(!answer.varies_by("Origin"), "{server:?} {method} {target}");
            }
        }
    }
}

/// Section 3: pages of a configured origin may read what is there, what isn't, and what failed, and
/// ask before they do; pages of others may not.
#[test]
fn pages_of_a_configured_origin_may_read() {
    for server in SERVERS {
        let site = Site::shared_with(server, SHOP);
        site.save(&[order("a", "Anna")]);
        for (target, status) in
            [("/orders/a", 200), ("/orders/unknown", 404), ("/orders?limit=0", 400)]
        {
            let own = site.get_with(target, &[("Origin", SHOP)]);
            assert_eq!((own.status, said(&own)), (status, (SHOP, "")), "{server:?} {target}");
            assert!(own.varies_by("Origin"), "{server:?} {target}");
            assert!(own.header("access-control-expose-headers").contains("X-Cache"));
            assert_eq!(own.header("access-control-allow-credentials"), "");
            for origin in ["https://evil.example", "http://shop.example.com", "null", ""] {
                let other = site.get_with(target, &[("Origin", origin)]);
                assert_eq!((other.status, said(&other)), (status, ("", "")), "{server:?} {origin}");
                assert!(other.varies_by("Origin"), "{server:?} {origin}");
            }
        }
        let ask = |origin| {
            let asked = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
            site.ask("OPTIONS", "/orders/a", &asked, b"")
        };
        let may = ask(SHOP);
        assert_eq!((may.status, said(&may)), (200, (SHOP, "GET, HEAD")), "{server:?}");
        assert_eq!(may.header("access-control-max-age"), "600");
        assert_eq!(said(&ask("https://evil.example")), ("", ""), "{server:?}");
    }
}

/// Section 3: a foreign `Origin` is refused for every request that writes, a configured one too.
#[test]
fn no_other_site_may_write_whatever_is_configured() {
    for server in SERVERS {
        let site = Site::shared_with(server, SHOP);
        let headers = [("Origin", SHOP), ("Content-Type", "application/json")];
        for (method, target) in [("POST", "/orders"), ("POST", "/random/1"), ("GET", "/random/1")] {
            let refused = site.ask(method, target, &headers, b"{}");
            assert_eq!(refused.problem(), problem(403, "foreign_origin"), "{server:?} {target}");
        }
        assert!(site.messages().is_empty(), "{server:?}");
    }
}
