//! What a handler returns: a response, or the work that makes it.

use crate::http::Response;
use crate::http::problem::Problem;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use bytes::Bytes;

/// What of an answer's making may block until its deadline.
pub(super) type Work = Box<dyn FnOnce() -> Result<Response, Problem> + Send>;

/// A handler's result.
pub(super) enum Answer {
    Now(Response),
    Later(Work),
}

/// How long and by whom a response may be kept.
#[derive(Clone, Copy)]
pub(super) enum Keep {
    /// Orders carry personal data: only the reader's own cache, asked again each time.
    Private,
    /// Not at all.
    No,
}

impl Keep {
    pub(super) fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Private => "private, no-cache",
            Self::No => "no-store",
        })
    }
}

/// A response with a body of this type.
pub(super) fn response(
    status: StatusCode,
    content_type: &'static str,
    keep: Keep,
    body: Bytes,
) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, keep.value());
    response
}

/// A JSON response.
pub(super) fn json(status: StatusCode, keep: Keep, body: Bytes) -> Response {
    response(status, "application/json", keep, body)
}

/// A header value from text that this module's users made from visible ASCII.
pub(super) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
