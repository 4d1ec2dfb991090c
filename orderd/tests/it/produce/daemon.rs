//! The producer in front of a far side that answers as a daemon may.

use crate::produce::DEADLINE;
use crate::produce::count;
use crate::produce::lines;
use crate::produce::run;
use crate::produce::valid_uid;
use bytes::Bytes;
use orderd::clock::Clock;
use orderd::produce;
use orderd::produce::Options;
use orderd::produce::Summary;
use orderd::produce::Target;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

/// What a request to the far side was.
#[derive(Debug)]
struct Seen {
    line: String,
    content_type: Option<String>,
    authorization: Option<String>,
    body: Bytes,
}

/// A far side that is no daemon, for the answers that a daemon gives only in trouble. Ends with the
/// crew.
fn far_side(
    crew: &Crew,
    answer: impl Fn(usize, &Seen) -> u16 + Send + 'static,
) -> (String, Arc<Mutex<Vec<Seen>>>) {
    far_side_saying("because", crew, answer)
}

/// A far side with this body in every answer.
fn far_side_saying(
    because: &'static str,
    crew: &Crew,
    answer: impl Fn(usize, &Seen) -> u16 + Send + 'static,
) -> (String, Arc<Mutex<Vec<Seen>>>) {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let address = server.server_addr().to_ip().unwrap();
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let log = Arc::clone(&seen);
    crew.spawn("far-side", move |stop| {
        while !stop.is_stopped() {
            let received = server.recv_timeout(Duration::from_millis(20)).unwrap();
            let Some(mut request) = received else { continue };
            let mut body = Vec::new();
            request.as_reader().read_to_end(&mut body).unwrap();
            let header = |name: &'static str| {
                let found = request.headers().iter().find(|header| header.field.equiv(name));
                found.map(|header| header.value.to_string())
            };
            let this = Seen {
                line: format!("{} {}", request.method(), request.url()),
                content_type: header("content-type"),
                authorization: header("authorization"),
                body: Bytes::from(body),
            };
            let mut seen = log.lock().unwrap();
            let status = answer(seen.len(), &this);
            seen.push(this);
            request
                .respond(tiny_http::Response::from_string(because).with_status_code(status))
                .unwrap();
        }
    })
    .unwrap();
    (format!("http://{address}/"), seen)
}

/// Row 13, over HTTP: 202 is printed, 400 to a damaged message is counted, 503 is tried again.
#[test]
fn a_daemon_gets_the_orders_and_refuses_the_damaged_ones() {
    let crew = Crew::new(StopToken::new());
    let (base, seen) = far_side(&crew, |number, request| match number {
        0 | 3 => 503,
        _ if valid_uid(&request.body).is_some() => 202,
        _ => 400,
    });
    let mut out = Vec::new();
    let options = Options { bad_share: 0.5, ..count(200) };
    let target = Target::Url { base, token: Some("secret".to_owned()) };
    assert!(!format!("{target:?}").contains("secret"), "{target:?}");
    let summary = run(&options, target, &mut out).unwrap();

    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 202);
    for request in seen.iter() {
        assert_eq!(request.line, "POST /orders");
        assert_eq!(request.content_type.as_deref(), Some("application/json"));
        assert_eq!(request.authorization.as_deref(), Some("Bearer secret"));
    }
    let tried_again = |number: usize| seen[number].body == seen[number + 1].body;
    assert!(tried_again(0) && tried_again(3));
    let valid = |(number, request): (usize, &Seen)| {
        if number == 0 || number == 3 { None } else { valid_uid(&request.body) }
    };
    let taken: Vec<String> = seen.iter().enumerate().filter_map(valid).collect();
    assert_eq!(lines(out), taken);
    let (orders, refused) = (taken.len() as u64, 200 - taken.len() as u64);
    assert!(orders > 50 && refused > 50, "{orders} and {refused}");
    assert_eq!(summary, Summary { orders, damaged: 0, refused });
    drop(seen);
    assert_eq!(crew.stop_and_join(DEADLINE), Vec::<String>::new());
}

/// Answers that no waiting mends end the run with a sentence that names the setting.
#[test]
fn answers_that_stay_are_errors() {
    let crew = Crew::new(StopToken::new());
    for (status, expected) in [
        (400, "was refused: because"),
        (401, "--token"),
        (403, "--token"),
        (404, "--url"),
        (200, "--url"),
        (308, "--url"),
    ] {
        let (base, seen) = far_side(&crew, move |_, _| status);
        let mut out = Vec::new();
        let error = run(&count(5), Target::Url { base, token: None }, &mut out).unwrap_err();
        assert!(error.to_string().contains(expected), "{status}: {error}");
        assert_eq!((seen.lock().unwrap().len(), out.len()), (1, 0));
    }
    for base in ["127.0.0.1:1", "https://127.0.0.1:1", "http://", "", "http://a b"] {
        let target = Target::Url { base: base.to_owned(), token: None };
        let error = run(&count(5), target, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("--url"), "{base}: {error}");
    }
    let target =
        Target::Url { base: "http://127.0.0.1:1".to_owned(), token: Some("a\nb".to_owned()) };
    let error = run(&count(5), target, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("--token"), "{error}");
    assert_eq!(crew.stop_and_join(DEADLINE), Vec::<String>::new());
}

/// Of a problem document users see its sentence alone.
#[test]
fn a_refusal_is_said_in_the_words_of_the_daemon() {
    let crew = Crew::new(StopToken::new());
    for (status, setting) in [(401, "(--token)"), (403, "(--url, --token)")] {
        let document = r#"{"status":400,"detail":"The door\nis shut.","code":"shut"}"#;
        let (base, _) = far_side_saying(document, &crew, move |_, _| status);
        let url = format!("{base}orders");
        let target = Target::Url { base, token: None };
        let error = run(&count(1), target, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.starts_with(&url) && error.contains(setting), "{error}");
        assert!(error.ends_with(&format!(": {status} The door\\nis shut.")), "{error}");
    }
    assert_eq!(crew.stop_and_join(DEADLINE), Vec::<String>::new());
}

/// A target that stays away is given up on after a minute.
#[test]
fn a_target_that_stays_away_is_given_up_on() {
    let crew = Crew::new(StopToken::new());
    let clock = Clock::manual();
    let hands = clock.clone();
    let (base, seen) = far_side(&crew, move |_, _| {
        hands.advance(Duration::from_secs(25));
        503
    });
    let url = format!("{base}orders");
    let target = Target::Url { base, token: None };
    let error =
        produce::run(&count(5), target, &mut Vec::new(), &clock, &StopToken::new()).unwrap_err();
    let expected = format!("gave up after 60 s: {url} answers 503 because");
    assert_eq!(error.to_string(), expected);
    assert_eq!(seen.lock().unwrap().len(), 4, "at 25, 50, 75 and 100 seconds");
    assert_eq!(crew.stop_and_join(DEADLINE), Vec::<String>::new());
}
