//! HTTP itself: methods, limits, ids, health.

use crate::http::site::SERVERS;
use crate::http::site::Site;
use crate::http::site::problem;
use orderd::clock::Clock;
use orderd::supervise::readiness::Part;

/// Section 3: 405 with `Allow`, 501 for unknown methods, OPTIONS.
#[test]
fn methods_are_answered_as_http_says() {
    for server in SERVERS {
        let site = Site::start(server);
        for (method, target, allow) in [
            ("POST", "/orders/a", "GET, HEAD, OPTIONS"),
            ("DELETE", "/orders", "GET, HEAD, POST, OPTIONS"),
            ("PUT", "/", "GET, HEAD, OPTIONS"),
            ("POST", "/healthz", "GET, HEAD, OPTIONS"),
            ("PATCH", "/assets/orderd.css", "GET, HEAD, OPTIONS"),
        ] {
            let answer = site.ask(method, target, &[], b"");
            assert_eq!(answer.problem(), problem(405, "method_not_allowed"), "{method} {target}");
            assert_eq!(answer.header("allow"), allow, "{server:?} {method} {target}");
            let options = site.ask("OPTIONS", target, &[], b"");
            assert_eq!((options.status, options.header("allow")), (200, allow), "{server:?}");
        }
        let unknown = site.ask("BREW", "/orders/a", &[], b"");
        assert_eq!(unknown.problem(), problem(501, "unknown_method"), "{server:?}");
        assert_eq!(site.get("/nothing").problem(), problem(404, "no_such_page"), "{server:?}");
    }
}

/// Section 3: 414 and 431 for what is too long, 400 for what isn't HTTP/1.1.
#[test]
fn heads_have_limits() {
    for server in SERVERS {
        let site = Site::start(server);
        let long = "a".repeat(9000);
        let target = site.get(&format!("/orders/{long}"));
        assert_eq!(target.problem(), problem(414, "address_too_long"), "{server:?}");
        let headers = [("A", long.as_str()), ("B", long.as_str())];
        let answer = site.get_with("/", &headers);
        assert_eq!(answer.problem(), problem(431, "headers_too_large"), "{server:?}");
        let nameless = site.send(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_eq!(nameless.problem(), problem(400, "bad_host"), "{server:?}");
        let old = site.send(b"GET /healthz HTTP/1.0\r\n\r\n");
        assert_eq!(old.status, 200, "{server:?}");
        assert_eq!(site.send(b"nonsense\r\n\r\n").status, 400, "{server:?}");
    }
}

/// Section 3: an `X-Request-Id`, taken over if sane, else made.
#[test]
fn every_answer_has_a_request_id() {
    for server in SERVERS {
        let site = Site::start(server);
        for target in ["/", "/healthz", "/orders/a", "/nothing"] {
            let taken = site.get_with(target, &[("X-Request-Id", "aB1._-")]);
            assert_eq!(taken.header("x-request-id"), "aB1._-", "{server:?} {target}");
            let (one, other) =
                (site.get(target), site.get_with(target, &[("X-Request-Id", "a b")]));
            assert_eq!(one.header("x-request-id").len(), 36, "{server:?} {target}");
            assert_eq!(other.header("x-request-id").len(), 36, "{server:?} {target}");
            assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
        }
    }
}

/// Section 3: `/healthz` asks nothing else; `/readyz` says which part isn't ready.
#[test]
fn health_says_what_is_missing() {
    for server in SERVERS {
        let site = Site::start(server);
        assert_eq!(site.get("/healthz").status, 200, "{server:?}");
        let waiting = site.get("/readyz");
        assert_eq!((waiting.status, waiting.header("retry-after")), (503, "1"), "{server:?}");
        assert_eq!(waiting.json()["parts"]["store"], "not reached yet");
        site.readiness.confirm(Part::Store, Clock::system().now());
        site.readiness.missing(Part::Topic, "the topic orders can't be reached");
        let metrics = site.get("/metrics");
        assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let counted = r#"{method="GET",route="/healthz",status="200"} 1"#;
        assert!(metrics.text().contains(counted), "{server:?} {}", metrics.text());
        let parts = site.get("/readyz").json()["parts"].clone();
        assert_eq!(parts["store"], "ok");
        assert_eq!(parts["topic"], "the topic orders can't be reached");
        site.readiness.confirm(Part::Topic, Clock::system().now());
        let ready = site.get("/readyz");
        assert_eq!((ready.status, ready.header("cache-control")), (200, "no-store"));
        site.readiness.missing(Part::Running, "the daemon is stopping");
        assert_eq!(site.get("/readyz").status, 503, "{server:?}");
        assert_eq!(site.get("/healthz").status, 200, "{server:?}");
    }
}
