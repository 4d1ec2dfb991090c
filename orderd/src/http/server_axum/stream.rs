//! One client's socket as hyper sees it: heads come through whole and judged, and what waits for
//! the client is marked for [`Peers`](crate::http::server_axum::peers::Peers).
//!
//! Invariants:
//! * hyper gets no byte of a head before all of it is here and [`head::judge`] took it, and no byte
//!   of the next request before it asks for one: what a client sends ahead stays in its socket, but
//!   for the rest of one read.
//! * The buffer of a connection holds at most one head; one longer than [`HEAD_FREE_BYTES`] is
//!   bought from the budget that all connections share. An idle connection has no buffer.

use crate::http::Refusal;
use crate::http::head;
use crate::http::head::Framing;
use crate::http::head::Refused;
use crate::http::limits::HEAD_BYTES_MAX;
use crate::http::server_axum::peers::Peer;
use crate::http::server_axum::peers::Phase;
use bytes::Buf as _;
use bytes::BytesMut;
use hyper::rt::Read;
use hyper::rt::ReadBufCursor;
use hyper::rt::Write;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

/// Heads of browsers have 500 to 2000 bytes.
const HEAD_FREE_BYTES: usize = 4 * 1024;

/// How much is read at a time.
const READ_BYTES: usize = 4 * 1024;

/// What is told to the connection's task when hyper is done with the stream.
pub(super) type Verdict = Arc<Mutex<Option<Refused>>>;

/// What comes next from the client.
#[derive(Debug)]
enum Gate {
    /// A head, judged again when it has grown to so many bytes, or might have come to its end.
    Head { judged_again_at: usize },
    /// So many bytes for hyper.
    Request { left: usize },
    /// Nothing but this request, whose end only hyper finds.
    Open,
}

const FRESH: Gate = Gate::Head { judged_again_at: 1 };

/// The client's socket.
#[derive(Debug)]
pub(super) struct Stream {
    socket: Arc<TcpStream>,
    peer: Arc<Peer>,
    verdict: Verdict,
    budget: Arc<Semaphore>,
    bought: Option<OwnedSemaphorePermit>,
    buffer: BytesMut,
    /// Up to where the buffer holds no end of a head.
    scanned: usize,
    gate: Gate,
}

impl Stream {
    pub(super) fn new(
        socket: Arc<TcpStream>,
        peer: Arc<Peer>,
        budget: Arc<Semaphore>,
        verdict: Verdict,
    ) -> Self {
        let (bought, buffer) = (None, BytesMut::new());
        Self { socket, peer, verdict, budget, bought, buffer, scanned: 0, gate: FRESH }
    }

    /// Looks whether the buffer begins with a whole head, and opens the gate for it.
    fn judge(&mut self) -> Result<(), Refused> {
        let Gate::Head { judged_again_at } = self.gate else { return Ok(()) };
        let has_end = self.has_grown_an_end();
        let is_full = self.buffer.len() >= HEAD_BYTES_MAX;
        if has_end || is_full || self.buffer.len() >= judged_again_at {
            if let Some(accepted) = head::judge(&self.buffer)? {
                self.peer.enter(Phase::Busy);
                self.scanned = 0;
                self.gate = match accepted.body {
                    Framing::Length(length) => Gate::Request { left: accepted.bytes + length },
                    Framing::Chunked => Gate::Open,
                };
                return Ok(());
            }
            // Only after it doubled: else a client that sends byte by byte would have the whole
            // head read again for each of them.
            self.gate = Gate::Head { judged_again_at: self.buffer.len() * 2 };
        }
        if is_full {
            let has_line = self.buffer.contains(&b'\n');
            let refusal = if has_line { Refusal::HeadTooLarge } else { Refusal::TargetTooLong };
            return Err(refusal.into());
        }
        if self.buffer.len() > HEAD_FREE_BYTES && self.bought.is_none() {
            let price = u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX);
            let bought = Arc::clone(&self.budget).try_acquire_many_owned(price);
            self.bought = Some(bought.map_err(|_| Refusal::Overloaded)?);
        }
        Ok(())
    }

    /// Whether an empty line came in since the last look.
    fn has_grown_an_end(&mut self) -> bool {
        let from = self.scanned.saturating_sub(2);
        self.scanned = self.buffer.len();
        let unseen = &self.buffer[from..];
        unseen.windows(2).any(|pair| pair == b"\n\n")
            || unseen.windows(3).any(|three| three == b"\n\r\n")
    }

    /// Hands hyper what it may have.
    fn pass(&mut self, out: &mut ReadBufCursor<'_>) -> usize {
        let open = match self.gate {
            Gate::Head { .. } => 0,
            Gate::Request { left } => left,
            Gate::Open => usize::MAX,
        };
        let count = open.min(self.buffer.len()).min(out.remaining());
        out.put_slice(&self.buffer[..count]);
        self.buffer.advance(count);
        if let Gate::Request { left } = &mut self.gate {
            *left -= count;
            if *left == 0 {
                self.gate = FRESH;
                self.bought = None;
                self.peer.set_ahead(!self.buffer.is_empty());
            }
        }
        count
    }

    /// Takes more from the socket; 0 is its end.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.poll_read_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    if self.buffer.is_empty() {
                        self.buffer = BytesMut::new();
                    }
                    return Poll::Pending;
                }
            }
            let room = match self.gate {
                Gate::Head { .. } => READ_BYTES.min(HEAD_BYTES_MAX - self.buffer.len()),
                Gate::Request { left } => READ_BYTES.min(left),
                Gate::Open => READ_BYTES,
            };
            self.buffer.reserve(room);
            let mut limited = bytes::BufMut::limit(&mut self.buffer, room);
            match self.socket.try_read_buf(&mut limited) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }

    fn poll_write_with(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.poll_write_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    self.peer.write_blocks();
                    return Poll::Pending;
                }
            }
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(count) => {
                    self.peer.write_moves(count);
                    return Poll::Ready(Ok(count));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.buffer.is_empty() {
                if let Err(refused) = this.judge() {
                    *this.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
                    // For hyper the client has gone; the connection's task answers it.
                    return Poll::Ready(Ok(()));
                }
                if this.pass(&mut out) > 0 {
                    return Poll::Ready(Ok(()));
                }
                if this.peer.phase() == Phase::Idle {
                    this.peer.enter(Phase::Head);
                }
            }
            if ready!(this.poll_fill(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |socket| socket.try_write(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |socket| socket.try_write_vectored(slices))
    }

    /// hyper flushes when it has written everything.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.peer.write_ends();
        Poll::Ready(Ok(()))
    }

    /// Left to the connection's task, which may still have to answer a refused head.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
