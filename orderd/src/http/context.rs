//! What of a request shapes any answer to it: its id, its method, and what its sender can read.

use crate::http::Response;
use crate::http::answer::header_value;
use crate::http::cors::Cors;
use crate::http::cors::Grant;
use crate::http::negotiate;
use crate::http::negotiate::Form;
use crate::http::pages;
use crate::http::problem::Problem;
use crate::http::words::Language;
use ::http::HeaderName;
use ::http::HeaderValue;
use ::http::Uri;
use ::http::header;
use ::http::request;
use uuid::Uuid;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is taken over from a client.
const REQUEST_ID_LENGTH_MAX: usize = 64;

/// Kept until the answer is there, which may be after the request is gone.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) request_id: String,
    pub(super) form: Form,
    pub(super) language: Language,
    /// What was asked for: pages link to themselves in their other languages.
    pub(super) uri: Uri,
    /// Which other sites may read the answer.
    pub(super) grant: Grant,
}

impl Context {
    pub(super) fn of(head: &request::Parts, cors: &Cors) -> Self {
        let sent = head.headers.get(&X_REQUEST_ID).and_then(|id| id.to_str().ok());
        let request_id = match sent {
            Some(id) if is_sane_id(id) => id.to_owned(),
            _ => Uuid::now_v7().to_string(),
        };
        Self {
            request_id,
            form: negotiate::form(&head.headers),
            language: negotiate::language(head),
            uri: head.uri.clone(),
            grant: cors.grant(head),
        }
    }

    /// The response as it leaves: errors in the form that the sender reads, and the headers that
    /// every response has. Both servers leave out the body where the method or the status forbids
    /// one; its length is said all the same.
    pub(super) fn finish(&self, result: Result<Response, Problem>) -> Response {
        let mut response = match result {
            Ok(response) => response,
            Err(problem) => match self.form {
                Form::Page => pages::error(self, &problem),
                Form::Json => problem.document(self),
            },
        };
        self.grant.apply(&mut response);
        let length = response.body().len();
        let headers = response.headers_mut();
        headers.insert(&X_REQUEST_ID, header_value(&self.request_id));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        response
    }
}

fn is_sane_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=REQUEST_ID_LENGTH_MAX).contains(&id.len()) && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::is_sane_id;

    /// Section 3: an `X-Request-Id` is taken over if it is sane.
    #[test]
    fn request_ids_are_checked() {
        assert!(is_sane_id("a.B_9-"));
        assert!(is_sane_id(&"a".repeat(64)));
        for id in ["", "a b", "a\"b", "ключ", &"a".repeat(65)] {
            assert!(!is_sane_id(id), "{id:?}");
        }
    }
}
