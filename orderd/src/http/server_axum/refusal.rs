//! The end of a connection: the answer to a head that never reached hyper, and a moment to read it.

use crate::http::Response;
use crate::http::Service;
use crate::http::head::Refused;
use ::http::Method;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use std::io;
use std::net::Shutdown;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a client that is no longer listened to may take to hear so.
const LINGER_WAIT_MAX: Duration = Duration::from_secs(1);

/// How much it may go on sending: a body that is somewhat too long.
const LINGER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How much is thrown away at a time.
const SINK_BYTES: usize = 16 * 1024;

/// Answers what was refused, and ends the connection so that the client can read the answer.
pub(super) async fn end(socket: &TcpStream, service: &Service, refused: Option<Refused>) {
    let ending = async {
        if let Some(Refused { refusal, head }) = refused {
            let response = service.refuse(&head, refusal);
            let bytes = bytes(&response, &head.method, service.clock.wall());
            write_all(socket, &bytes).await?;
        }
        socket2::SockRef::from(socket).shutdown(Shutdown::Write)?;
        drain(socket).await
    };
    // A client that doesn't take its answer in time, or goes away, has had its chance.
    let _: Result<io::Result<()>, _> = tokio::time::timeout(LINGER_WAIT_MAX, ending).await;
}

async fn write_all(socket: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        socket.writable().await?;
        match socket.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads what the client still sends, until it has heard that nobody listens.
async fn drain(socket: &TcpStream) -> io::Result<()> {
    let mut sink = vec![0; SINK_BYTES];
    let mut left = LINGER_BYTES_MAX;
    while left > 0 {
        socket.readable().await?;
        match socket.try_read(&mut sink) {
            Ok(0) => return Ok(()),
            Ok(count) => left = left.saturating_sub(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The response as it stands on the wire, after which the connection ends.
fn bytes(response: &Response, method: &Method, now: Timestamp) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    if let Ok(date) = DateTimePrinter::new().timestamp_to_rfc9110_string(&now) {
        bytes.extend_from_slice(format!("date: {date}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"connection: close\r\n\r\n");
    if method != Method::HEAD {
        bytes.extend_from_slice(response.body());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::header;
    use bytes::Bytes;

    /// Section 3: HEAD is answered as GET would be, without a body.
    #[test]
    fn a_refusal_is_whole_and_ends_the_connection() {
        let mut response = Response::new(Bytes::from_static(b"{}"));
        *response.status_mut() = ::http::StatusCode::PAYLOAD_TOO_LARGE;
        response.headers_mut().insert(header::CONTENT_LENGTH, 2.into());
        let head = "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\n\
            date: Thu, 01 Jan 1970 00:00:00 GMT\r\nconnection: close\r\n\r\n";
        let now = Timestamp::UNIX_EPOCH;
        let wire = |method| String::from_utf8(bytes(&response, &method, now)).unwrap();
        assert_eq!(wire(Method::GET), format!("{head}{{}}"));
        assert_eq!(wire(Method::HEAD), head);
    }
}
