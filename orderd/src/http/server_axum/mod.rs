//! The default server: axum on tokio, on threads of its own.
//!
//! Hits are answered on the runtime's two workers. A job goes to a blocking thread, if one of
//! [`Limits::requests_max`] is free; else the request is turned away at once, so that a slow store
//! never makes hits wait.
//!
//! Clients are not trusted:
//! * Each connection is watched by [`peers`]: a head, a body, an answer that isn't taken, and an
//!   idle connection each have a deadline, and when there is no room for another connection, the
//!   one that was idle longest goes.
//! * Heads come through [`stream`], which refuses what two readers could read in two ways.
//! * Bodies, long heads and long answers are bought from budgets of bytes that all clients share.
//! * A connection that was refused is still listened to for a moment, because closing it with bytes
//!   unread would take the answer away from the client.
//! * When the system has no descriptor left, idle connections give theirs.
//!
//! When the daemon stops, connections are told so, idle ones close, and what is in hand may end
//! within the drain time; what doesn't is cut off.

mod peers;
mod refusal;
mod stream;

use crate::http::HttpError;
use crate::http::Refusal;
use crate::http::Reply;
use crate::http::Response;
use crate::http::Service;
use crate::http::limits::BODY_BYTES_MAX;
use crate::http::limits::HEAD_BYTES_MAX;
use crate::http::limits::Limits;
use crate::http::server_axum::peers::Cut;
use crate::http::server_axum::peers::Guest;
use crate::http::server_axum::peers::Peers;
use crate::http::server_axum::peers::Phase;
use crate::http::server_axum::stream::Stream;
use crate::http::server_axum::stream::Verdict;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use ::http::HeaderValue;
use ::http::Request;
use ::http::header;
use axum::Router;
use axum::body::Body;
use axum::body::HttpBody as _;
use axum::extract::State;
use bytes::Bytes;
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Hits cost 6 to 7 µs of processor each (2026-11-20), so two workers answer more than the rest of
/// the daemon can.
const WORKERS: usize = 2;

/// How many bytes of long heads and of bodies are in memory at a time, all clients together.
const TAKEN_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a body costs however short it is: hyper's buffer for it.
const BODY_PRICE: usize = 16 * 1024;

/// How many bytes of long answers wait for their clients, all together.
const GIVEN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// An answer up to this length is no long one. An order has 1 to 2 KiB, and a cached one costs
/// nothing, because all its answers share its bytes.
const GIVEN_FREE_BYTES: usize = 64 * 1024;

/// How long a thread that waited for the store or the topic stays for the next one who has to.
const IDLE_THREAD_WAIT: Duration = Duration::from_secs(2);

/// The pause after the system refused a connection, most likely for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// How long a connection that came is kept waiting for another to make room.
const ROOM_WAIT_MAX: Duration = Duration::from_millis(50);

/// How often connections are looked at for what they wait for.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// How often the same trouble is told at most.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// A stop token has no deadline of its own; its waits do.
const STOP_WAIT: Duration = Duration::from_secs(3600);

#[derive(Clone)]
struct Shared {
    service: Arc<Service>,
    limits: Limits,
    jobs: Arc<Semaphore>,
    taken: Arc<Semaphore>,
    given: Arc<Semaphore>,
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
    limits: Limits,
    drain_max: Duration,
) -> Result<(), HttpError> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        // One of them waits for the word to stop.
        .max_blocking_threads(limits.requests_max + 1)
        .thread_keep_alive(IDLE_THREAD_WAIT)
        .thread_name("http-worker")
        .enable_all()
        .build()
        .map_err(HttpError::Start)?;
    let entered = runtime.enter();
    listener.set_nonblocking(true).map_err(HttpError::Start)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(HttpError::Start)?;
    drop(entered);
    let shared = Shared {
        service,
        limits,
        jobs: Arc::new(Semaphore::new(limits.requests_max)),
        taken: Arc::new(Semaphore::new(TAKEN_BYTES_MAX)),
        given: Arc::new(Semaphore::new(GIVEN_BYTES_MAX)),
    };
    let spawned = crew.spawn("http", move |stop| {
        runtime.block_on(serve(listener, shared, stop.clone(), drain_max));
        // A job that is still waiting has a deadline, and nobody left to answer.
        runtime.shutdown_background();
    });
    spawned.map_err(HttpError::Start)
}

