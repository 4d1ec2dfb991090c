//! Clients that mean harm or know no better. What `tiny_http` can't withstand,
//! `docs/http-servers.md` says; the rest is asked of both servers.

use crate::http::site::Answer;
use crate::http::site::PATIENCE;
use crate::http::site::SERVERS;
use crate::http::site::Server;
use crate::http::site::Site;
use crate::http::site::order;
use crate::http::site::problem;
use orderd::http::BODY_BYTES_MAX;
use orderd::http::Limits;
use orderd::http::Writes;
use std::io::Read as _;
use std::io::Write as _;
use std::net::Shutdown;
use std::net::TcpStream;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(300);

fn site_with(limits: Limits) -> Site {
    Site::limited(Server::Axum, Writes::Demo, PATIENCE, limits)
}

/// Everything that comes until the server closes.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset ends it as well as an end does.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

fn answers(bytes: &[u8]) -> usize {
    bytes.windows(9).filter(|window| window == b"HTTP/1.1 ").count()
}

/// Issue: absurd and conflicting lengths are answered, and nothing that follows is a request.
#[test]
fn two_readers_cannot_read_a_request_in_two_ways() {
    let absurd = "Content-Length: 99999999999999\r\n";
    for (fields, expected, server) in [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", (400, "bad_length"), None),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", (400, "bad_length"), None),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", (400, "bad_length"), None),
        ("Transfer-Encoding: gzip, chunked\r\n", (501, "unknown_transfer_coding"), None),
        ("Transfer-Encoding: chunked, chunked\r\n", (400, "bad_length"), None),
        ("Content-Length: +5\r\n", (400, "bad_length"), None),
        ("Content-Length: 5, 5\r\n", (400, "bad_length"), None),
        (absurd, (413, "body_too_large"), Some(Server::Axum)),
        ("Content-Length : 5\r\n", (400, "bad_request"), Some(Server::Axum)),
        ("X: a\r\n folded\r\n", (400, "bad_request"), Some(Server::Axum)),
        ("X: a\0b\r\n", (400, "bad_request"), Some(Server::Axum)),
    ] {
        for server in SERVERS.into_iter().filter(|each| server.is_none_or(|one| one == *each)) {
            let site = Site::start(server);
            let mut stream = site.connect();
            let head = format!("POST /orders HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            let smuggled = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
            stream.write_all(smuggled).unwrap();
            // tiny_http reads on behind what it framed by itself, and can't be told not to.
            if server == Server::TinyHttp {
                stream.shutdown(Shutdown::Write).unwrap();
            }
            let got = rest(&mut stream);
            let answer = Answer::parse(&got).unwrap();
            if server == Server::Axum {
                assert_eq!(answer.problem(), problem(expected.0, expected.1), "{fields:?}");
                assert_eq!(answers(&got), 1, "{fields:?}");
            }
            assert_eq!(answer.status, expected.0, "{server:?} {fields:?}");
        }
    }
}

/// Section 3: what never reaches a handler is a problem document too, for GET and HEAD, with the
/// request's own id.
#[test]
fn refused_heads_have_documents() {
    let site = Site::start(Server::Axum);
    let long = "a".repeat(40_000);
    let target = site.send(format!("GET /{long} HTTP/1.1\r\n\r\n").as_bytes());
    assert_eq!(target.problem(), problem(414, "address_too_long"));
    let header = site.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n").as_bytes());
    assert_eq!(header.problem(), problem(431, "headers_too_large"));
    let many = "X: y\r\n".repeat(200);
    let many = site.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n").as_bytes());
    assert_eq!(many.problem(), problem(431, "headers_too_large"));
    let version = site.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(version.problem(), problem(505, "unknown_version"));
    assert_eq!(site.send(b"\x16\x03\x01\x02\x00\x01\x00").problem(), problem(400, "bad_request"));
    let fields = "Content-Length: 1\r\nContent-Length: 2\r\nX-Request-Id: mine\r\n";
    let named = site.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes());
    assert_eq!((named.status, named.header("x-request-id")), (400, "mine"));
    assert_eq!(named.header("connection"), "close");
    assert!(named.header("date").ends_with(" GMT"));
    let head = site.send(format!("HEAD / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes());
    assert_eq!((head.status, head.body.len()), (400, 0));
}

/// Issue: a deadline for the head, however its bytes drip in, and one for the body.
#[test]
fn slow_requests_are_ended() {
    let limits = Limits { head_wait_max: SOON, body_wait_max: SOON, ..Limits::default() };
    let site = site_with(limits);
    let mut half = site.connect();
    half.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n").unwrap();
    assert_eq!(Answer::parse(&rest(&mut half)).unwrap().problem(), problem(408, "head_too_slow"));
    let mut dripping = site.connect();
    dripping.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    dripping.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut got = Vec::new();
    for _ in 0..PATIENCE.as_millis() / 20 {
        // Once the server has closed, writing fails; what counts is what it said before.
        let _ = dripping.write_all(b"x");
        let mut chunk = [0; 1024];
        match dripping.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => got.extend_from_slice(&chunk[..count]),
            Err(_) => {}
        }
    }
    assert_eq!(Answer::parse(&got).unwrap().status, 408);
    let mut body = site.connect();
    let head = "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{";
    body.write_all(head.as_bytes()).unwrap();
    assert_eq!(Answer::parse(&rest(&mut body)).unwrap().problem(), problem(408, "body_too_slow"));
}

