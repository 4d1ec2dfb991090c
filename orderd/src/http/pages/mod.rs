//! Pages for people, written whole on the server: they work without any script.
//!
//! The templates escape every value. Scripts only refresh what the server wrote, by asking for the
//! same page again, so that there is one place that formats and escapes.

mod cache;
mod chart;
mod frame;
mod home;
mod letters;
mod order;

use crate::http::Response;
use crate::http::answer::Keep;
use crate::http::answer::header_value;
use crate::http::answer::response;
use crate::http::context::Context;
use crate::http::negotiate::LANG;
use crate::http::pages::frame::Frame;
use crate::http::pages::frame::REMEMBER;
use crate::http::pages::frame::Section;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::words::State;
use crate::http::words::Words;
use ::http::HeaderMap;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use askama::Template;
use bytes::Bytes;

pub(super) use crate::http::pages::cache::cache;
pub(super) use crate::http::pages::home::home;
pub(super) use crate::http::pages::letters::letters;

/// Pages load from nowhere else, send forms nowhere else, and are framed by nobody.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// How long a browser remembers the chosen language: a year.
const LANG_MAX_AGE_S: u32 = 31_536_000;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    t: &'static Words,
    status: u16,
    state: State,
    /// What the problem document says more, in English, where it says more.
    detail: Option<&'a str>,
    request_id: &'a str,
}

/// The page for an error on any address.
pub(super) fn error(context: &Context, problem: &Problem) -> Response {
    let t = context.language.words();
    let page = ErrorPage {
        frame: Frame::new(context, Section::None),
        t,
        status: problem.status.as_u16(),
        state: t.of_error(problem.status, problem.code),
        detail: is_telling(problem).then_some(problem.detail.as_str()),
        request_id: &context.request_id,
    };
    let html = respond(problem.status, context, &page);
    let mut response = problem.respond("text/html; charset=utf-8", html.body().clone());
    add_page_headers(response.headers_mut(), context);
    response
}

/// Whether the sentence of a problem names what is wrong with this very request.
fn is_telling(problem: &Problem) -> bool {
    problem.status.is_client_error()
        && problem.status != StatusCode::NOT_FOUND
        && problem.code != "bad_order_uid"
}

fn respond(status: StatusCode, context: &Context, page: &impl Template) -> Response {
    let html = page.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page can't be written");
        String::new()
    });
    let body = Bytes::from(html);
    let mut response = response(status, "text/html; charset=utf-8", Keep::Private, body);
    add_page_headers(response.headers_mut(), context);
    response
}

fn add_page_headers(headers: &mut HeaderMap, context: &Context) {
    headers
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Language, Cookie"));
    let language = context.language.code();
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language));
    let query = Query::parse(context.uri.query().unwrap_or("")).ok();
    let is_asked = query.is_some_and(|query| matches!(query.one_of(&[REMEMBER]), Ok(Some(_))));
    if is_asked {
        let cookie = format!("{LANG}={language}; Path=/; Max-Age={LANG_MAX_AGE_S}; SameSite=Lax");
        headers.insert(header::SET_COOKIE, header_value(&cookie));
    }
}
