//! `/random/{n}`: makes orders, sends them to the topic and answers with them.

use crate::http::Service;
use crate::http::answer::Answer;
use crate::http::answer::Keep;
use crate::http::answer::json;
use crate::http::problem::Problem;
use crate::topic::Record;
use ::http::StatusCode;
use ::http::request;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The most orders that one request gets.
const COUNT_MAX: usize = 1000;

/// How long the topic may take to acknowledge.
const APPEND_WAIT_MAX: Duration = Duration::from_secs(5);

/// Makes that many orders, each as the record for the topic, whose value is the order as it will be
/// served.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn(usize) -> Vec<Record> + Send + Sync>);

impl Random {
    /// Orders made by `make`, which must not block.
    pub fn new(make: impl Fn(usize) -> Vec<Record> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}

/// Checks who asks and for how many, makes the orders and appends them.
pub(super) fn random(
    service: &Service,
    head: &request::Parts,
    count: &str,
) -> Result<Answer, Problem> {
    let count = parse(count)?;
    let Some(Random(make)) = service.random.clone() else {
        let detail = "Making random orders is turned off; --random turns it on.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "random_off", detail));
    };
    service.guard.check(head)?;
    let appender = service.appender.clone();
    Ok(Answer::Later(Box::new(move || {
        let records = make(count);
        let orders: Vec<_> = records.iter().map(|record| record.value.clone()).collect();
        appender.append(records, APPEND_WAIT_MAX)?;
        let mut body = vec![b'['];
        body.extend_from_slice(&orders.join(&b','));
        body.push(b']');
        Ok(json(StatusCode::OK, Keep::No, Bytes::from(body)))
    })))
}

fn parse(count: &str) -> Result<usize, Problem> {
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    match count.parse() {
        Ok(count) if digits && (1..=COUNT_MAX).contains(&count) => Ok(count),
        _ => {
            let detail = format!("How many orders is a number from 1 to {COUNT_MAX}.");
            Err(Problem::bad_request("bad_count", detail))
        }
    }
}
