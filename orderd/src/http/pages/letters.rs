//! The page of the dead letters. It holds none itself: a browser can't send the token with a page's
//! address, so the page's script asks for them.

use crate::http::Response;
use crate::http::context::Context;
use crate::http::pages::frame::Frame;
use crate::http::pages::frame::Section;
use crate::http::pages::respond;
use crate::http::words::Words;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use askama::Template;

#[derive(Template)]
#[template(path = "letters.html")]
struct LettersPage {
    frame: Frame,
    t: &'static Words,
}

/// `GET /dead-letters` for browsers.
pub(in crate::http) fn letters(context: &Context) -> Response {
    let frame = Frame::new(context, Section::DeadLetters);
    let page = LettersPage { frame, t: context.language.words() };
    let mut response = respond(StatusCode::OK, context, &page);
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
    response
}
