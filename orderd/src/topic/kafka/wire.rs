//! One question and its answer over a plain socket, within a deadline.
//!
//! For what the crate `kafka` lacks, and for what it can't do without the risk of waiting two
//! minutes or for ever. The messages are encoded and decoded by `kafka-protocol`; this file adds
//! the frame around them and the clock.
//!
//! Invariants: an answer is at most [`ANSWER_BYTES_MAX`] long, whatever its length prefix says, and
//! belongs to the question. A wait for it ends when the daemon stops. After an error the connection
//! is out of step and must be dropped.

use crate::clock::Clock;
use crate::supervise::StopToken;
use crate::topic::kafka::Shared;
use bytes::Bytes;
use bytes::BytesMut;
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::HeaderVersion;
use kafka_protocol::protocol::Request;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::protocol::encode_request_header_into_buffer;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::time::Duration;
use std::time::Instant;

/// Far more than any answer that is asked for here; a peer that speaks something else (its length
/// prefix is then text) must not make the daemon allocate gigabytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// How long a read goes on before it looks whether the daemon is stopping.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// A connection to one broker.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    address: String,
    clock: Clock,
    stop: StopToken,
    correlation: i32,
}

impl Wire {
    /// Connects to `host:port`, trying each address of the name, all within `wait_max`.
    pub(super) fn connect(shared: &Shared, address: &str, wait_max: Duration) -> io::Result<Self> {
        let clock = &shared.clock;
        let deadline = clock.now() + wait_max;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for socket in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&socket, left(clock, deadline)?) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(Self {
                        stream,
                        address: address.to_owned(),
                        clock: clock.clone(),
                        stop: shared.stop.clone(),
                        correlation: 0,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// `host:port`, as it was given to [`Wire::connect`].
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// From here on only deadlines end a wait: for a last word when the daemon is stopping.
    pub(super) fn outlast_stop(&mut self) {
        self.stop = StopToken::new();
    }

    /// Sends `question` and returns its answer, all within `wait_max`.
    pub(super) fn ask<Q: Request>(
        &mut self,
        question: &Q,
        version: i16,
        wait_max: Duration,
    ) -> io::Result<Q::Response> {
        self.correlation += 1;
        let deadline = self.clock.now() + wait_max;
        let frame = encode(question, version, self.correlation)?;
        let mut stream = Until { wire: self, deadline };
        stream.write_all(&frame)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > ANSWER_BYTES_MAX {
            return Err(malformed("what answers is not a Kafka broker"));
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        let mut answer = Bytes::from(answer);
        let header_version = Q::Response::header_version(version);
        let header = ResponseHeader::decode(&mut answer, header_version).map_err(malformed)?;
        if header.correlation_id != self.correlation {
            return Err(malformed("the answer belongs to another question"));
        }
        Q::Response::decode(&mut answer, version).map_err(malformed)
    }
}

fn encode<Q: Request>(question: &Q, version: i16, correlation: i32) -> io::Result<BytesMut> {
    let header = RequestHeader::default()
        .with_request_api_key(Q::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str("orderd")));
    let mut body = BytesMut::new();
    encode_request_header_into_buffer(&mut body, &header).map_err(malformed)?;
    question.encode(&mut body, version).map_err(malformed)?;
    let length = i32::try_from(body.len()).map_err(malformed)?;
    let mut frame = BytesMut::with_capacity(4 + body.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

fn malformed(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn left(clock: &Clock, deadline: Instant) -> io::Result<Duration> {
    deadline
        .checked_duration_since(clock.now())
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// A stream whose reads and writes end at a deadline all together: a timeout of each read alone
/// would let a peer that sends a byte at a time go on for ever.
struct Until<'a> {
    wire: &'a Wire,
    deadline: Instant,
}

impl Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Wire { stream, clock, stop, .. } = self.wire;
        let mut stream = stream;
        loop {
            if stop.is_stopped() {
                return Err(io::Error::other("the daemon is stopping"));
            }
            stream.set_read_timeout(Some(left(clock, self.deadline)?.min(STOP_CHECK)))?;
            match stream.read(buffer) {
                Err(error) if is_timeout(&error) => {}
                result => return result,
            }
        }
    }
}

impl Write for Until<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let Wire { stream, clock, .. } = self.wire;
        let mut stream = stream;
        stream.set_write_timeout(Some(left(clock, self.deadline)?))?;
        match stream.write(buffer) {
            Err(error) if is_timeout(&error) => Err(io::ErrorKind::TimedOut.into()),
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket's timeout has one of two names, by system.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