async fn serve(
    listener: tokio::net::TcpListener,
    shared: Shared,
    stop: StopToken,
    drain_max: Duration,
) {
    let peers = Peers::new(shared.limits);
    let router: Router = Router::new().fallback(answer).with_state(shared.clone());
    let connections = GracefulShutdown::new();
    let mut trouble = Trouble::default();
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    let mut stopped = tokio::task::spawn_blocking(move || while !stop.wait(STOP_WAIT) {});
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = sweep.tick() => {
                peers.sweep();
                continue;
            }
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((socket, _)) if peers.make_room(ROOM_WAIT_MAX).await => {
                let talk = Talk {
                    shared: shared.clone(),
                    guest: peers.admit(),
                    router: router.clone(),
                    watcher: connections.watcher(),
                };
                tokio::spawn(talk.run(Arc::new(socket)));
            }
            Ok(_) => trouble.tell("a connection is refused: all others are being answered"),
            Err(error) => {
                trouble.tell(&format!("a connection can't be accepted: {error}"));
                peers.shrink();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(drain_max, connections.shutdown()).await.is_err() {
        tracing::warn!(drain_ms = drain_max.as_millis(), "requests in hand were cut off");
    }
}

/// What goes wrong as often as clients want it to, and is told now and then.
#[derive(Default)]
struct Trouble {
    told_at: Option<Instant>,
    untold: u64,
}

impl Trouble {
    fn tell(&mut self, sentence: &str) {
        let now = Instant::now();
        if self.told_at.is_some_and(|at| now - at < LOG_EVERY) {
            self.untold += 1;
            return;
        }
        tracing::warn!(untold = self.untold, "{sentence}");
        (self.told_at, self.untold) = (Some(now), 0);
    }
}

/// One connection, from its first byte to its last.
struct Talk {
    shared: Shared,
    guest: Guest,
    router: Router,
    watcher: Watcher,
}

impl Talk {
    async fn run(self, socket: Arc<TcpStream>) {
        let peer = Arc::clone(&self.guest.peer);
        let verdict = Verdict::default();
        let stream = Stream::new(
            Arc::clone(&socket),
            Arc::clone(&peer),
            Arc::clone(&self.shared.taken),
            Arc::clone(&verdict),
        );
        let router = TowerToHyperService::new(self.router);
        let answering = Arc::clone(&peer);
        let service = service_fn(move |request: Request<Incoming>| {
            let (answered, peer) = (router.call(request), Arc::clone(&answering));
            async move {
                if peer.is_ahead() {
                    // One request at a time, then the others' turn: a connection with thousands of
                    // them at hand would hold the worker for a long while.
                    tokio::task::yield_now().await;
                }
                let response = answered.await;
                peer.enter(Phase::Idle);
                response
            }
        });
        let mut http = http1::Builder::new();
        // What is sent ahead isn't read before it is needed, so neither is the end.
        http.timer(TokioTimer::new()).header_read_timeout(None).half_close(true);
        http.max_buf_size(2 * HEAD_BYTES_MAX);
        let connection = self.watcher.watch(http.serve_connection(stream, service));
        let cut = tokio::select! {
            // A connection that breaks concerns nobody but its client.
            _ = connection => None,
            cut = peer.cut_off() => Some(cut),
        };
        let refused = match cut {
            Some(Cut::HeadTooSlow) => Some(Refusal::HeadTooSlow.into()),
            Some(Cut::Idle | Cut::WriteTooSlow | Cut::NoRoom) => return,
            None => verdict.lock().unwrap_or_else(PoisonError::into_inner).take(),
        };
        peer.enter(Phase::Idle);
        // Boxed, because few connections come to this, and all would hold room for it.
        let end = Box::pin(refusal::end(&socket, &self.shared.service, refused));
        tokio::select! {
            () = end => {}
            _ = peer.cut_off() => {}
        }
    }
}

async fn answer(State(shared): State<Shared>, request: Request<Body>) -> ::http::Response<Body> {
    let (head, body) = request.into_parts();
    let mut closes = head.headers.contains_key(header::TRANSFER_ENCODING);
    let mut response = match whole(&shared, body).await {
        Err(refusal) => {
            // What is left of the body would be taken for the next request.
            closes = true;
            shared.service.refuse(&head, refusal)
        }
        Ok(body) => complete(&shared, Request::from_parts(head, body)).await,
    };
    if closes {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(Body::from)
}

/// The body, if it is short enough, arrives in time, and there is memory for it.
async fn whole(shared: &Shared, body: Body) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let mut paid = buy(&shared.taken, BODY_PRICE).ok_or(Refusal::Overloaded)?;
    let collected = tokio::time::timeout(shared.limits.body_wait_max, async {
        let (mut body, mut bytes) = (body, BytesMut::new());
        while let Some(frame) = body.frame().await {
            let Ok(chunk) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else { continue };
            if bytes.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(Refusal::BodyTooLarge);
            }
            paid.merge(buy(&shared.taken, chunk.len()).ok_or(Refusal::Overloaded)?);
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    });
    let bytes = collected.await.unwrap_or(Err(Refusal::BodyTooSlow))?;
    Ok(Bytes::from_owner(Bought { bytes, _paid: paid }))
}

/// Bytes that give back what was paid for them when the last who holds them is done.
struct Bought {
    bytes: Bytes,
    _paid: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Bought {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn buy(budget: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    let price = u32::try_from(bytes).ok()?;
    Arc::clone(budget).try_acquire_many_owned(price).ok()
}

async fn complete(shared: &Shared, request: Request<Bytes>) -> Response {
    let job = match shared.service.handle(request) {
        Reply::Now(response) => return response,
        Reply::Later(job) => job,
    };
    let Ok(permit) = Arc::clone(&shared.jobs).try_acquire_owned() else {
        return job.refused(Refusal::Overloaded);
    };
    let given = Arc::clone(&shared.given);
    let job = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let mut paid = None;
        let response = job.run_if(|body| {
            let is_long = body.len() > GIVEN_FREE_BYTES;
            paid = is_long.then(|| buy(&given, body.len())).flatten();
            if is_long && paid.is_none() { Err(Refusal::Overloaded) } else { Ok(()) }
        });
        match paid {
            None => response,
            Some(paid) => response.map(|bytes| Bytes::from_owner(Bought { bytes, _paid: paid })),
        }
    });
    // A job catches its own panics, so it fails only when the runtime ends, and then nobody reads.
    job.await.unwrap_or_default()
}
