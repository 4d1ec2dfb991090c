//! The socket that a server listens on.

use std::net::SocketAddr;
use std::net::TcpListener;

/// Why the daemon can't serve HTTP.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {reason}; choose another with --listen (ORDERD_LISTEN)")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why, in words.
        reason: String,
    },
    /// The system has no thread or socket left for the server.
    #[error("the HTTP server can't start")]
    Start(#[source] std::io::Error),
}

/// Listens on `address`. Port 0 takes a free one; the listener knows which.
///
/// TCP_NODELAY is set on the listener, whose connections inherit it: `tiny_http` can't set it
/// itself, and answered 23 requests a second and connection without it (2026-11-20).
///
/// # Errors
/// `Bind` if the address is taken, not permitted or not of this machine.
pub fn bind(address: SocketAddr) -> Result<TcpListener, HttpError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        socket2::SockRef::from(&listener).set_tcp_nodelay(true)?;
        Ok(listener)
    });
    listener.map_err(|error| HttpError::Bind { address, reason: why(&error) })
}

fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "the port is taken".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this user isn't permitted to".to_owned(),
        std::io::ErrorKind::AddrNotAvailable => "this machine doesn't have the address".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue: TCP_NODELAY is set on the listener, and every connection has it from there.
    #[test]
    fn answers_are_sent_without_delay() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(accepted.nodelay().unwrap());
    }

    /// Issue: `--listen 127.0.0.1:0` takes a free port; a taken port is one sentence that names the
    /// thing and the setting.
    #[test]
    fn a_bad_address_is_one_sentence() {
        let free = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let bound = free.local_addr().unwrap();
        assert_ne!(bound.port(), 0);
        let taken = bind(bound).unwrap_err().to_string();
        assert_eq!(
            taken,
            format!(
                "can't listen on {bound}: the port is taken; \
                 choose another with --listen (ORDERD_LISTEN)"
            )
        );
        // TEST-NET-1 belongs to no machine.
        let elsewhere = bind("192.0.2.1:8081".parse().unwrap()).unwrap_err().to_string();
        assert!(elsewhere.contains("this machine doesn't have the address"), "{elsewhere}");
    }
}
