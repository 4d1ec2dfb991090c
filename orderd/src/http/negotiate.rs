//! What the sender of a request wants to read: pages or JSON, and in which language.

use crate::http::query::Query;
use crate::http::words::Language;
use ::http::HeaderMap;
use ::http::header;
use ::http::request;

/// The parameter, and the cookie, that names a language.
pub(super) const LANG: &str = "lang";

/// In which form errors are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A browser asks.
    Page,
    /// Anything else.
    Json,
}

/// A page if `Accept` names `text/html` and rates it higher than JSON.
///
/// Browsers do; `*/*`, the default of programs, doesn't name it.
pub(super) fn form(headers: &HeaderMap) -> Form {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
        return Form::Json;
    };
    let html = rating(accept, &["text/html"]);
    let json = rating(accept, &["application/json", "application/problem+json"])
        .or_else(|| rating(accept, &["application/*"]))
        .or_else(|| rating(accept, &["*/*"]));
    match html {
        Some(html) if html > json.unwrap_or(0.0) => Form::Page,
        _ => Form::Json,
    }
}

/// The language of an answer: what the address asks for, else what a cookie remembers, else what
/// the browser prefers.
pub(super) fn language(head: &request::Parts) -> Language {
    named(head).or_else(|| remembered(&head.headers)).unwrap_or_else(|| preferred(&head.headers))
}

/// The language that the address asks for. A query that is broken asks for none.
fn named(head: &request::Parts) -> Option<Language> {
    let query = Query::parse(head.uri.query()?).ok()?;
    query.one_of(&[LANG]).ok()?.and_then(Language::of_code)
}

/// The language that was chosen on an earlier page.
fn remembered(headers: &HeaderMap) -> Option<Language> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|list| list.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, code)| (name == LANG).then(|| Language::of_code(code)).flatten())
}

/// The language that `Accept-Language` rates highest; English unless Russian is rated higher.
fn preferred(headers: &HeaderMap) -> Language {
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let rate = |prefix: &str| {
        ranges(accept.unwrap_or(""))
            .filter(|(range, _)| range.split('-').next().is_some_and(|primary| primary == prefix))
            .fold(0.0, |best: f32, (_, quality)| best.max(quality))
    };
    if rate("ru") > rate("en") { Language::Russian } else { Language::English }
}

/// The highest quality that any of these ranges has; `None` if none is named.
fn rating(accept: &str, wanted: &[&str]) -> Option<f32> {
    ranges(accept)
        .filter(|(range, _)| wanted.contains(&range.as_str()))
        .map(|(_, quality)| quality)
        .reduce(f32::max)
}

/// The ranges of an `Accept` header with their qualities. A quality that can't be read counts as 0.
fn ranges(accept: &str) -> impl Iterator<Item = (String, f32)> {
    accept.split(',').map(|part| {
        let mut fields = part.split(';').map(str::trim);
        let range = fields.next().unwrap_or("").to_ascii_lowercase();
        let quality = fields
            .find_map(|field| field.strip_prefix("q=").or_else(|| field.strip_prefix("Q=")))
            .map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
        (range, quality)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    /// Section 3: errors are pages for browsers and problem documents for all others.
    #[test]
    fn only_browsers_get_pages() {
        let chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, expected) in [
            (chromium, Form::Page),
            ("text/html", Form::Page),
            ("*/*", Form::Json),
            ("application/json", Form::Json),
            ("text/html;q=0.5, application/json", Form::Json),
            ("text/html, application/json", Form::Json),
            ("text/html;q=x", Form::Json),
            ("", Form::Json),
        ] {
            assert_eq!(form(&with(header::ACCEPT, accept)), expected, "{accept}");
        }
        assert_eq!(form(&HeaderMap::new()), Form::Json);
    }

    /// Row 17: pages in English and Russian.
    #[test]
    fn the_preferred_language_wins() {
        for (accept, expected) in [
            ("ru", Language::Russian),
            ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", Language::Russian),
            ("en-US,en;q=0.9,ru;q=0.8", Language::English),
            ("de", Language::English),
            ("rural", Language::English),
        ] {
            assert_eq!(preferred(&with(header::ACCEPT_LANGUAGE, accept)), expected, "{accept}");
        }
    }

    /// Issue: a switch between languages: the address wins over the cookie, the cookie over the
    /// browser, and what names no language is passed over.
    #[test]
    fn a_choice_wins_over_a_preference() {
        for (target, cookie, expected) in [
            ("/", "a=b; lang=ru", Language::Russian),
            ("/?lang=en", "lang=ru", Language::English),
            ("/?uid=1&lang=ru", "lang=en", Language::Russian),
            ("/?lang=de", "lang=ru", Language::Russian),
            ("/?lang=ru&lang=ru", "lang=xx", Language::English),
            ("/?%", "language=ru", Language::English),
        ] {
            let request = ::http::Request::get(target).header(header::COOKIE, cookie);
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(language(&head), expected, "{target} {cookie}");
        }
    }
}
