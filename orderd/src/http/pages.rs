//! Pages for people, written whole on the server: they work without any script.
//!
//! The templates escape every value. The one script only refreshes the list of the newest orders.
//! An order is taken apart for a page by the same decoder that let it in.

use crate::catalog::Answered;
use crate::catalog::Lookup;
use crate::catalog::PendingOrder;
use crate::catalog::PendingPage;
use crate::catalog::ReadError;
use crate::catalog::StoredOrder;
use crate::clock::Clock;
use crate::http::Response;
use crate::http::Service;
use crate::http::answer::Answer;
use crate::http::answer::Keep;
use crate::http::answer::response;
use crate::http::context::Context;
use crate::http::list::RECENT;
use crate::http::orders::Origin;
use crate::http::orders::log_read;
use crate::http::orders::milliseconds;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::words::Words;
use crate::order::Moment;
use crate::order::OrderUid;
use crate::order::decode::decode;
use crate::order::document::Document;
use crate::order::validate::Profile;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use askama::Template;
use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use std::time::Duration;
use std::time::Instant;

/// Pages load from nowhere else, send forms nowhere else, and are framed by nobody.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    lang: &'static str,
    t: &'static Words,
    query: &'a str,
    asked: &'a Asked,
    newest: &'a Result<Vec<Card>, ReadError>,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    lang: &'static str,
    t: &'static Words,
    query: &'a str,
    status: u16,
    heading: &'a str,
    detail: &'a str,
    request_id: &'a str,
}

/// What became of the id that was asked for.
enum Asked {
    Nothing,
    Empty,
    Malformed,
    Unknown,
    Failed(ReadError),
    Found(Box<Found>),
}

struct Found {
    document: Document,
    json_href: String,
    created: String,
    paid: Option<String>,
    origin: Origin,
    ms: String,
}

impl Found {
    fn is_hit(&self) -> bool {
        self.origin != Origin::Store
    }
}

/// One order in the list of the newest.
struct Card {
    document: Document,
    href: String,
}

/// `GET /` and `GET /?uid=`.
pub(super) fn home(service: &Service, query: &Query, context: &Context) -> Result<Answer, Problem> {
    let uid = query.one_of(&["uid"])?.map(|uid| uid.trim().to_owned());
    let page = Home {
        search: Search::start(service, uid.as_deref()),
        query: uid.unwrap_or_default(),
        newest: service.catalog.page(None, RECENT),
        started: service.clock.now(),
        clock: service.clock.clone(),
        wait_max: service.read_wait_max,
        context: context.clone(),
    };
    Ok(Answer::Later(Box::new(move || page.respond())))
}

/// A home page whose orders are still being read.
struct Home {
    search: Search,
    query: String,
    newest: Result<PendingPage, ReadError>,
    started: Instant,
    clock: Clock,
    wait_max: Duration,
    context: Context,
}

enum Search {
    Done(Asked),
    Cached(StoredOrder, Origin, Duration),
    Pending(OrderUid, PendingOrder),
}

impl Search {
    fn start(service: &Service, uid: Option<&str>) -> Self {
        let uid = match uid.map(|text| (text, OrderUid::parse(text))) {
            None => return Self::Done(Asked::Nothing),
            Some(("", _)) => return Self::Done(Asked::Empty),
            Some((_, Err(_))) => return Self::Done(Asked::Malformed),
            Some((_, Ok(uid))) => uid,
        };
        let started = service.clock.now();
        match service.catalog.lookup(&uid) {
            Ok(Lookup::Hit(order)) => {
                Self::Cached(order, Origin::Cache, service.clock.now() - started)
            }
            Ok(Lookup::Stale(order)) => {
                Self::Cached(order, Origin::Stale, service.clock.now() - started)
            }
            Ok(Lookup::Absent) => Self::Done(Asked::Unknown),
            Ok(Lookup::Pending(pending)) => Self::Pending(uid, pending),
            Err(error) => Self::Done(Asked::Failed(error)),
        }
    }
}

