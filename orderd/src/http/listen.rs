//! The socket that a server listens on.

use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::ToSocketAddrs as _;

/// Why the daemon can't serve HTTP.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The setting isn't an address.
    #[error("{given:?} is no address to listen on: --listen (ORDERD_LISTEN) takes host:port")]
    BadAddress {
        /// What was given.
        given: String,
    },
    /// The address can't be listened on.
    #[error("can't listen on {address}: {reason}; choose another with --listen (ORDERD_LISTEN)")]
    Bind {
        /// The address.
        address: String,
        /// Why, in words.
        reason: String,
    },
    /// The system has no thread or socket left for the server.
    #[error("the HTTP server can't start")]
    Start(#[source] std::io::Error),
}

/// Listens on `address`, which is `host:port`. Port 0 takes a free one; the listener knows which.
///
/// TCP_NODELAY is set on the listener, whose connections inherit it: `tiny_http` can't set it
/// itself, and answered 23 requests a second and connection without it (2026-11-20).
///
/// # Errors
/// `BadAddress` if `address` can't be read or resolved; `Bind` if it is taken, not permitted or not
/// of this machine.
pub fn bind(address: &str) -> Result<TcpListener, HttpError> {
    let bad = || HttpError::BadAddress { given: address.to_owned() };
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(|_| bad())?.collect();
    if addresses.is_empty() {
        return Err(bad());
    }
    let listener = TcpListener::bind(&*addresses)
        .and_then(|listener| {
            socket2::SockRef::from(&listener).set_tcp_nodelay(true)?;
            Ok(listener)
        })
        .map_err(|error| HttpError::Bind { address: address.to_owned(), reason: why(&error) })?;
    Ok(listener)
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

    /// Issue: `--listen 127.0.0.1:0` takes a free port; a taken port is one sentence that names the
    /// thing and the setting.
    #[test]
    fn a_bad_address_is_one_sentence() {
        let free = bind("127.0.0.1:0").unwrap();
        let bound = free.local_addr().unwrap();
        assert_ne!(bound.port(), 0);
        let taken = bind(&bound.to_string()).unwrap_err().to_string();
        assert_eq!(
            taken,
            format!(
                "can't listen on {bound}: the port is taken; \
                 choose another with --listen (ORDERD_LISTEN)"
            )
        );
        for wrong in ["", "8081", "127.0.0.1:99999", "127.0.0.1"] {
            let sentence = bind(wrong).unwrap_err().to_string();
            assert!(sentence.contains("--listen (ORDERD_LISTEN)"), "{sentence}");
            assert!(sentence.contains(&format!("{wrong:?}")), "{sentence}");
        }
        // TEST-NET-1 belongs to no machine.
        let elsewhere = bind("192.0.2.1:8081").unwrap_err().to_string();
        assert!(elsewhere.contains("this machine doesn't have the address"), "{elsewhere}");
    }
}
