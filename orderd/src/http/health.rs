//! Whether the process lives, whether it can do its work, and how that goes.

use crate::http::Response;
use crate::http::answer::Keep;
use crate::http::answer::header_value;
use crate::http::answer::json;
use crate::http::answer::response;
use crate::metrics;
use crate::metrics::Metrics;
use crate::supervise::readiness::Readiness;
use ::http::StatusCode;
use ::http::header;
use bytes::Bytes;
use std::time::Instant;

/// 200 as long as requests are answered at all: nothing else is asked.
pub(super) fn alive() -> Response {
    json(StatusCode::OK, Keep::No, Bytes::from_static(b"{\"status\":\"ok\"}"))
}

/// 200 if nothing is missing, else 503; each part with `"ok"` or a sentence on what it lacks.
pub(super) fn ready(readiness: &Readiness, now: Instant) -> Response {
    let snapshot = readiness.snapshot(now);
    let is_ready = snapshot.iter().all(|(_, missing)| missing.is_none());
    let parts: serde_json::Map<String, serde_json::Value> = snapshot
        .into_iter()
        .map(|(part, missing)| {
            let state = missing.unwrap_or_else(|| "ok".to_owned());
            (part.as_str().to_owned(), state.into())
        })
        .collect();
    let (status, word) = if is_ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let body = serde_json::json!({ "status": word, "parts": parts }).to_string();
    let mut response = json(status, Keep::No, Bytes::from(body));
    if !is_ready {
        response.headers_mut().insert(header::RETRY_AFTER, header_value("1"));
    }
    response
}

/// All metrics, for a machine that reads them now and then.
pub(super) fn metrics(metrics: &Metrics) -> Response {
    response(StatusCode::OK, metrics::CONTENT_TYPE, Keep::No, Bytes::from(metrics.text()))
}
