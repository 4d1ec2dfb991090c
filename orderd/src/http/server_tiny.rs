//! The other server: `tiny_http`, blocking threads and no async at all, for closed networks.
//!
//! A worker takes a request, answers it, and waits for the store itself where it must; at most
//! [`JOBS_MAX`] of the [`WORKERS`] do so at a time, so that some are always left for hits.
//!
//! Known weaknesses of `tiny_http` 0.12, which nothing outside of it can mend (measured
//! 2026-11-20), and for which it isn't the default:
//! * One request whose `Content-Length` is absurd ends the whole process, because what is missing
//!   of a body is given a buffer of that length when the request is dropped. Only never dropping it
//!   would help, at the price of a thread and two descriptors each time.
//! * A worker waits for a body without a deadline, and a stopping daemon leaves it behind.
//! * Of six connections that arrive at once, two aren't answered until another one closes.
//! * At the limit of descriptors it stops accepting for ever.

use crate::http::HttpError;
use crate::http::Refusal;
use crate::http::Reply;
use crate::http::Response;
use crate::http::Service;
use crate::http::head::framing;
use crate::http::head::nothing;
use crate::http::limits::BODY_BYTES_MAX;
use crate::http::limits::Limits;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use ::http::HeaderName;
use ::http::HeaderValue;
use ::http::Method;
use ::http::Request;
use ::http::Version;
use ::http::header;
use ::http::request;
use bytes::Bytes;
use std::io::Cursor;
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many threads answer requests.
const WORKERS: usize = 16;

/// How many of them may wait for the store or the topic at a time.
const JOBS_MAX: usize = 12;

/// How long a worker waits for a request before it looks at its stop token.
const IDLE_WAIT: Duration = Duration::from_millis(250);

struct Shared {
    server: tiny_http::Server,
    service: Arc<Service>,
    jobs: AtomicUsize,
    jobs_max: usize,
}

/// Starts the server's threads as members of `crew`. They end when the crew stops, after what they
/// have in hand.
///
/// # Errors
/// `Start` if the system has no thread left, or refuses the listener.
pub fn serve_tiny(
    crew: &Crew,
    listener: TcpListener,
    service: Arc<Service>,
    limits: Limits,
) -> Result<(), HttpError> {
    let bound = listener.local_addr().map_err(HttpError::Start)?;
    if !bound.ip().is_loopback() {
        tracing::warn!(
            %bound,
            "tiny_http doesn't withstand hostile clients: listen on loopback, or use axum"
        );
    }
    // Inherited by every connection. A worker that writes to a client which takes nothing is stuck
    // until then, since `tiny_http` has no deadlines.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket2::SockRef::from(&listener)
        .set_tcp_user_timeout(Some(limits.write_wait_max))
        .map_err(HttpError::Start)?;
    let server = tiny_http::Server::from_listener(listener, None)
        .map_err(|error| HttpError::Start(std::io::Error::other(error)))?;
    let jobs_max = JOBS_MAX.min(limits.requests_max);
    let shared = Arc::new(Shared { server, service, jobs: AtomicUsize::new(0), jobs_max });
    for number in 0..WORKERS {
        let shared = shared.clone();
        crew.spawn_restarting(format!("http-{number}"), move |stop| run(&shared, stop))
            .map_err(HttpError::Start)?;
    }
    Ok(())
}

fn run(shared: &Shared, stop: &StopToken) {
    loop {
        match shared.server.recv_timeout(IDLE_WAIT) {
            Ok(Some(request)) => answer(shared, request),
            Ok(None) if stop.is_stopped() => return,
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "tiny_http has stopped accepting connections");
                if stop.wait(IDLE_WAIT) {
                    return;
                }
            }
        }
    }
}

fn answer(shared: &Shared, mut request: tiny_http::Request) {
    let response = match whole(&mut request) {
        Err((head, refusal)) => shared.service.refuse(&head, refusal),
        Ok(whole) => match shared.service.handle(whole) {
            Reply::Now(response) => response,
            Reply::Later(job) => {
                let response = if shared.jobs.fetch_add(1, Ordering::Relaxed) < shared.jobs_max {
                    job.run()
                } else {
                    job.refused(Refusal::Overloaded)
                };
                shared.jobs.fetch_sub(1, Ordering::Relaxed);
                response
            }
        },
    };
    if let Err(error) = request.respond(outgoing(response)) {
        tracing::debug!(%error, "a client didn't take its answer");
    }
}

/// The request with its body, or its head and why it is refused.
fn whole(
    request: &mut tiny_http::Request,
) -> Result<Request<Bytes>, (Box<request::Parts>, Refusal)> {
    let Some(head) = head(request) else {
        return Err((Box::new(nothing()), Refusal::HeadBroken));
    };
    let sent = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    match framing(sent, head.version >= Version::HTTP_11) {
        Ok(_) | Err(Refusal::BodyTooLarge) => {}
        Err(refusal) => return Err((Box::new(head), refusal)),
    }
    if request.body_length() > Some(BODY_BYTES_MAX) {
        discard(request);
        return Err((Box::new(head), Refusal::BodyTooLarge));
    }
    let mut body = Vec::new();
    // With this header `tiny_http` takes all that follows on the connection for the body.
    let upgrade = head.headers.get_all(header::CONNECTION).iter().any(|value| {
        value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("upgrade"))
    });
    if !upgrade {
        let mut limited = request.as_reader().take(BODY_BYTES_MAX as u64 + 1);
        if limited.read_to_end(&mut body).is_err() {
            return Err((Box::new(head), Refusal::BodyBroken));
        }
    }
    if body.len() > BODY_BYTES_MAX {
        discard(request);
        return Err((Box::new(head), Refusal::BodyTooLarge));
    }
    if request.body_length().is_some_and(|declared| declared > body.len() && !upgrade) {
        return Err((Box::new(head), Refusal::BodyBroken));
    }
    Ok(Request::from_parts(head, Bytes::from(body)))
}

/// Reads what is left of a body that is too long, since `tiny_http` would read it into memory, or
/// take it for the next request.
fn discard(request: &mut tiny_http::Request) {
    if let Err(error) = std::io::copy(request.as_reader(), &mut std::io::sink()) {
        tracing::debug!(%error, "a client went away in the middle of its request");
    }
}

/// The head in the types that the handlers know; `None` if it isn't HTTP after all.
fn head(request: &tiny_http::Request) -> Option<request::Parts> {
    let mut head = nothing();
    head.method = Method::from_bytes(request.method().to_string().as_bytes()).ok()?;
    head.uri = request.url().parse().ok()?;
    if *request.http_version() < tiny_http::HTTPVersion(1, 1) {
        head.version = Version::HTTP_10;
    }
    for field in request.headers() {
        let name = HeaderName::from_bytes(field.field.as_str().as_str().as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(field.value.as_str().as_bytes()).ok()?;
        head.headers.append(name, value);
    }
    Some(head)
}

fn outgoing(response: Response) -> tiny_http::Response<Cursor<Bytes>> {
    let (head, body) = response.into_parts();
    // The length is among the headers: of a HEAD it isn't that of the body sent.
    let headers = head.headers.iter().filter_map(|(name, value)| {
        tiny_http::Header::from_bytes(name.as_str().as_bytes(), value.as_bytes()).ok()
    });
    let status = tiny_http::StatusCode(head.status.as_u16());
    tiny_http::Response::new(status, headers.collect(), Cursor::new(body), None, None)
        .with_chunked_threshold(usize::MAX)
}
