//! The judge of heads: whether bytes are the whole head of a request, and where its body ends.
//!
//! It stands before the server's own reader, because servers are lenient where a proxy in front of
//! them may read otherwise, and two readers that disagree on where a request ends let a third party
//! put requests into other people's connections. So a request with two lengths, with a length and a
//! transfer coding, or with a coding other than `chunked` is refused, and its connection closed
//! (RFC 9112, section 6.3, permits that for all of them).
//!
//! It never reads a body, and never looks at what is asked for.

use crate::http::Refusal;
use crate::http::limits::BODY_BYTES_MAX;
use crate::http::limits::FIELDS_MAX;
use ::http::HeaderName;
use ::http::HeaderValue;
use ::http::Method;
use ::http::Request;
use ::http::Version;
use ::http::request;

/// A whole head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Its length in bytes.
    pub(super) bytes: usize,
    /// How its body ends.
    pub(super) body: Framing,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(usize),
    /// With its last chunk.
    Chunked,
}

/// A head that isn't taken.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    /// What is known of it: nothing, if it isn't HTTP.
    pub(super) head: Box<request::Parts>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, head: Box::new(nothing()) }
    }
}

/// Judges what has arrived so far; `None` if the head isn't whole yet. Costs a pass over the bytes.
pub(super) fn judge(bytes: &[u8]) -> Result<Option<Accepted>, Refused> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let bytes = match head.parse(bytes) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(Refused::from(Refusal::from(error))),
    };
    let sent = head.headers.iter().map(|field| (field.name, field.value));
    match framing(sent, head.version == Some(1)) {
        Ok(body) => Ok(Some(Accepted { bytes, body })),
        Err(refusal) => Err(Refused { refusal, head: Box::new(parts(&head)) }),
    }
}

/// Where the body of a request with these fields ends.
pub(super) fn framing<'a>(
    fields: impl Iterator<Item = (&'a str, &'a [u8])>,
    is_http_11: bool,
) -> Result<Framing, Refusal> {
    let (mut length, mut coding) = (None, None);
    for (name, value) in fields {
        if name.eq_ignore_ascii_case("content-length") && length.replace(value).is_some() {
            return Err(Refusal::LengthBroken);
        }
        if name.eq_ignore_ascii_case("transfer-encoding") && coding.replace(value).is_some() {
            return Err(Refusal::LengthBroken);
        }
    }
    match (length, coding) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(length), None) => content_length(length.trim_ascii()).map(Framing::Length),
        (None, Some(coding)) if is_http_11 => transfer_coding(coding.trim_ascii()),
        (_, Some(_)) => Err(Refusal::LengthBroken),
    }
}

fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::LengthBroken);
    }
    // Digits that no number holds are too many bytes all the same.
    let length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
    length.filter(|length| *length <= BODY_BYTES_MAX).ok_or(Refusal::BodyTooLarge)
}

fn transfer_coding(value: &[u8]) -> Result<Framing, Refusal> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    let codings = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let chunked = codings.filter(|coding| coding.eq_ignore_ascii_case(b"chunked")).count();
    let ends_chunked = value.to_ascii_lowercase().ends_with(b"chunked");
    match chunked {
        0 => Err(Refusal::CodingUnknown),
        1 if ends_chunked => Err(Refusal::CodingUnknown),
        _ => Err(Refusal::LengthBroken),
    }
}

impl From<httparse::Error> for Refusal {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::HeadTooLarge,
            httparse::Error::Version => Self::VersionUnknown,
            _ => Self::HeadBroken,
        }
    }
}

/// The head in the types that the handlers know, as far as it can be had.
fn parts(head: &httparse::Request<'_, '_>) -> request::Parts {
    let mut parts = nothing();
    if let Some(method) = head.method.and_then(|method| Method::from_bytes(method.as_bytes()).ok())
    {
        parts.method = method;
    }
    if head.version == Some(0) {
        parts.version = Version::HTTP_10;
    }
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(field.value)) {
            parts.headers.append(name, value);
        }
    }
    parts
}

