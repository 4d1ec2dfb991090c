//! The HTTP interface: handlers that don't know which server runs them.
//!
//! A [`Service`] turns a whole request into a [`Reply`]. What can be answered from memory is
//! answered at once; what may have to wait for the store or the topic comes back as a job, so that
//! each server decides where to wait and never lets a hit queue behind a miss. Both servers,
//! axum and `tiny_http`, run the same service, and every interface test runs on both.
//!
//! Invariants:
//! * [`Service::handle`] never blocks, and a job never waits past its deadline.
//! * A read answers with the same bytes whether they came from the cache or from the store.
//! * Every answer carries a request id; every error is a problem document, or a page for a browser.
//! * Nothing that comes from an order or from a client reaches a page unescaped.
//!
//! Handlers never touch a store or a topic by themselves: they ask the catalog and the appender.

mod answer;
mod assets;
mod conditional;
mod context;
mod cors;
mod cursor;
#[cfg(fuzzing)]
pub mod fuzzed;
mod guard;
mod head;
mod health;
mod letters;
mod limits;
mod list;
mod listen;
mod negotiate;
mod observe;
mod openapi;
mod orders;
mod pages;
mod problem;
mod query;
mod random;
mod router;
mod server_axum;
mod server_tiny;
mod submit;
mod words;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::dead_letters::Desk;
use crate::http::answer::Answer;
use crate::http::context::Context;
use crate::http::cors::Cors;
use crate::http::guard::Guard;
use crate::http::observe::Observed;
use crate::http::problem::Problem;
use crate::metrics::Metrics;
use crate::order::validate::Profile;
use crate::series::Series;
use crate::supervise::readiness::Readiness;
use crate::topic::appender::Appender;
use ::http::Request;
use ::http::request;
use bytes::Bytes;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

pub use crate::http::guard::{Token, Writes};
pub use crate::http::limits::{BODY_BYTES_MAX, Limits};
pub use crate::http::listen::{HttpError, bind};
pub use crate::http::random::Random;
pub use crate::http::server_axum::serve_axum;
pub use crate::http::server_tiny::serve_tiny;

/// What a server sends back.
pub type Response = ::http::Response<Bytes>;

/// An answer, or the job that makes it.
#[derive(Debug)]
pub enum Reply {
    /// Ready to be sent.
    Now(Response),
    /// May block, at most for as long as a read or a write may take: run it where blocking is
    /// allowed.
    Later(Job),
}

/// Why a server refuses a request that it doesn't hand to [`Service::handle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The body is longer than [`BODY_BYTES_MAX`].
    BodyTooLarge,
    /// The body didn't arrive in time.
    BodyTooSlow,
    /// The body ended early or isn't framed as its headers say.
    BodyBroken,
    /// The head isn't HTTP.
    HeadBroken,
    /// The head has too many bytes or fields.
    HeadTooLarge,
    /// The head's first line alone is too long.
    TargetTooLong,
    /// The head didn't arrive in time.
    HeadTooSlow,
    /// The head doesn't say once and clearly where the body ends.
    LengthBroken,
    /// The body is coded in a way that isn't known here.
    CodingUnknown,
    /// Another version of HTTP.
    VersionUnknown,
    /// Too many jobs wait already.
    Overloaded,
}

/// The rest of the work on a request, which may block until its deadline.
pub struct Job {
    context: Context,
    observed: Observed,
    work: answer::Work,
}

impl Job {
    /// Does the work. A panic in it is answered like any other failure.
    pub fn run(self) -> Response {
        self.run_if(|_| Ok(()))
    }

    /// As [`Job::run`], and `judge` may refuse the body that was made.
    pub fn run_if(self, judge: impl FnOnce(&Bytes) -> Result<(), Refusal>) -> Response {
        // What is logged on the way names the request.
        let span = tracing::info_span!("request", id = self.context.request_id);
        let result = span.in_scope(|| catch_unwind(AssertUnwindSafe(self.work)));
        let result = result.unwrap_or_else(|_| Err(Problem::panicked()));
        let judged = result.and_then(|response| {
            judge(response.body())?;
            Ok(response)
        });
        self.observed.answered(&self.context.request_id, self.context.finish(judged))
    }

