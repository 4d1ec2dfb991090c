//! One request as the metrics and the log see it: by its method, the template of its route, its
//! status and its time.

use crate::clock::Clock;
use crate::http::Response;
use crate::http::orders::X_CACHE;
use crate::http::router;
use crate::metrics::Metrics;
use ::http::HeaderValue;
use ::http::Method;
use ::http::request;
use std::sync::Arc;
use std::time::Instant;

/// A request that has no answer yet.
#[derive(Debug)]
pub(super) struct Observed {
    metrics: Arc<Metrics>,
    clock: Clock,
    method: &'static str,
    route: &'static str,
    started: Instant,
}

impl Observed {
    pub(super) fn start(metrics: &Arc<Metrics>, clock: &Clock, head: &request::Parts) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            clock: clock.clone(),
            method: method(&head.method),
            route: router::template(head.uri.path()),
            started: clock.now(),
        }
    }

    /// The answer is `response`, whose sender this goes through.
    pub(super) fn answered(self, request_id: &str, response: Response) -> Response {
        let took = self.clock.now() - self.started;
        let status = response.status().as_u16();
        if let Some(from) = response.headers().get(&X_CACHE).and_then(from) {
            self.metrics.order_read(from);
        }
        self.metrics.http_answered(self.method, self.route, status, took);
        tracing::debug!(
            request_id,
            method = self.method,
            route = self.route,
            status,
            took_us = took.as_micros(),
            "answered"
        );
        response
    }
}

/// Where a read of an order was answered from, by the header that tells the client.
fn from(x_cache: &HeaderValue) -> Option<&'static str> {
    match x_cache.as_bytes() {
        b"HIT" => Some("hit"),
        b"MISS" => Some("miss"),
        b"STALE" => Some("stale"),
        _ => None,
    }
}

/// A client can make up methods, and each would be a series of its own.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
