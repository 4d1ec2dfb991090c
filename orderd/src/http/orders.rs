//! One order by its id: the same handler for every path that the daemon's forerunners had.

use crate::catalog::Answered;
use crate::catalog::Lookup;
use crate::catalog::StoredOrder;
use crate::http::Response;
use crate::http::Service;
use crate::http::answer::Answer;
use crate::http::answer::Keep;
use crate::http::answer::header_value;
use crate::http::answer::json;
use crate::http::conditional::Condition;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::metrics::Metrics;
use crate::metrics::Place;
use crate::order::InvalidUid;
use crate::order::OrderUid;
use ::http::HeaderMap;
use ::http::HeaderName;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use ::http::request;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

pub(super) static X_CACHE: HeaderName = HeaderName::from_static("x-cache");
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Names under which an order's id comes in a query or a body.
const UID_NAMES: [&str; 3] = ["order_uid", "OrderUID", "uuid"];

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Cache,
    /// The cache, without knowing whether another instance has replaced the order since.
    Stale,
    Store,
}

impl Origin {
    fn x_cache(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Cache => "HIT",
            Self::Stale => "STALE",
            Self::Store => "MISS",
        })
    }

    fn server_timing(self, took: Duration) -> HeaderValue {
        let metric = match self {
            Self::Cache | Self::Stale => "cache",
            Self::Store => "db",
        };
        header_value(&format!("{metric};dur={:.3}", milliseconds(took)))
    }
}

/// For people and headers, which count in milliseconds.
pub(super) fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

/// Answers with the order `uid`: at once if it is cached, else when the store has answered.
pub(super) fn read(service: &Service, uid: &str, condition: Condition) -> Result<Answer, Problem> {
    let uid = OrderUid::parse(uid).map_err(|InvalidUid| malformed_uid())?;
    let clock = service.clock.clone();
    let started = clock.now();
    match service.catalog.lookup(&uid) {
        Ok(Lookup::Hit(order)) => {
            let took = clock.now() - started;
            found(&service.metrics, &order, Origin::Cache, took, &condition).map(Answer::Now)
        }
        Ok(Lookup::Stale(order)) => {
            let took = clock.now() - started;
            found(&service.metrics, &order, Origin::Stale, took, &condition).map(Answer::Now)
        }
        Ok(Lookup::Absent) => Err(not_found(&uid).read_from(Origin::Cache, clock.now() - started)),
        Ok(Lookup::Pending(pending)) => {
            let wait_max = service.read_wait_max;
            let metrics = Arc::clone(&service.metrics);
            Ok(Answer::Later(Box::new(move || {
                let answered = pending.answer(wait_max);
                let took = clock.now() - started;
                let read = answered.map_err(Problem::from).and_then(|answered| match answered {
                    Answered::Loaded(order) => Ok((order, Origin::Store)),
                    Answered::Stale(order) => Ok((order, Origin::Stale)),
                    Answered::Absent => {
                        note_read(&metrics, &uid, Origin::Store, took);
                        Err(not_found(&uid))
                    }
                });
                let (order, origin) =
                    read.map_err(|problem| problem.read_from(Origin::Store, took))?;
                found(&metrics, &order, origin, took, &condition)
            })))
        }
        Err(error) => Err(Problem::from(error).read_from(Origin::Store, clock.now() - started)),
    }
}

impl Problem {
    /// Says where a read that brought no order came from, and how long it took.
    fn read_from(self, origin: Origin, took: Duration) -> Self {
        self.with(X_CACHE.clone(), origin.x_cache())
            .with(SERVER_TIMING.clone(), origin.server_timing(took))
    }
}

/// Notes where an order came from and how long that took: in the log every hit at debug, everything
/// else at info.
pub(super) fn note_read(metrics: &Metrics, uid: &OrderUid, origin: Origin, took: Duration) {
    let ms = milliseconds(took);
    match origin {
        Origin::Cache => tracing::debug!(order_uid = %uid, ms, "order read from the cache"),
        Origin::Stale => tracing::info!(order_uid = %uid, ms, "order served though maybe stale"),
        Origin::Store => tracing::info!(order_uid = %uid, ms, "order read from the store"),
    }
    let place = match origin {
        Origin::Cache | Origin::Stale => Place::Cache,
        Origin::Store => Place::Store,
    };
    metrics.order_found(place, took);
}

fn found(
    metrics: &Metrics,
    order: &StoredOrder,
    origin: Origin,
    took: Duration,
    condition: &Condition,
) -> Result<Response, Problem> {
    note_read(metrics, &order.uid, origin, took);
    let mut response = json(StatusCode::OK, Keep::Private, order.body.clone());
    let headers = response.headers_mut();
    headers.insert(&X_CACHE, origin.x_cache());
    headers.insert(&SERVER_TIMING, origin.server_timing(took));
    condition.apply(&order.digest.etag(), &mut response);
    Ok(response)
}

/// Kept no longer than an order is: it may arrive at any moment.
fn not_found(uid: &OrderUid) -> Problem {
    let detail = format!("There is no order {uid}.");
    Problem::new(StatusCode::NOT_FOUND, "order_not_found", detail)
        .with(header::CACHE_CONTROL, Keep::Private.value())
}

pub(super) fn malformed_uid() -> Problem {
    let mut sentence = InvalidUid.to_string();
    sentence[..1].make_ascii_uppercase();
    Problem::bad_request("bad_order_uid", format!("{sentence}."))
}

/// The id that a request to `/api/getOrder` names: in its query, else in its body.
pub(super) fn uid_of_parameter(head: &request::Parts, body: &Bytes) -> Result<String, Problem> {
    let query = Query::of(&head.uri)?;
    if let Some(uid) = query.one_of(&UID_NAMES)? {
        return Ok(uid.to_owned());
    }
    let in_body = if body.is_empty() {
        None
    } else if is_form(&head.headers) {
        let form = std::str::from_utf8(body).map_err(|_| unreadable_body())?;
        Query::parse(form)?.one_of(&UID_NAMES)?.map(str::to_owned)
    } else {
        uid_of_json(body)?
    };
    in_body.ok_or_else(|| {
        let detail = "Name the order by the parameter OrderUID, order_uid or uuid.";
        Problem::bad_request("order_uid_required", detail)
    })
}

fn uid_of_json(body: &Bytes) -> Result<Option<String>, Problem> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|_| unreadable_body())?;
    let mut named = UID_NAMES.iter().filter_map(|name| object.get(*name));
    match (named.next(), named.next()) {
        (Some(_), Some(_)) => Err(Problem::bad_request(
            "duplicate_parameter",
            "The order is named more than once in the body.",
        )),
        (Some(serde_json::Value::String(uid)), None) => Ok(Some(uid.clone())),
        (Some(_), None) => Err(malformed_uid()),
        (None, _) => Ok(None),
    }
}

fn unreadable_body() -> Problem {
    Problem::bad_request("bad_body", "The body is neither a JSON object nor a form.")
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or("").trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}
