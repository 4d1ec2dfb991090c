//! Which pages of other sites may read answers: those from the origins of the settings (CORS).
//!
//! Without such an origin no answer says anything about it, and browsers keep every other site from
//! reading. Only reads are shared: a request that writes is refused by `guard` if it comes from
//! another site, whatever is set here. Credentials are never allowed, and `*` is no origin, since
//! orders are customers' data.

use crate::http::Response;
use ::http::HeaderMap;
use ::http::HeaderValue;
use ::http::Method;
use ::http::header;
use ::http::request;

/// What a script of another site may read of an answer besides its body.
const EXPOSED: &str = "ETag, Link, Retry-After, Server-Timing, X-Cache, X-Request-Id";

/// What such a script may send.
const ACCEPTED: &str = "If-None-Match, X-Request-Id";

/// How long a browser may remember that it may ask, in seconds.
const PREFLIGHT_AGE_MAX: &str = "600";

/// The origins whose pages may read.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<String>,
}

/// What one answer says to browsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// Nothing: no origin may read, or the request is no read.
    Silent,
    /// That the answer would be another one for another origin.
    Varies,
    /// That pages of this origin may read it.
    To(HeaderValue),
}

impl Cors {
    pub(super) fn new(origins: Vec<String>) -> Self {
        Self { origins }
    }

    /// What the answer to this request says.
    pub(super) fn grant(&self, head: &request::Parts) -> Grant {
        let is_read = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&head.method);
        if self.origins.is_empty() || !is_read {
            return Grant::Silent;
        }
        let mut sent = head.headers.get_all(header::ORIGIN).iter();
        match (sent.next(), sent.next()) {
            (Some(origin), None) if self.allows(origin) => Grant::To(origin.clone()),
            _ => Grant::Varies,
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    }
}

impl Grant {
    /// Puts it into an answer.
    pub(super) fn apply(&self, response: &mut Response) {
        let headers = response.headers_mut();
        if *self == Self::Silent {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Self::To(origin) = self {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let exposed = HeaderValue::from_static(EXPOSED);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }

    /// Answers a browser that asks before it reads. That nothing but a read is allowed is said by
    /// leaving it out.
    pub(super) fn answer_preflight(&self, asked: &HeaderMap, headers: &mut HeaderMap) {
        let is_preflight = asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight || !matches!(self, Self::To(_)) {
            return;
        }
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, ACCEPTED),
            (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_MAX),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}