    /// Leaves the work undone and says why.
    pub fn refused(self, refusal: Refusal) -> Response {
        let response = self.context.finish(Err(Problem::from(refusal)));
        self.observed.answered(&self.context.request_id, response)
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("context", &self.context).finish_non_exhaustive()
    }
}

/// What a [`Service`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where orders are read.
    pub catalog: Arc<Catalog>,
    /// Where orders are written, by those who may.
    pub appender: Appender,
    /// What `/readyz` shows.
    pub readiness: Arc<Readiness>,
    /// Who may write.
    pub writes: Writes,
    /// What makes random orders, if that is turned on.
    pub random: Option<Random>,
    /// The rules for orders that are posted.
    pub profile: Profile,
    /// Where the time comes from.
    pub clock: Clock,
    /// Names, without port, under which the daemon is known: requests that write must name one of
    /// them as their host, or `localhost`, or an address.
    pub public_hosts: Vec<String>,
    /// The origins whose pages may read answers, such as `https://shop.example.com`.
    pub cors_origins: Vec<String>,
    /// How long a read may wait for the store.
    pub read_wait_max: Duration,
    /// What `/cache` shows of the past.
    pub series: Arc<Series>,
    /// What requests are counted in, and what `/metrics` shows.
    pub metrics: Arc<Metrics>,
}

/// The handlers of all routes.
#[derive(Debug)]
pub struct Service {
    catalog: Arc<Catalog>,
    appender: Appender,
    readiness: Arc<Readiness>,
    guard: Guard,
    cors: Cors,
    random: Option<Random>,
    profile: Profile,
    clock: Clock,
    read_wait_max: Duration,
    series: Arc<Series>,
    metrics: Arc<Metrics>,
    desk: Desk,
}

impl Service {
    /// The handlers over these parts.
    pub fn new(parts: Parts) -> Self {
        let catalog = Arc::clone(&parts.catalog);
        let clock = parts.clock.clone();
        let desk = Desk::new(catalog, parts.profile, clock, parts.read_wait_max);
        Self {
            desk,
            catalog: parts.catalog,
            appender: parts.appender,
            readiness: parts.readiness,
            guard: Guard::new(parts.writes, parts.public_hosts),
            cors: Cors::new(parts.cors_origins),
            random: parts.random,
            profile: parts.profile,
            clock: parts.clock,
            read_wait_max: parts.read_wait_max,
            series: parts.series,
            metrics: parts.metrics,
        }
    }

    /// Answers a request, whatever it is. Never blocks; what may block comes back as
    /// [`Reply::Later`]. A panic of a handler is answered with 500.
    pub fn handle(&self, request: Request<Bytes>) -> Reply {
        let (head, body) = request.into_parts();
        let context = Context::of(&head, &self.cors);
        let observed = Observed::start(&self.metrics, &self.clock, &head);
        let answer =
            catch_unwind(AssertUnwindSafe(|| router::answer(self, &head, &body, &context)));
        let result = match answer.unwrap_or_else(|_| Err(Problem::panicked())) {
            Ok(Answer::Later(work)) => return Reply::Later(Job { context, observed, work }),
            Ok(Answer::Now(response)) => Ok(response),
            Err(problem) => Err(problem),
        };
        Reply::Now(observed.answered(&context.request_id, context.finish(result)))
    }

    /// The answer to a request that its server refuses before it is whole.
    pub fn refuse(&self, head: &request::Parts, refusal: Refusal) -> Response {
        let observed = Observed::start(&self.metrics, &self.clock, head);
        let context = Context::of(head, &self.cors);
        observed.answered(&context.request_id, context.finish(Err(Problem::from(refusal))))
    }
}
