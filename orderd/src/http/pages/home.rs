//! The home page: the search, the order that was found or why none was, and the newest orders.

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
use crate::http::conditional::Condition;
use crate::http::context::Context;
use crate::http::list::RECENT;
use crate::http::orders::Origin;
use crate::http::orders::note_read;
use crate::http::pages::frame::Frame;
use crate::http::pages::frame::Section;
use crate::http::pages::order::Card;
use crate::http::pages::order::Found;
use crate::http::pages::order::Reading;
use crate::http::pages::respond;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::words::State;
use crate::http::words::Words;
use crate::metrics::Metrics;
use crate::order::Digest;
use crate::order::OrderUid;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use askama::Template;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    frame: Frame,
    t: &'static Words,
    asked: &'a Asked,
    newest: &'a Result<Vec<Card>, ReadError>,
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

impl Asked {
    fn of(
        metrics: &Metrics,
        order: &StoredOrder,
        origin: Origin,
        took: Duration,
        reading: &Reading,
    ) -> Self {
        note_read(metrics, &order.uid, origin, took);
        match Found::of(order, origin, took, reading) {
            Ok(found) => Self::Found(Box::new(found)),
            Err(error) => Self::Failed(error),
        }
    }

    /// What the page says instead of showing an order.
    fn state(&self, t: &Words) -> Option<State> {
        match self {
            Self::Nothing | Self::Found(_) => None,
            Self::Empty => Some(t.empty),
            Self::Malformed => Some(t.malformed),
            Self::Unknown => Some(t.not_found),
            Self::Failed(error) => {
                let problem = Problem::from(*error);
                Some(t.of_error(problem.status, problem.code))
            }
        }
    }
}

/// `GET /` and `GET /?uid=`.
pub(in crate::http) fn home(
    service: &Service,
    query: &Query,
    condition: Condition,
    context: &Context,
) -> Result<Answer, Problem> {
    let uid = query.one_of(&["uid"])?.map(|uid| uid.trim().to_owned());
    let page = Home {
        search: Search::start(service, uid.as_deref()),
        query: uid.unwrap_or_default(),
        newest: service.catalog.page(None, RECENT),
        started: service.clock.now(),
        clock: service.clock.clone(),
        wait_max: service.read_wait_max,
        metrics: Arc::clone(&service.metrics),
        condition,
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
    metrics: Arc<Metrics>,
    condition: Condition,
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
        let metrics = &self.metrics;
        let (clock, language) = (&self.clock, self.context.language);
        let reading = Reading { language, wall: clock.wall() };
        let asked = match self.search {
            Search::Done(asked) => asked,
            Search::Cached(order, origin, took) => {
                Asked::of(metrics, &order, origin, took, &reading)
            }
            Search::Pending(uid, pending) => match pending.answer(self.wait_max) {
                Ok(Answered::Loaded(order)) => {
                    Asked::of(metrics, &order, Origin::Store, clock.now() - self.started, &reading)
                }
                Ok(Answered::Stale(order)) => {
                    Asked::of(metrics, &order, Origin::Stale, clock.now() - self.started, &reading)
                }
                Ok(Answered::Absent) => {
                    note_read(metrics, &uid, Origin::Store, clock.now() - self.started);
                    Asked::Unknown
                }
                Err(error) => Asked::Failed(error),
            },
        };
        let newest = self
            .newest
            .and_then(|pending| pending.wait(deadline.saturating_duration_since(clock.now())))
            .and_then(|orders| orders.iter().map(|order| Card::of(order, &reading)).collect());
        let status = status(&asked, &newest);
        let mut frame = Frame::new(&self.context, Section::Orders);
        frame.query = self.query;
        let t = language.words();
        let page = HomePage { frame, t, asked: &asked, newest: &newest };
        let mut response = respond(status, &self.context, &page);
        match status {
            // The list asks for this page again and again, and mostly nothing is new.
            StatusCode::OK => {
                let etag = Digest::of(response.body()).etag();
                self.condition.apply(&etag, &mut response);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
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
