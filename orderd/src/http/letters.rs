//! Dead letters, for those who may write: listed, shown, replayed, dropped.
//!
//! They hold whatever customers' data a message had, so reading them is guarded like writing:
//! the token, except in a demo, and no foreign site. A message may hold anything, so its bytes
//! stand in base64 and as a JSON string, and are never an answer by themselves.

use crate::dead_letters::Desk;
use crate::dead_letters::Envelope;
use crate::dead_letters::Filter;
use crate::dead_letters::Force;
use crate::dead_letters::Refusal;
use crate::dead_letters::State;
use crate::dead_letters::Verdict;
use crate::dead_letters::outcome_name;
use crate::http::Response;
use crate::http::Service;
use crate::http::answer::Answer;
use crate::http::answer::Keep;
use crate::http::answer::header_value;
use crate::http::answer::json;
use crate::http::cursor;
use crate::http::list::parse_cursor;
use crate::http::list::parse_limit;
use crate::http::problem::Problem;
use crate::http::query::Query;
use ::http::StatusCode;
use ::http::header;
use ::http::request;
use bytes::Bytes;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde_json::json;

const LIMIT_DEFAULT: usize = 50;

/// What can be done to a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Replay,
    Drop,
}

/// `GET /dead-letters?state=&code=&reason=&limit=&cursor=`.
pub(super) fn page(service: &Service, head: &request::Parts) -> Result<Answer, Problem> {
    service.guard.check(head)?;
    let query = Query::of(&head.uri)?;
    let limit = query.one_of(&["limit"])?.map_or(Ok(LIMIT_DEFAULT), parse_limit)?;
    let before = query.one_of(&["cursor"])?.map(parse_cursor).transpose()?;
    let state = query.one_of(&["state"])?;
    let text = |name| Ok::<_, Problem>(query.one_of(&[name])?.map(str::to_owned));
    let filter =
        Filter { state: parse_state(state)?, code: text("code")?, reason: text("reason")? };
    let again = again(&filter, state, limit);
    let desk = service.desk.clone();
    Ok(Answer::Later(Box::new(move || {
        // One more than asked for tells whether there is a next page.
        let mut letters = desk.list(filter, before, limit + 1)?;
        let is_last = letters.len() <= limit;
        letters.truncate(limit);
        let next = letters.last().filter(|_| !is_last).map(|letter| cursor::encode(letter.id));
        let envelopes: Vec<Envelope> = letters.iter().map(Envelope::of).collect();
        let mut response =
            answer(StatusCode::OK, &json!({ "dead_letters": envelopes, "next_cursor": next }));
        if let Some(next) = next {
            let link = format!("</dead-letters?{again}&cursor={next}>; rel=\"next\"");
            response.headers_mut().insert(header::LINK, header_value(&link));
        }
        Ok(response)
    })))
}

/// The query that asks for the same letters again.
fn again(filter: &Filter, state: Option<&str>, limit: usize) -> String {
    let mut query = format!("limit={limit}");
    let texts = [("state", state), ("code", filter.code.as_deref())];
    for (name, value) in texts.into_iter().chain([("reason", filter.reason.as_deref())]) {
        if let Some(value) = value {
            query += &format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
    }
    query
}

/// Without the parameter, those that wait for somebody to decide.
fn parse_state(name: Option<&str>) -> Result<Option<State>, Problem> {
    match name {
        None => Ok(Some(State::Open)),
        Some("all") => Ok(None),
        Some(name) => State::parse(name).map(Some).ok_or_else(|| {
            let detail = "The parameter state is open, replayed, dropped or all.";
            Problem::bad_request("bad_state", detail)
        }),
    }
}

/// `GET /dead-letters/{id}`.
pub(super) fn one(service: &Service, head: &request::Parts, id: &str) -> Result<Answer, Problem> {
    service.guard.check(head)?;
    let id = parse_id(id)?;
    let desk = service.desk.clone();
    Ok(Answer::Later(Box::new(move || {
        let (letter, payload) = desk.find(id)?.ok_or_else(not_found)?;
        let envelope = Envelope::of(&letter).with_payload(&payload).with_text(&payload);
        Ok(json(StatusCode::OK, Keep::No, envelope.to_json()))
    })))
}

/// `POST /dead-letters/{id}/replay?force`, `POST /dead-letters/{id}/drop`, `DELETE` of the letter.
pub(super) fn act(
    service: &Service,
    head: &request::Parts,
    id: &str,
    action: Action,
) -> Result<Answer, Problem> {
    service.guard.check(head)?;
    let id = parse_id(id)?;
    let force = parse_force(Query::of(&head.uri)?.one_of(&["force"])?)?;
    let desk = service.desk.clone();
    Ok(Answer::Later(Box::new(move || match action {
        Action::Replay => replay(&desk, id, force),
        Action::Drop => match desk.discard(id)? {
            Ok(()) => Ok(answer(StatusCode::OK, &json!({ "id": id, "outcome": "dropped" }))),
            Err(refusal) => Err(refused(&refusal)),
        },
    })))
}

fn replay(desk: &Desk, id: i64, force: Force) -> Result<Response, Problem> {
    let done = |outcome: &str, orders: Vec<serde_json::Value>| {
        answer(StatusCode::OK, &json!({ "id": id, "outcome": outcome, "orders": orders }))
    };
    match desk.replay(id, force)? {
        Verdict::Landed(orders) => {
            let landed = orders.iter().map(|(uid, outcome)| {
                json!({ "order_uid": uid.as_str(), "outcome": outcome_name(*outcome) })
            });
            Ok(done("replayed", landed.collect()))
        }
        Verdict::Already => Ok(done("already_replayed", Vec::new())),
        Verdict::Refused(refusal) => Err(refused(&refusal)),
        Verdict::StillBad(violations) => {
            let detail = "The dead letter is no valid order by the rules of today.";
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_order", detail);
            Err(problem.with_violations(violations))
        }
    }
}

fn refused(refusal: &Refusal) -> Problem {
    let (status, code) = match refusal {
        Refusal::Unknown => return not_found(),
        Refusal::Settled(_) => (StatusCode::CONFLICT, "dead_letter_settled"),
        Refusal::Overtaken(_) => (StatusCode::CONFLICT, "dead_letter_overtaken"),
        Refusal::Database(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_order"),
    };
    Problem::new(status, code, format!("The dead letter stays as it is: {refusal}."))
}

fn not_found() -> Problem {
    let detail = "There is no such dead letter.";
    Problem::new(StatusCode::NOT_FOUND, "dead_letter_not_found", detail)
}

fn parse_id(text: &str) -> Result<i64, Problem> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        Problem::bad_request("bad_dead_letter_id", "The id of a dead letter is a number.")
    })
}

fn parse_force(value: Option<&str>) -> Result<Force, Problem> {
    match value {
        None | Some("false") => Ok(Force::No),
        Some("" | "true") => Ok(Force::Yes),
        Some(_) => Err(Problem::bad_request("bad_force", "The parameter force is true or false.")),
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    json(status, Keep::No, Bytes::from(body.to_string()))
}
