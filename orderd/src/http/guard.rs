//! Who may write: the checks that every request that changes something must pass, and those that
//! read what only writers may.
//!
//! A page on a foreign site can make a browser send requests to this daemon. Such a request shows
//! itself by its `Origin`, by `Sec-Fetch-Site`, or, when a foreign name was pointed at this
//! machine's address, by its `Host`. All three are refused before the token is looked at.

use crate::http::problem::Problem;
use ::http::HeaderName;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use ::http::request;
use ::http::uri::Authority;
use sha2::Digest as _;
use std::fmt;
use std::net::IpAddr;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who may write.
#[derive(Debug)]
pub enum Writes {
    /// Nobody.
    Off,
    /// Whoever has the token.
    Token(Token),
    /// Whoever reaches the address: for the demo on one's own machine.
    Demo,
}

/// The secret of those who may write. Only its SHA-256 is kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// Keeps `secret`'s digest.
    pub fn new(secret: &str) -> Self {
        Self(sha2::Sha256::digest(secret).into())
    }

    /// Compares digests, so that the time it takes says nothing about the secret.
    fn is(&self, given: &str) -> bool {
        Self::new(given).0 == self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The checks, with what they compare requests against.
#[derive(Debug)]
pub(super) struct Guard {
    writes: Writes,
    public_hosts: Vec<String>,
}

impl Guard {
    pub(super) fn new(writes: Writes, public_hosts: Vec<String>) -> Self {
        let public_hosts = public_hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { writes, public_hosts }
    }

    /// Lets a request that writes pass, or says why not.
    pub(super) fn check(&self, head: &request::Parts) -> Result<(), Problem> {
        if let Writes::Off = self.writes {
            let detail = "Writing over HTTP, and reading dead letters, is turned off.";
            return Err(Problem::new(StatusCode::FORBIDDEN, "writes_off", detail));
        }
        let host = self.own_host(head)?;
        check_origin(head, &host)?;
        match &self.writes {
            Writes::Token(token) => check_token(head, token),
            Writes::Demo | Writes::Off => Ok(()),
        }
    }

    fn own_host(&self, head: &request::Parts) -> Result<Authority, Problem> {
        let foreign = || forbidden("foreign_host", "The request names a foreign host.");
        let sent = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let named = head.uri.authority().cloned();
        let host = named.or_else(|| sent?.parse().ok()).ok_or_else(foreign)?;
        if self.is_own(host.host()) { Ok(host) } else { Err(foreign()) }
    }

    /// An address needs no name to be resolved, so nobody can have pointed it here.
    fn is_own(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
        bare.parse::<IpAddr>().is_ok() || host == "localhost" || self.public_hosts.contains(&host)
    }
}

fn check_origin(head: &request::Parts, host: &Authority) -> Result<(), Problem> {
    let foreign = || forbidden("foreign_origin", "The request comes from a foreign site.");
    for site in head.headers.get_all(&SEC_FETCH_SITE) {
        if site != "same-origin" && site != "none" {
            return Err(foreign());
        }
    }
    for origin in head.headers.get_all(header::ORIGIN) {
        let origin = origin.to_str().map_err(|_| foreign())?;
        let (_, authority) = origin.split_once("://").ok_or_else(foreign)?;
        if !authority.eq_ignore_ascii_case(host.as_str()) {
            return Err(foreign());
        }
    }
    Ok(())
}

fn check_token(head: &request::Parts, token: &Token) -> Result<(), Problem> {
    let sent = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = sent.and_then(|value| value.split_once(' '));
    match given {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") && token.is(secret) => {
            Ok(())
        }
        _ => {
            let detail = "This needs the token, as Authorization: Bearer.";
            let challenge = HeaderValue::from_static("Bearer");
            Err(Problem::new(StatusCode::UNAUTHORIZED, "token_required", detail)
                .with(header::WWW_AUTHENTICATE, challenge))
        }
    }
}

fn forbidden(code: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(guard: &Guard, headers: &[(&str, &str)]) -> Result<(), &'static str> {
        let mut request = ::http::Request::post("/orders");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        guard.check(&head).map_err(|problem| problem.code)
    }

    fn demo() -> Guard {
        Guard::new(Writes::Demo, vec!["Orders.example.com".to_owned()])
    }

    /// Section 3: a foreign `Host` is refused for every request that writes.
    #[test]
    fn only_own_hosts_may_be_named() {
        let guard = demo();
        for host in ["127.0.0.1:8081", "localhost", "LOCALHOST:1", "[::1]:8081", "192.0.2.7"] {
            assert_eq!(verdict(&guard, &[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(verdict(&guard, &[("host", "orders.EXAMPLE.com")]), Ok(()));
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "a b"]
        {
            assert_eq!(verdict(&guard, &[("host", host)]), Err("foreign_host"), "{host}");
        }
    }

    /// Section 3: a foreign `Origin` and cross-site fetches are refused.
    #[test]
    fn only_own_pages_may_write() {
        let guard = demo();
        let host = ("host", "localhost:8081");
        for (name, value, expected) in [
            ("origin", "http://localhost:8081", Ok(())),
            ("origin", "http://localhost:3000", Err("foreign_origin")),
            ("origin", "https://evil.example", Err("foreign_origin")),
            ("origin", "null", Err("foreign_origin")),
            ("sec-fetch-site", "same-origin", Ok(())),
            ("sec-fetch-site", "none", Ok(())),
            ("sec-fetch-site", "same-site", Err("foreign_origin")),
            ("sec-fetch-site", "cross-site", Err("foreign_origin")),
        ] {
            assert_eq!(verdict(&guard, &[host, (name, value)]), expected, "{name}: {value}");
        }
    }

    /// Section 3: the token is asked for always, and the secret isn't printed.
    #[test]
    fn the_token_opens_and_nothing_else_does() {
        let token = Token::new("open sesame");
        assert_eq!(format!("{token:?}"), "Token(..)");
        let guard = Guard::new(Writes::Token(token), Vec::new());
        let host = ("host", "localhost");
        let sent = |value| verdict(&guard, &[host, ("authorization", value)]);
        assert_eq!(sent("Bearer open sesame"), Ok(()));
        assert_eq!(sent("bearer open sesame"), Ok(()));
        for wrong in ["Bearer open", "Bearer ", "Bearer", "open sesame", "Basic open sesame"] {
            assert_eq!(sent(wrong), Err("token_required"), "{wrong}");
        }
        assert_eq!(verdict(&guard, &[host]), Err("token_required"));
        let off = Guard::new(Writes::Off, Vec::new());
        assert_eq!(verdict(&off, &[host]), Err("writes_off"));
    }
}
