//! Errors as problem documents (RFC 9457).
//!
//! `code` is the stable name that programs act on; `detail` is one sentence for people and never
//! shows what a store or a topic said, since that may hold addresses and statements.

use crate::catalog::ReadError;
use crate::http::Refusal;
use crate::http::Response;
use crate::http::answer::Keep;
use crate::http::answer::response;
use crate::http::context::Context;
use crate::http::limits::BODY_BYTES_MAX;
use crate::http::limits::FIELDS_MAX;
use crate::http::limits::HEADER_BYTES_MAX;
use crate::http::limits::TARGET_BYTES_MAX;
use crate::order::validate::Violation;
use ::http::HeaderName;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use bytes::Bytes;
use serde::Serialize;

/// How many seconds a client that was turned away is asked to wait.
const RETRY_AFTER_S: &str = "1";

/// An error on its way to a client.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) detail: String,
    pub(super) violations: Vec<Violation>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Violation],
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (violations, headers) = (Vec::new(), Vec::new());
        Self { status, code, detail: detail.into(), violations, headers }
    }

    /// 400 for a request whose path, query or body isn't what its route takes.
    pub(super) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 503 with the wish to be asked again soon.
    pub(super) fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .with(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S))
    }

    /// 500 for a defect of the daemon; the panic itself is in the log.
    pub(super) fn panicked() -> Self {
        let detail = "The daemon failed on this request.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn with_violations(mut self, violations: Vec<Violation>) -> Self {
        self.violations = violations;
        self
    }

    /// The status's own phrase.
    pub(super) fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    /// The problem document as a response.
    pub(super) fn document(&self, context: &Context) -> Response {
        let document = Document {
            r#type: "about:blank",
            title: self.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id: &context.request_id,
            errors: &self.violations,
        };
        // Strings and numbers can always be written to memory.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        self.respond("application/problem+json", Bytes::from(body))
    }

    /// A response with the status and headers of this problem, and this body.
    pub(super) fn respond(&self, content_type: &'static str, body: Bytes) -> Response {
        let mut response = response(self.status, content_type, Keep::No, body);
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
        response
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Outage => {
                Self::unavailable("store_unavailable", "The store can't be reached at the moment.")
            }
            ReadError::Overloaded => {
                Self::unavailable("overloaded", "Too many readers wait for the store.")
            }
            ReadError::TooSlow => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "store_too_slow",
                "The store didn't answer in time.",
            ),
            ReadError::Corrupt => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "store_corrupt",
                "The store holds something that is no order.",
            ),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BodyTooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("A request body has at most {BODY_BYTES_MAX} bytes."),
            ),
            Refusal::BodyTooSlow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_too_slow",
                "The request body didn't arrive in time.",
            ),
            Refusal::BodyBroken => Self::bad_request(
                "body_broken",
                "The request body isn't framed as its headers say.",
            ),
            Refusal::HeadBroken => {
                Self::bad_request("bad_request", "The head of the request isn't HTTP.")
            }
            Refusal::HeadTooLarge => Self::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                format!(
                    "A request has at most {FIELDS_MAX} headers, and these have at most \
                     {HEADER_BYTES_MAX} bytes."
                ),
            ),
            Refusal::TargetTooLong => Self::new(
                StatusCode::URI_TOO_LONG,
                "address_too_long",
                format!("An address has at most {TARGET_BYTES_MAX} bytes."),
            ),
            Refusal::HeadTooSlow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "head_too_slow",
                "The head of the request didn't arrive in time.",
            ),
            Refusal::LengthBroken => Self::bad_request(
                "bad_length",
                "The head of the request doesn't say once and clearly where its body ends.",
            ),
            Refusal::CodingUnknown => Self::new(
                StatusCode::NOT_IMPLEMENTED,
                "unknown_transfer_coding",
                "A body is sent as it is, or chunked.",
            ),
            Refusal::VersionUnknown => Self::new(
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "unknown_version",
                "This server speaks HTTP/1.1.",
            ),
            Refusal::Overloaded => {
                Self::unavailable("overloaded", "Too many requests wait already.")
            }
        }
    }
}
