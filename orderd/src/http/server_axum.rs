//! The default server: axum on tokio, on threads of its own.
//!
//! Hits are answered on the runtime's two workers. A job goes to a blocking thread, if one of
//! [`JOBS_MAX`] is free; else the request is turned away at once, so that a slow store never makes
//! hits wait. The longest body is known before it is buffered, and head and body each have a
//! deadline.
//!
//! When the daemon stops, connections are told so, idle ones close, and what is in hand may end
//! within the drain time; what doesn't is cut off.

use crate::http::BODY_BYTES_MAX;
use crate::http::HttpError;
use crate::http::Refusal;
use crate::http::Reply;
use crate::http::Response;
use crate::http::Service;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use ::http::Request;
use ::http::header;
use ::http::request;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime;
use tokio::sync::Semaphore;

/// Hits cost 6 to 7 µs of processor each (2026-11-20), so two workers answer more than the rest of
/// the daemon can.
const WORKERS: usize = 2;

/// How many jobs wait for the store or the topic at a time. A thread is made only when needed.
const JOBS_MAX: usize = 256;

/// How long a client may take to send the head of a request.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(10);

/// How long a client may take to send a body.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

/// The pause after the system refused a connection, most likely for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A stop token has no deadline of its own; its waits do.
const STOP_WAIT: Duration = Duration::from_secs(3600);

#[derive(Clone)]
struct Shared {
    service: Arc<Service>,
    jobs: Arc<Semaphore>,
}

/// Starts the server's thread as a member of `crew`. When the crew stops, what is in hand may end
/// within `drain_max`.
///
/// # Errors
/// `Start` if the system has no thread left, or refuses the listener.
pub fn serve_axum(
    crew: &Crew,
    listener: TcpListener,
    service: Arc<Service>,
    drain_max: Duration,
) -> Result<(), HttpError> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        // One of them waits for the word to stop.
        .max_blocking_threads(JOBS_MAX + 1)
        .thread_name("http-worker")
        .enable_all()
        .build()
        .map_err(HttpError::Start)?;
    let entered = runtime.enter();
    listener.set_nonblocking(true).map_err(HttpError::Start)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(HttpError::Start)?;
    drop(entered);
    let spawned = crew.spawn("http", move |stop| {
        runtime.block_on(serve(listener, service, stop.clone(), drain_max));
        // A job that is still waiting has a deadline, and nobody left to answer.
        runtime.shutdown_background();
    });
    spawned.map_err(HttpError::Start)
}

async fn serve(
    listener: tokio::net::TcpListener,
    service: Arc<Service>,
    stop: StopToken,
    drain_max: Duration,
) {
    let shared = Shared { service, jobs: Arc::new(Semaphore::new(JOBS_MAX)) };
    let router: Router = Router::new().fallback(answer).with_state(shared);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT_MAX);
    let connections = GracefulShutdown::new();
    let mut stopped = tokio::task::spawn_blocking(move || while !stop.wait(STOP_WAIT) {});
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let service = TowerToHyperService::new(router.clone());
                let connection = http.serve_connection(TokioIo::new(stream), service);
                let watched = connections.watch(connection);
                // A connection that breaks concerns nobody but its client.
                tokio::spawn(async move { drop(watched.await) });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(drain_max, connections.shutdown()).await.is_err() {
        tracing::warn!(drain_ms = drain_max.as_millis(), "requests in hand were cut off");
    }
}

async fn answer(State(shared): State<Shared>, request: Request<Body>) -> ::http::Response<Body> {
    let (head, body) = request.into_parts();
    let response = match whole(&head, body).await {
        Err(refusal) => {
            let mut response = shared.service.refuse(&head, refusal);
            // What is left of the body would be taken for the next request.
            response
                .headers_mut()
                .insert(header::CONNECTION, header::HeaderValue::from_static("close"));
            response
        }
        Ok(body) => complete(shared, Request::from_parts(head, body)).await,
    };
    response.map(Body::from)
}

/// The body, if it is short enough and arrives in time.
async fn whole(head: &request::Parts, body: Body) -> Result<Bytes, Refusal> {
    let declared = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|text| text.parse::<u64>().ok()) > Some(BODY_BYTES_MAX as u64) {
        return Err(Refusal::BodyTooLarge);
    }
    let buffered = axum::body::to_bytes(body, BODY_BYTES_MAX);
    match tokio::time::timeout(BODY_WAIT_MAX, buffered).await {
        Err(_) => Err(Refusal::BodyTooSlow),
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if is_length_limit(&error) => Err(Refusal::BodyTooLarge),
        Ok(Err(_)) => Err(Refusal::BodyBroken),
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}

async fn complete(shared: Shared, request: Request<Bytes>) -> Response {
    let job = match shared.service.handle(request) {
        Reply::Now(response) => return response,
        Reply::Later(job) => job,
    };
    let Ok(permit) = shared.jobs.try_acquire_owned() else {
        return job.refused(Refusal::Overloaded);
    };
    let job = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        job.run()
    });
    // A job catches its own panics, so it fails only when the runtime ends, and then nobody reads.
    job.await.unwrap_or_default()
}
