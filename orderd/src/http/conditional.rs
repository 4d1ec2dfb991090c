//! `If-None-Match`: whether the client's copy is still what would be sent.

use crate::http::Response;
use crate::http::answer::header_value;
use ::http::HeaderValue;
use ::http::Method;
use ::http::StatusCode;
use ::http::header;
use ::http::request;

/// The condition of a request; without the header nothing matches.
#[derive(Debug)]
pub(super) struct Condition(Vec<HeaderValue>);

impl Condition {
    /// Only reads are conditional: a POST that reads is answered whole.
    pub(super) fn of(head: &request::Parts) -> Self {
        let reads = [Method::GET, Method::HEAD].contains(&head.method);
        let tags = head.headers.get_all(header::IF_NONE_MATCH).iter();
        Self(tags.filter(|_| reads).cloned().collect())
    }

    /// Gives the response this entity tag, and makes it a 304 if the client has it already.
    pub(super) fn apply(&self, etag: &str, response: &mut Response) {
        response.headers_mut().insert(header::ETAG, header_value(etag));
        if self.matches(etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
    }

    /// Weak comparison, as reads want it: `W/"a"` and `"a"` are the same.
    fn matches(&self, etag: &str) -> bool {
        self.0.iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).any(
            |tag| {
                let tag = tag.trim();
                tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 3: 304 to a matching `If-None-Match`: a list, `*`, and weak comparison.
    #[test]
    fn lists_stars_and_weak_tags_match() {
        for (value, expected) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("\"b\",W/\"a\" ", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            let condition = Condition(vec![value.parse().unwrap()]);
            assert_eq!(condition.matches("\"a\""), expected, "{value}");
        }
        assert!(!Condition(Vec::new()).matches("\"a\""));
    }
}
