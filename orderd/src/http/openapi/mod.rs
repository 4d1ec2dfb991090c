//! The description of the interface (OpenAPI 3.1), and the pages of Swagger UI that show it.
//!
//! It is made from the tables beside it: `operations` has what can be asked, in the words of
//! `operation`, and `schemas` what is sent. A test holds the operations against the router's own
//! list of routes and methods, and the schemas against real orders and real answers. The document
//! has examples of what is found and of what isn't, and needs no outside host: Swagger UI comes
//! from the binary.

mod operation;
mod operations;
mod schemas;

use crate::http::Response;
use crate::http::answer::Keep;
use crate::http::answer::response;
use crate::http::conditional::Condition;
use crate::http::openapi::operations::OPERATIONS;
use crate::http::problem::Problem;
use crate::order::Digest;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use bytes::Bytes;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::LazyLock;
use utoipa_swagger_ui::Config;

/// Where the document lies, for Swagger UI and for everybody else.
const DOCUMENT: &str = "/openapi.json";

/// Swagger UI sets styles of its own; nothing else is looser than on the other pages.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The document, written once.
static BODY: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document().to_string()));

/// `GET /openapi.json`.
pub(super) fn json(condition: &Condition) -> Response {
    let mut found = response(StatusCode::OK, "application/json", Keep::Private, BODY.clone());
    condition.apply(&Digest::of(&BODY).etag(), &mut found);
    found
}

/// `GET /docs/{name}`: a file of Swagger UI.
pub(super) fn file(name: &str, condition: &Condition) -> Result<Response, Problem> {
    let config = Config::from(DOCUMENT).try_it_out_enabled(true);
    let name = if name.is_empty() { "index.html" } else { name };
    let file = utoipa_swagger_ui::serve(name, Arc::new(config)).ok().flatten();
    let file = file.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "no_such_page", "There is nothing at this address.")
    })?;
    let body = Bytes::from(file.bytes.into_owned());
    let etag = Digest::of(&body).etag();
    let mut found = response(StatusCode::OK, "text/html", Keep::Private, body);
    let headers = found.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&file.content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    condition.apply(&etag, &mut found);
    Ok(found)
}

/// `GET /docs`: to where the page finds its files beside it.
pub(super) fn home() -> Response {
    let mut moved = response(StatusCode::PERMANENT_REDIRECT, "text/plain", Keep::No, Bytes::new());
    moved.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/docs/"));
    moved
}

fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = operation.describe();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "orderd",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Orders by id, from the cache or the database.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "This daemon" }],
        "tags": [
            { "name": "orders", "description": "Reading and sending orders" },
            { "name": "operation", "description": "For those who run the daemon" },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The daemon's --write-token; a demo wants none.",
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::router;
    use std::collections::BTreeSet;

    /// Issue: the description is that of the handlers: every route with every method, and no other.
    #[test]
    fn every_route_is_described_and_nothing_else() {
        let described: BTreeSet<_> = OPERATIONS
            .iter()
            .map(|operation| format!("{} {}", operation.method.to_uppercase(), operation.path))
            .collect();
        let mut routed = BTreeSet::new();
        for (path, allowed) in router::described() {
            for method in allowed.split(", ").filter(|method| !["HEAD", "OPTIONS"].contains(method))
            {
                routed.insert(format!("{method} {path}"));
            }
        }
        assert_eq!(described, routed);
    }

    /// Row 19: examples of 200 and 404, and every reference leads somewhere.
    #[test]
    fn examples_are_there_and_references_lead_somewhere() {
        let document = document();
        let order = &document["paths"]["/orders/{uid}"]["get"]["responses"];
        let sample = &order["200"]["content"]["application/json"]["example"];
        assert_eq!(sample["order_uid"], "b563feb7b2b84b6test");
        let missing = &order["404"]["content"]["application/problem+json"]["example"];
        assert_eq!(missing["code"], "order_not_found");
        let text = document.to_string();
        let references = text.split("\"$ref\":\"#").skip(1);
        let mut count = 0;
        for reference in references {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
            count += 1;
        }
        assert!(count > 20, "{count}");
    }
}
