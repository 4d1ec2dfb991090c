//! The newest orders: page by page, and the last ten.
//!
//! `/orders` answers with an object that names the next page. `/api/orders/recent` answers with the
//! bare array that the front ends of the daemon's forerunner read; its next page is in `Link`.

use crate::catalog::StoredOrder;
use crate::http::Response;
use crate::http::Service;
use crate::http::answer::Answer;
use crate::http::answer::Keep;
use crate::http::answer::header_value;
use crate::http::answer::json;
use crate::http::conditional::Condition;
use crate::http::cursor;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::order::Digest;
use ::http::StatusCode;
use ::http::header;
use bytes::Bytes;

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 100;

/// How many orders `/api/orders/recent` and the home page show.
pub(super) const RECENT: usize = 10;

/// How the array of orders is wrapped.
#[derive(Clone, Copy)]
enum Shape {
    Object,
    Array,
}

/// `GET /orders?limit=&cursor=`.
pub(super) fn page(
    service: &Service,
    query: &Query,
    condition: Condition,
) -> Result<Answer, Problem> {
    let limit = query.one_of(&["limit"])?.map_or(Ok(LIMIT_DEFAULT), parse_limit)?;
    let before = query.one_of(&["cursor"])?.map(parse_cursor).transpose()?;
    list(service, before, limit, Shape::Object, condition)
}

/// `GET /api/orders/recent`.
pub(super) fn recent(service: &Service, condition: Condition) -> Result<Answer, Problem> {
    list(service, None, RECENT, Shape::Array, condition)
}

fn list(
    service: &Service,
    before: Option<i64>,
    limit: usize,
    shape: Shape,
    condition: Condition,
) -> Result<Answer, Problem> {
    // One more than asked for tells whether there is a next page.
    let pending = service.catalog.page(before, limit + 1)?;
    let wait_max = service.read_wait_max;
    Ok(Answer::Later(Box::new(move || {
        let mut orders = pending.wait(wait_max)?;
        let is_last = orders.len() <= limit;
        orders.truncate(limit);
        let last = orders.last().filter(|_| !is_last);
        let next = last.map(|order| cursor::encode(order.arrival));
        Ok(respond(&orders, next.as_deref(), limit, shape, &condition))
    })))
}

fn respond(
    orders: &[StoredOrder],
    next: Option<&str>,
    limit: usize,
    shape: Shape,
    condition: &Condition,
) -> Response {
    let body = body(orders, next, shape);
    let etag = Digest::of(&body).etag();
    let mut response = json(StatusCode::OK, Keep::Private, body);
    if let Some(next) = next {
        let link = format!("</orders?limit={limit}&cursor={next}>; rel=\"next\"");
        response.headers_mut().insert(header::LINK, header_value(&link));
    }
    condition.apply(&etag, &mut response);
    response
}

/// The orders' own bytes, joined: they are canonical JSON already.
fn body(orders: &[StoredOrder], next: Option<&str>, shape: Shape) -> Bytes {
    let length: usize = orders.iter().map(|order| order.body.len() + 1).sum();
    let mut body = Vec::with_capacity(length + 64);
    if let Shape::Object = shape {
        body.extend_from_slice(b"{\"orders\":");
    }
    body.push(b'[');
    for (number, order) in orders.iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&order.body);
    }
    body.push(b']');
    if let Shape::Object = shape {
        // A cursor is base64url and needs no escape.
        let next = next.map_or_else(|| "null".to_owned(), |next| format!("\"{next}\""));
        body.extend_from_slice(format!(",\"next_cursor\":{next}}}").as_bytes());
    }
    Bytes::from(body)
}

pub(super) fn parse_limit(text: &str) -> Result<usize, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(limit) if digits && (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        _ => {
            let detail = format!("The parameter limit is a number from 1 to {LIMIT_MAX}.");
            Err(Problem::bad_request("bad_limit", detail))
        }
    }
}

pub(super) fn parse_cursor(text: &str) -> Result<i64, Problem> {
    cursor::decode(text).ok_or_else(|| {
        let detail = "The parameter cursor is the next_cursor of an earlier answer.";
        Problem::bad_request("bad_cursor", detail)
    })
}
