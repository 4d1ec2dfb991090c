//! Rows 15 and 16: what users of the daemon's five forerunners did goes on working: their messages,
//! their paths, their parameters, one after the other on one daemon.

use crate::daemon::Daemon;
use crate::daemon::wait_until;
use crate::http::site::Answer;
use serde_json::Value;
use serde_json::json;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;

const SAMPLE: &str = include_str!("../../assets/model.json");
const UUID: &str = "5f1f7b9e-3f43-4b52-9f0b-6d2a2d1c8a77";

/// The sample order as one forerunner sent it: numbers that fill more than 32 bits, and `status` in
/// the place of `oof_shard`.
fn with_status(uid: &str) -> Value {
    let mut order: Value = serde_json::from_str(SAMPLE).unwrap();
    let shard = order.as_object_mut().unwrap().remove("oof_shard").unwrap();
    order["status"] = shard;
    order["order_uid"] = json!(uid);
    order["payment"]["payment_dt"] = json!(9_999_999_999_i64);
    order
}

fn ask(daemon: &Daemon, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let address = daemon.base().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    let request = format!("{head}Content-Length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    Answer::parse(&answer).unwrap_or_else(|| panic!("{method} {target} has no answer"))
}

/// Rows 14 and 15 and 16 and 17 and 19: each forerunner's own calls with its own inputs, on both
/// servers.
#[test]
fn what_worked_on_the_seeds_works_here() {
    for server in ["axum", "tiny_http"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        let daemon = Daemon::start(&[
            "--data-dir",
            folder,
            "--demo",
            "--demo-interval",
            "1h",
            "--http-server",
            server,
        ]);
        daemon.wait_ready();
        let get = |target: &str| ask(&daemon, "GET", target, "", "");
        // One message with one order, one with an array, one whose id is a UUID.
        let array = json!([with_status("from-an-array")]).to_string();
        let uuid = SAMPLE.replace("b563feb7b2b84b6test", UUID);
        for message in [SAMPLE, &array, &uuid] {
            assert_eq!(daemon.post(message.as_bytes()).unwrap(), 202, "{server}");
        }
        wait_until("all are served", || get(&format!("/orders/{UUID}")).status == 200);
        let sample: Value = serde_json::from_str(SAMPLE).unwrap();

        let uid = "b563feb7b2b84b6test";
        for target in [format!("/api/order/{uid}"), format!("/order/{uid}")] {
            assert_eq!(get(&target).json(), sample, "{server} {target}");
        }
        let from_array = get("/orders/from-an-array").json();
        assert_eq!(from_array["oof_shard"], sample["oof_shard"], "{server}");
        assert_eq!(from_array["payment"]["payment_dt"], 9_999_999_999_i64, "{server}");

        let by_parameter = get(&format!("/api/getOrder?OrderUID={UUID}"));
        assert_eq!(by_parameter.json()["order_uid"], UUID, "{server}");
        for (method, name) in [("GET", "OrderUID"), ("POST", "uuid"), ("POST", "order_uid")] {
            let body = json!({ name: UUID }).to_string();
            let json = "Content-Type: application/json\r\n";
            let answer = ask(&daemon, method, "/api/getOrder", json, &body);
            assert_eq!((answer.status, answer.body), (200, by_parameter.body.clone()), "{name}");
        }

        // Before these the demo made some of its own.
        let recent = get("/api/orders/recent").json();
        assert_eq!(recent.as_array().unwrap().len(), 10, "{server}");
        assert_eq!((&recent[0]["order_uid"], &recent[2]), (&json!(UUID), &sample), "{server}");
        assert_eq!(get("/orders?limit=10").json()["orders"], recent, "{server}");

        let made = get("/random/5").json();
        assert_eq!(made.as_array().unwrap().len(), 5, "{server}");
        assert_eq!(get("/random/five").status, 400, "{server}");
        assert_eq!(get("/order/nothing").status, 404, "{server}");

        let browser = "Accept: text/html\r\nAccept-Language: ru\r\n";
        let home = ask(&daemon, "GET", "/", browser, "");
        assert!(home.text().contains("Найти Заказ"), "{server}: {}", home.text());
        let page = ask(&daemon, "GET", "/docs/index.html", browser, "");
        assert!(page.header("content-type").starts_with("text/html"), "{server}");
    }
}