/// A head of which nothing is known.
pub(super) fn nothing() -> request::Parts {
    Request::new(()).into_parts().0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(fields: &str) -> Result<Framing, Refusal> {
        let head = format!("POST /orders HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let ahead = format!("{head}GET ");
        let judged = judge(ahead.as_bytes()).map_err(|refused| refused.refusal)?;
        Ok(judged.filter(|accepted| accepted.bytes == head.len()).unwrap().body)
    }

    /// Issue: absurd and conflicting lengths are refused, and only those.
    #[test]
    fn lengths_are_one_number_or_refused() {
        assert_eq!(verdict(""), Ok(Framing::Length(0)));
        assert_eq!(verdict("Content-Length: 0\r\n"), Ok(Framing::Length(0)));
        assert_eq!(verdict("content-length:  7 \r\n"), Ok(Framing::Length(7)));
        let longest = format!("Content-Length: {BODY_BYTES_MAX}\r\n");
        assert_eq!(verdict(&longest), Ok(Framing::Length(BODY_BYTES_MAX)));
        for absurd in ["1048577", "99999999999999", "18446744073709551616", &"9".repeat(500)] {
            let sent = format!("Content-Length: {absurd}\r\n");
            assert_eq!(verdict(&sent), Err(Refusal::BodyTooLarge), "{absurd}");
        }
        for broken in ["", "-1", "+1", "0x10", "1 2", "1,1", "1, 2", "one", "1.0", "\u{661}"] {
            let sent = format!("Content-Length: {broken}\r\n");
            assert_eq!(verdict(&sent), Err(Refusal::LengthBroken), "{broken:?}");
        }
        for other in ["5", "6"] {
            let sent = format!("Content-Length: 5\r\nX: y\r\nCONTENT-LENGTH: {other}\r\n");
            assert_eq!(verdict(&sent), Err(Refusal::LengthBroken), "{other}");
        }
    }

    /// Issue: requests that two readers end at two places are refused.
    #[test]
    fn no_coding_but_chunked_is_taken() {
        assert_eq!(verdict("Transfer-Encoding: chunked\r\n"), Ok(Framing::Chunked));
        assert_eq!(verdict("transfer-encoding: CHUNKED \r\n"), Ok(Framing::Chunked));
        for unknown in ["gzip", "identity", "xchunked", "chunkedx", "", "gzip, chunked"] {
            let sent = format!("Transfer-Encoding: {unknown}\r\n");
            assert_eq!(verdict(&sent), Err(Refusal::CodingUnknown), "{unknown:?}");
        }
        for broken in ["chunked, gzip", "chunked, chunked", "chunked,"] {
            let sent = format!("Transfer-Encoding: {broken}\r\n");
            assert_eq!(verdict(&sent), Err(Refusal::LengthBroken), "{broken:?}");
        }
        for both in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert_eq!(verdict(both), Err(Refusal::LengthBroken), "{both:?}");
        }
        let old = judge(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(old.unwrap_err().refusal, Refusal::LengthBroken);
    }

    /// Issue: what isn't HTTP is told so, and what isn't whole yet is waited for.
    #[test]
    fn heads_that_are_no_heads() {
        for partial in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"] {
            assert!(judge(partial.as_bytes()).unwrap().is_none(), "{partial:?}");
        }
        for (head, expected) in [
            ("\x16\x03\x01\x02\x00", Refusal::HeadBroken),
            ("nonsense\r\n\r\n", Refusal::HeadBroken),
            ("GET / HTTP/1.1\r\nA : b\r\n\r\n", Refusal::HeadBroken),
            ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", Refusal::HeadBroken),
            ("GET / HTTP/1.1\r\nA: \0\r\n\r\n", Refusal::HeadBroken),
            ("PRI * HTTP/2.0\r\n\r\n", Refusal::VersionUnknown),
        ] {
            assert_eq!(judge(head.as_bytes()).unwrap_err().refusal, expected, "{head:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(FIELDS_MAX + 1));
        assert_eq!(judge(many.as_bytes()).unwrap_err().refusal, Refusal::HeadTooLarge);
    }
}
