//! The line beneath a session with PostgreSQL: every wait on it ends.
//!
//! The client library waits without an end for a server that is there and says nothing: more than
//! 40 s for one that accepts connections and is silent, more than 30 s for a stopped backend
//! (measured 2026-11-20), whatever its timeouts are. It hands its socket to whoever speaks TLS for
//! it, and asks no server first when TLS is to begin at once. So [`Plain`] takes the socket in that
//! place and wraps it without encrypting anything: a wait that brought nothing for too long, or
//! that was cut, fails there, and the library reports a broken connection. A call that ends by
//! itself needs no thread to be left behind in it.
//!
//! Invariants:
//! * A call fails at the latest [`Line`]'s patience after the last byte that moved, and within
//!   [`TICK`] after the cut.
//! * A line that failed stays broken, so that nothing waits when the session is dropped.
//!
//! Sockets of the Unix domain have no such place, and no such end.

use crate::supervise::StopToken;
use postgres::tls::ChannelBinding;
use postgres::tls::MakeTlsConnect;
use postgres::tls::TlsConnect;
use postgres::tls::TlsStream;
use std::convert::Infallible;
use std::future::Future;
use std::future::Ready;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Sleep;

/// How often a wait is looked at. Time is counted in these, and only while a call waits: so no
/// clock is read for it, and an idle session gets no older.
const TICK: Duration = Duration::from_millis(100);

/// The owner's end of a line.
#[derive(Clone, Debug)]
pub(super) struct Line(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// How many ticks a wait may last without a byte.
    patience: AtomicU32,
    /// How many ticks the present one has lasted.
    waited: AtomicU32,
    broken: AtomicBool,
    cut: StopToken,
}

impl Line {
    /// A line whose waits end after `patience` without a byte, and when `cut` is given.
    pub(super) fn new(patience: Duration, cut: StopToken) -> Self {
        let shared = Shared {
            patience: AtomicU32::new(ticks(patience)),
            waited: AtomicU32::new(0),
            broken: AtomicBool::new(false),
            cut,
        };
        Self(Arc::new(shared))
    }

    /// Sets how long a wait may last without a byte.
    pub(super) fn set_patience(&self, patience: Duration) {
        self.0.patience.store(ticks(patience), Ordering::Relaxed);
    }

    /// What takes the socket in the place of TLS.
    pub(super) fn plain(&self) -> Plain {
        Plain(self.clone())
    }

    /// Bytes have moved.
    fn moved(&self) {
        self.0.waited.store(0, Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.broken.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the connection was given up"));
        }
        Ok(())
    }

    /// One more tick without a byte.
    fn tick(&self) -> io::Result<()> {
        let waited = self.0.waited.fetch_add(1, Ordering::Relaxed) + 1;
        let reason = if self.0.cut.is_stopped() {
            "the daemon is stopping".to_owned()
        } else if waited >= self.0.patience.load(Ordering::Relaxed) {
            format!("the server was silent for {:?}", TICK * waited)
        } else {
            return Ok(());
        };
        self.0.broken.store(true, Ordering::Relaxed);
        Err(io::Error::new(io::ErrorKind::TimedOut, reason))
    }
}

fn ticks(patience: Duration) -> u32 {
    u32::try_from(patience.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX).max(1)
}

/// Stands where TLS would, and encrypts nothing.
#[derive(Clone, Debug)]
pub(super) struct Plain(Line);

impl<S: AsyncRead + AsyncWrite + Unpin> MakeTlsConnect<S> for Plain {
    type Stream = Watched<S>;
    type TlsConnect = Self;
    type Error = Infallible;

    fn make_tls_connect(&mut self, _domain: &str) -> Result<Self, Infallible> {
        Ok(self.clone())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsConnect<S> for Plain {
    type Stream = Watched<S>;
    type Error = Infallible;
    type Future = Ready<Result<Watched<S>, Infallible>>;

    fn connect(self, stream: S) -> Self::Future {
        self.0.moved();
        ready(Ok(Watched { stream, line: self.0, tick: None }))
    }
}

/// A socket whose waits are counted.
pub(super) struct Watched<S> {
    stream: S,
    line: Line,
    /// Kept from wait to wait. One that ran out while the session was idle counts as a first tick.
    tick: Option<Pin<Box<Sleep>>>,
}

impl<S> Watched<S> {
    /// What became of one step of the socket: it moved bytes, or the wait goes on, or is over.
    fn judge<T>(
        &mut self,
        step: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if step.is_ready() {
            self.line.moved();
            return step;
        }
        loop {
            let tick = self.tick.get_or_insert_with(|| Box::pin(tokio::time::sleep(TICK)));
            ready!(tick.as_mut().poll(context));
            self.tick = None;
            self.line.tick()?;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.line.check()?;
        let step = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.judge(step, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.line.check()?;
        let step = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(step, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.check()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Watched<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