/// Issue: an idle connection is closed, used or not, and one that is used goes on.
#[test]
fn idle_connections_are_closed() {
    let site = site_with(Limits { idle_wait_max: SOON, ..Limits::default() });
    let (mut unused, mut used) = (site.connect(), site.connect());
    used.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(Answer::read(&mut used).status, 200);
    assert_eq!(rest(&mut unused), b"");
    assert_eq!(rest(&mut used), b"");
}

/// Issue: a client that sends requests and takes no answers is cut off, and costs others nothing.
#[test]
fn answers_that_nobody_takes_end_their_connection() {
    let site = site_with(Limits { write_wait_max: SOON, ..Limits::default() });
    site.save(&[order("a", &"x".repeat(1000))]);
    let request = b"GET /orders/a HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    for mut stream in [site.connect(), site.connect()] {
        // 400 MB would be more than the sockets on both sides hold.
        let error = (0..100_000).find_map(|_| stream.write_all(&request).err()).unwrap();
        // The server ended it, and not this test's patience.
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(site.get("/orders/a").status, 200);
    }
}

/// Issue: at the cap on connections the one that was idle longest goes, and none that is used.
#[test]
fn the_longest_idle_connection_makes_room() {
    let site = site_with(Limits { connections_max: 8, ..Limits::default() });
    let ask = |stream: &mut TcpStream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert_eq!(Answer::read(stream).status, 200);
    };
    let mut open: Vec<_> = (0..8).map(|_| site.connect()).collect();
    for stream in &mut open {
        ask(stream);
    }
    // The first was used last of all.
    ask(&mut open[0]);
    for _ in 0..4 {
        ask(&mut site.connect());
    }
    ask(&mut open[0]);
    assert_eq!(rest(&mut open[1]), b"");
}

/// Issue: what a client sends ahead is answered in order; what isn't framed by a length ends with
/// its connection.
#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let site = Site::start(Server::Axum);
    site.save(&[order("a", "A"), order("b", "B")]);
    let get = |uid: &str, more: &str| {
        format!("GET /orders/{uid} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
    };
    let mut stream = site.connect();
    let ahead = [get("a", ""), get("b", ""), get("none", ""), get("a", "Connection: close\r\n")];
    stream.write_all(ahead.concat().as_bytes()).unwrap();
    let got = String::from_utf8(rest(&mut stream)).unwrap();
    let lines: Vec<_> = got.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(lines, ["200", "200", "404", "200"]);
    let mut chunked = site.connect();
    let coded = get("a", "Transfer-Encoding: chunked\r\n") + "1\r\nx\r\n0\r\n\r\n" + &get("b", "");
    chunked.write_all(coded.as_bytes()).unwrap();
    let got = rest(&mut chunked);
    let answer = Answer::parse(&got).unwrap();
    assert_eq!((answer.status, answer.header("connection"), answers(&got)), (200, "close", 1));
}

/// Section 3: a body beyond the limit is refused before it is sent, and one at the limit isn't.
#[test]
fn bodies_are_taken_up_to_their_limit() {
    let site = site_with(Limits::default());
    let at_limit = vec![b' '; BODY_BYTES_MAX];
    let headers = [("Content-Type", "application/json"), ("Expect", "100-continue")];
    let answer = site.ask("POST", "/orders", &headers[..1], &at_limit);
    assert_eq!(answer.problem(), problem(400, "invalid_order"));
    let length = (BODY_BYTES_MAX + 1).to_string();
    let over = [headers[0], headers[1], ("Content-Length", &length)];
    let answer = site.ask("POST", "/orders", &over, b"");
    assert_eq!(answer.problem(), problem(413, "body_too_large"));
}

/// A client that closes its sending side after its request still gets the answer.
#[test]
fn a_client_that_has_said_everything_is_answered() {
    for server in SERVERS {
        let site = Site::start(server);
        site.save(&[order("a", "A")]);
        let mut stream = site.connect();
        stream.write_all(b"GET /orders/a HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(Answer::parse(&rest(&mut stream)).unwrap().status, 200, "{server:?}");
    }
}
