//! `POST /orders`: one order or an array of them, into the topic.
//!
//! The orders take the way of all others from there: they are served once ingest has saved them.
//! The answer comes when the topic has them, all or none acknowledged.

use crate::http::Service;
use crate::http::answer::Answer;
use crate::http::answer::Keep;
use crate::http::answer::header_value;
use crate::http::answer::json;
use crate::http::problem::Problem;
use crate::order::Order;
use crate::order::decode::Element;
use crate::order::decode::decode;
use crate::order::validate::Violation;
use crate::topic::Record;
use crate::topic::appender::AppendError;
use ::http::HeaderMap;
use ::http::StatusCode;
use ::http::header;
use ::http::request;
use bytes::Bytes;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use std::time::Duration;

/// How long the topic may take to acknowledge.
const APPEND_WAIT_MAX: Duration = Duration::from_secs(5);

/// Checks who asks and every order, then appends them all.
pub(super) fn submit(
    service: &Service,
    head: &request::Parts,
    body: &Bytes,
) -> Result<Answer, Problem> {
    service.guard.check(head)?;
    check_type(&head.headers)?;
    let elements = decode(body, service.profile, service.clock.wall());
    let records = records(elements)?;
    let appender = service.appender.clone();
    Ok(Answer::Later(Box::new(move || {
        let uids: Vec<String> = records
            .iter()
            .map(|record| String::from_utf8_lossy(&record.key).into_owned())
            .collect();
        appender.append(records, APPEND_WAIT_MAX)?;
        let body = serde_json::json!({ "order_uids": uids }).to_string();
        let mut response = json(StatusCode::ACCEPTED, Keep::No, Bytes::from(body));
        if let [uid] = uids.as_slice() {
            let location = format!("/orders/{}", utf8_percent_encode(uid, NON_ALPHANUMERIC));
            response.headers_mut().insert(header::LOCATION, header_value(&location));
        }
        Ok(response)
    })))
}

/// One record an order, or all violations of all of them.
///
/// The payload goes on as it was sent, since the rules of who consumes it may be others.
fn records(elements: Vec<Element>) -> Result<Vec<Record>, Problem> {
    let is_array = elements.len() > 1;
    let mut records = Vec::with_capacity(elements.len());
    let mut violations = Vec::new();
    for (number, Element { payload, order, .. }) in elements.into_iter().enumerate() {
        match order {
            Ok(order) => records.push(record(&order, payload)),
            Err(found) if is_array => {
                violations.extend(found.into_iter().map(|violation| of_element(number, violation)));
            }
            Err(found) => violations.extend(found),
        }
    }
    if violations.is_empty() {
        return Ok(records);
    }
    let detail = "The body is no valid order; nothing of it was taken.";
    Err(Problem::bad_request("invalid_order", detail).with_violations(violations))
}

fn record(order: &Order, payload: Bytes) -> Record {
    Record { key: Bytes::copy_from_slice(order.uid().as_str().as_bytes()), value: payload }
}

/// The violation with the number of its order in the array before its path.
fn of_element(number: usize, mut violation: Violation) -> Violation {
    let separator = if violation.path.is_empty() { "" } else { "." };
    violation.path = format!("[{number}]{separator}{}", violation.path);
    violation
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = sent.unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    let detail = "Orders are sent as application/json.";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail))
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        tracing::warn!(%error, "orders that were posted aren't acknowledged");
        match error {
            AppendError::Overloaded => {
                Self::unavailable("overloaded", "Too many orders wait for the topic.")
            }
            AppendError::Timeout => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "topic_too_slow",
                "The topic didn't acknowledge the orders in time; they may still arrive.",
            ),
            AppendError::Rejected(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "topic_rejected",
                "The topic refuses the orders, most likely because they are too large.",
            ),
            AppendError::Outage(_) => Self::unavailable(
                "topic_unavailable",
                "The topic can't be written at the moment; the orders may still arrive.",
            ),
        }
    }
}
