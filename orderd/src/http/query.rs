//! Query parameters, of which each may be given once.

use crate::http::problem::Problem;
use ::http::Uri;
use percent_encoding::percent_decode_str;

/// The decoded parameters of a request, in their order.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &Uri) -> Result<Self, Problem> {
        Self::parse(uri.query().unwrap_or(""))
    }

    /// Takes apart `text`, which is a query or a form.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?))
        });
        let pairs: Option<Vec<_>> = decoded.collect();
        pairs.map(Self).ok_or_else(|| {
            Problem::bad_request("bad_query", "The query isn't percent-encoded UTF-8.")
        })
    }

    /// The value of the parameter that has one of these names; `None` if there is none.
    ///
    /// Twice the same question is no question: more than one of them is an error.
    pub(super) fn one_of(&self, names: &[&str]) -> Result<Option<&str>, Problem> {
        let mut values = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        let value = values.next();
        match values.next() {
            Some((name, _)) => Err(Problem::bad_request(
                "duplicate_parameter",
                format!("The parameter {name:?} is given more than once."),
            )),
            None => Ok(value.map(|(_, value)| value.as_str())),
        }
    }
}

/// Decodes `%` escapes; `None` if one is broken or the bytes are no UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let broken = text.split('%').skip(1).any(|rest| {
        let digits = rest.as_bytes().iter().take(2).take_while(|byte| byte.is_ascii_hexdigit());
        digits.count() < 2
    });
    if broken {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 3: 400 for duplicate or odd query values.
    #[test]
    fn parameters_are_decoded_and_single() {
        let query = Query::parse("a=1&b=x%20y+z&&c").unwrap();
        assert_eq!(query.one_of(&["a"]).unwrap(), Some("1"));
        assert_eq!(query.one_of(&["b"]).unwrap(), Some("x y z"));
        assert_eq!(query.one_of(&["c"]).unwrap(), Some(""));
        assert_eq!(query.one_of(&["d"]).unwrap(), None);
        assert_eq!(query.one_of(&["a", "b"]).unwrap_err().code, "duplicate_parameter");
        for broken in ["a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert_eq!(Query::parse(broken).unwrap_err().code, "bad_query", "{broken}");
        }
    }
}
