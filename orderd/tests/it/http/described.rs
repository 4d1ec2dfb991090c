//! Row 19: the description of the interface, and the pages that show it.

use crate::http::site;
use crate::http::site::PATIENCE;
use crate::http::site::SERVERS;
use crate::http::site::Site;
use crate::http::site::problem;
use jsonschema::Validator;
use orderd::http::Writes;
use serde_json::Value;
use serde_json::json;

/// A validator of one schema of the document.
fn schema(document: &Value, name: &str) -> Validator {
    let mut schema = json!({ "$ref": format!("#/components/schemas/{name}") });
    schema["components"] = document["components"].clone();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[track_caller]
fn valid(schema: &Validator, value: &Value) {
    if let Err(error) = schema.validate(value) {
        panic!("{error} in {value}");
    }
}

/// Row 19: `/openapi.json` is a description of version 3.1 that a client need not fetch twice.
#[test]
fn the_description_is_served() {
    for server in SERVERS {
        let site = Site::start(server);
        let answer = site.get("/openapi.json");
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        assert_eq!(answer.json()["openapi"], "3.1.0");
        let known = [("If-None-Match", answer.header("etag"))];
        assert_eq!(site.get_with("/openapi.json", &known).status, 304, "{server:?}");
    }
}

/// Row 19: Swagger UI comes whole from the binary: its page, everything the page loads, and the
/// address of this daemon's description; nothing of another host.
#[test]
fn swagger_ui_needs_no_other_host() {
    for server in SERVERS {
        let site = Site::start(server);
        let moved = site.get("/docs");
        assert_eq!((moved.status, moved.header("location")), (308, "/docs/"), "{server:?}");
        for page in ["/docs/", "/docs/index.html"] {
            let page = site.get(page);
            assert_eq!(page.status, 200, "{server:?}");
            assert!(page.header("content-type").starts_with("text/html"), "{server:?}");
            assert!(page.header("content-security-policy").contains("script-src 'self'"));
            let html = page.text();
            let loaded: Vec<_> = ["src=\"", "href=\""]
                .iter()
                .flat_map(|name| html.split(name).skip(1))
                .map(|rest| rest.split('"').next().unwrap())
                .collect();
            assert!(loaded.len() >= 4, "{loaded:?}");
            for file in loaded {
                assert!(!file.contains("//"), "{file} is on another host");
                let file = site.get(&format!("/docs/{}", file.trim_start_matches("./")));
                assert_eq!(file.status, 200, "{server:?} {file:?}");
            }
        }
        let start = site.get("/docs/swagger-initializer.js");
        assert!(start.text().contains("/openapi.json"), "{}", start.text());
        assert!(!start.text().contains("petstore"), "{}", start.text());
        assert_eq!(site.get("/docs/none.js").problem(), problem(404, "no_such_page"));
    }
}

/// Issue: the description is the truth: what is served is as it says.
#[test]
fn what_is_served_is_as_described() {
    for server in SERVERS {
        let site = Site::with(server, Writes::Demo, PATIENCE);
        site.save(&[site::order("one", "One"), site::order("two", "Two")]);
        let document = site.get("/openapi.json").json();
        valid(&schema(&document, "Order"), &site.get("/orders/one").json());
        valid(&schema(&document, "Orders"), &site.get("/orders?limit=1").json());
        valid(&schema(&document, "Problem"), &site.get("/orders/none").json());
        let bad = site.ask("POST", "/orders", &[("Content-Type", "application/json")], b"[{},{}]");
        assert_eq!(bad.status, 400);
        valid(&schema(&document, "Problem"), &bad.json());
        valid(&schema(&document, "Readiness"), &site.get("/readyz").json());
        let order = schema(&document, "Order");
        for made in site.ask("POST", "/random/20", &[], b"").json().as_array().unwrap() {
            valid(&order, made);
            valid(&schema(&document, "NewOrder"), made);
        }
    }
}

/// Issue: what the description lets through is taken, and what it refuses is refused.
#[test]
fn what_is_taken_is_as_described() {
    let site = Site::with(SERVERS[0], Writes::Demo, PATIENCE);
    let schema = schema(&site.get("/openapi.json").json(), "NewOrder");
    let least = json!({ "order_uid": "a", "date_created": "2021-11-26T06:22:19Z", "items": [{}] });
    let with = |name: &str, value: Value| {
        let mut order = least.clone();
        order[name] = value;
        order
    };
    let without = |name: &str| {
        let mut order = least.clone();
        order.as_object_mut().unwrap().remove(name);
        order
    };
    for order in [
        least.clone(),
        with("entry", Value::Null),
        with("entry", json!("ё".repeat(512))),
        with("delivery", Value::Null),
        with("payment", json!({ "amount": i64::MAX, "bank": "" })),
        with("unknown", json!([1, { "a": null }])),
        with("order_uid", json!("!~")),
        with("items", json!([{ "price": null, "name": "x" }, {}])),
        without("order_uid"),
        without("date_created"),
        without("items"),
        with("order_uid", json!("")),
        with("order_uid", json!("a/b")),
        with("order_uid", json!("a b")),
        with("order_uid", json!("a".repeat(65))),
        with("entry", json!(1)),
        with("entry", json!("a\u{0}")),
        with("sm_id", json!("1")),
        with("sm_id", json!(1.5)),
        with("items", json!([])),
        with("items", json!([null])),
        with("items", json!({})),
        with("payment", json!([])),
        with("date_created", json!(1)),
        json!("order"),
    ] {
        let body = order.to_string();
        let answer =
            site.ask("POST", "/orders", &[("Content-Type", "application/json")], body.as_bytes());
        assert_eq!(answer.status == 202, schema.is_valid(&order), "{body}: {}", answer.text());
    }
}