impl Home {
    fn respond(self) -> Result<Response, Problem> {
        let deadline = self.started + self.wait_max;
        let (clock, wall) = (&self.clock, self.clock.wall());
        let asked = match self.search {
            Search::Done(asked) => asked,
            Search::Cached(order, origin, took) => Asked::of(&order, origin, took, wall),
            Search::Pending(uid, pending) => match pending.answer(self.wait_max) {
                Ok(Answered::Loaded(order)) => {
                    Asked::of(&order, Origin::Store, clock.now() - self.started, wall)
                }
                Ok(Answered::Stale(order)) => {
                    Asked::of(&order, Origin::Stale, clock.now() - self.started, wall)
                }
                Ok(Answered::Absent) => {
                    log_read(&uid, Origin::Store, clock.now() - self.started);
                    Asked::Unknown
                }
                Err(error) => Asked::Failed(error),
            },
        };
        let newest = self
            .newest
            .and_then(|pending| pending.wait(deadline.saturating_duration_since(clock.now())))
            .and_then(|orders| orders.iter().map(|order| Card::of(order, wall)).collect());
        let status = status(&asked, &newest);
        let page = HomePage {
            lang: self.context.language.code(),
            t: self.context.language.words(),
            query: &self.query,
            asked: &asked,
            newest: &newest,
        };
        let mut response = respond(status, Keep::Private, &page);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Ok(response)
    }
}

/// The status of what was asked for: the order if one was, else the list.
fn status(asked: &Asked, newest: &Result<Vec<Card>, ReadError>) -> StatusCode {
    let of_error = |error: &ReadError| Problem::from(*error).status;
    match (asked, newest) {
        (Asked::Malformed, _) => StatusCode::BAD_REQUEST,
        (Asked::Unknown, _) => StatusCode::NOT_FOUND,
        (Asked::Failed(error), _) => of_error(error),
        (Asked::Nothing | Asked::Empty, Err(error)) => of_error(error),
        (Asked::Nothing | Asked::Empty | Asked::Found(_), _) => StatusCode::OK,
    }
}

impl Asked {
    fn of(order: &StoredOrder, origin: Origin, took: Duration, wall: Timestamp) -> Self {
        log_read(&order.uid, origin, took);
        let document = match document(order, wall) {
            Ok(document) => document,
            Err(error) => return Self::Failed(error),
        };
        let paid = Moment::from_second(document.payment.payment_dt);
        let encoded = utf8_percent_encode(order.uid.as_str(), NON_ALPHANUMERIC);
        Self::Found(Box::new(Found {
            json_href: format!("/orders/{encoded}"),
            created: readable(document.date_created),
            paid: paid.map(readable),
            origin,
            ms: format!("{:.2}", milliseconds(took)),
            document,
        }))
    }
}

impl Card {
    fn of(order: &StoredOrder, wall: Timestamp) -> Result<Self, ReadError> {
        let encoded = utf8_percent_encode(order.uid.as_str(), NON_ALPHANUMERIC);
        Ok(Self { href: format!("/?uid={encoded}"), document: document(order, wall)? })
    }

    /// To the second: a card is for telling orders apart.
    fn created(&self) -> String {
        let second = self.document.date_created.as_second();
        Moment::from_second(second).map(readable).unwrap_or_default()
    }
}

/// The fields of a stored order.
fn document(order: &StoredOrder, wall: Timestamp) -> Result<Document, ReadError> {
    let element = decode(&order.body, Profile::Lenient, wall).into_iter().next();
    let order = element.and_then(|element| element.order.ok()).ok_or(ReadError::Corrupt)?;
    Ok(order.document().clone())
}

/// A time as the script writes it too.
fn readable(time: Moment) -> String {
    time.to_string().replace('T', " ").replace('Z', " UTC")
}

/// The page for an error on any address.
pub(super) fn error(context: &Context, problem: &Problem) -> Response {
    let t = context.language.words();
    let heading = match (problem.status, problem.code) {
        (_, "order_not_found") => t.not_found,
        (_, "bad_order_uid") => t.malformed,
        (StatusCode::NOT_FOUND, _) => t.no_such_page,
        (StatusCode::BAD_REQUEST, _) => t.bad_request,
        _ => problem.title(),
    };
    let page = ErrorPage {
        lang: context.language.code(),
        t,
        query: "",
        status: problem.status.as_u16(),
        heading,
        detail: &problem.detail,
        request_id: &context.request_id,
    };
    let html = respond(problem.status, Keep::No, &page);
    let mut response = problem.respond("text/html; charset=utf-8", html.body().clone());
    add_page_headers(&mut response);
    response
}

fn respond(status: StatusCode, keep: Keep, page: &impl Template) -> Response {
    let html = page.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page can't be written");
        String::new()
    });
    let mut response = response(status, "text/html; charset=utf-8", keep, Bytes::from(html));
    add_page_headers(&mut response);
    response
}

fn add_page_headers(response: &mut Response) {
    let headers = response.headers_mut();
    headers
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Language"));
}
