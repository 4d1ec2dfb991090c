//! Where produced messages go: a topic, or a running daemon over HTTP.

use crate::generate::Produced;
use crate::produce::ProduceError;
use crate::topic::OpenSink;
use crate::topic::Record;
use crate::topic::Sink;
use crate::topic::TopicError;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::Body;
use ureq::http::Response;
use ureq::http::Uri;

/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// How much of an answer that says no is repeated to the user, in characters.
const ANSWER_SHOWN_MAX: usize = 300;

/// How much of an answer is read, in bytes.
const ANSWER_MAX: u64 = 64 * 1024;

/// Where produced messages go.
pub enum Target {
    /// A topic, such as Kafka's.
    Topic(Arc<dyn OpenSink>),
    /// A running daemon.
    Url {
        /// Its address, such as `http://127.0.0.1:8081`.
        base: String,
        /// What it wants to see before it takes an order.
        token: Option<String>,
    },
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(_) => f.write_str("Topic"),
            // The token is a secret, and this is for logs.
            Self::Url { base, .. } => f.debug_tuple("Url").field(base).finish(),
        }
    }
}

/// Why messages weren't taken.
pub(super) enum Failure {
    /// The message at this place never will be.
    Refused { index: usize, detail: String },
    /// It may help to wait.
    Away(String),
    /// It won't help to wait.
    Fatal(ProduceError),
}

/// The way to a target.
pub(super) enum Way {
    Topic { sinks: Arc<dyn OpenSink>, sink: Option<Box<dyn Sink>> },
    Http { agent: Agent, url: String, authorization: Option<String> },
}

impl Way {
    /// The way to `target`; nothing is opened yet.
    pub(super) fn to(target: Target) -> Result<Self, ProduceError> {
        Ok(match target {
            Target::Topic(sinks) => Self::Topic { sinks, sink: None },
            Target::Url { base, token } => Self::Http {
                agent: agent(),
                url: url(&base)?,
                authorization: token.map(|token| format!("Bearer {token}")),
            },
        })
    }

    /// Offers the messages, at least one. Returns how many of them, from the first on, are safe.
    pub(super) fn offer(&mut self, messages: &[Produced]) -> Result<usize, Failure> {
        match self {
            Self::Topic { sinks, sink } => {
                let records: Vec<Record> =
                    messages.iter().map(|message| message.record.clone()).collect();
                append(&**sinks, sink, &records)?;
                Ok(messages.len())
            }
            Self::Http { agent, url, authorization } => {
                post(agent, url, authorization.as_deref(), &messages[0].record)?;
                Ok(1)
            }
        }
    }
}

fn append(
    sinks: &dyn OpenSink,
    sink: &mut Option<Box<dyn Sink>>,
    records: &[Record],
) -> Result<(), Failure> {
    let opened = match sink {
        Some(opened) => opened,
        None => sink.insert(sinks.open().map_err(failure)?),
    };
    opened.append(records).map_err(|error| {
        // After an outage a sink is of no more use; after a refusal it is.
        if !matches!(error, TopicError::Rejected { .. }) {
            *sink = None;
        }
        failure(error)
    })
}

fn failure(error: TopicError) -> Failure {
    match error {
        TopicError::Rejected { index, detail, .. } => Failure::Refused { index, detail },
        TopicError::Configuration(sentence) => {
            Failure::Fatal(ProduceError::Configuration(sentence))
        }
        error @ TopicError::Outage { .. } => Failure::Away(error.to_string()),
    }
}

/// Where orders are posted to. The client has no TLS and would find that out only when connected.
fn url(base: &str) -> Result<String, ProduceError> {
    let url = format!("{}/orders", base.trim_end_matches('/'));
    let is_http = |uri: &Uri| uri.scheme_str() == Some("http") && uri.host().is_some();
    match url.parse::<Uri>() {
        Ok(uri) if is_http(&uri) => Ok(url),
        _ => Err(ProduceError::Configuration(format!(
            "the address {base:?} (--url) isn't like http://127.0.0.1:8081"
        ))),
    }
}

/// An agent that takes an answer as it is, from the address that it was given.
fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(REQUEST_MAX))
        .build()
        .into()
}

fn post(
    agent: &Agent,
    url: &str,
    authorization: Option<&str>,
    record: &Record,
) -> Result<(), Failure> {
    let mut request = agent.post(url).header("content-type", "application/json");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    match request.send(record.value.as_ref()) {
        Ok(answer) => judge(url, answer),
        Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
            Err(fatal(format!("orders can't be sent to {url} (--url, --token): {error}")))
        }
        Err(error) => Err(Failure::Away(format!("{url} can't be reached: {error}"))),
    }
}

fn judge(url: &str, mut answer: Response<Body>) -> Result<(), Failure> {
    // It is read whatever it says, or else the connection can't be used again.
    let text = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string();
    let shown = shown(&text.unwrap_or_default());
    let status = answer.status().as_u16();
    match status {
        202 => Ok(()),
        400 => Err(Failure::Refused { index: 0, detail: shown }),
        401 => Err(fatal(format!("{url} wants another token (--token): {status} {shown}"))),
        403 => Err(fatal(format!("{url} refuses (--url, --token): {status} {shown}"))),
        404 | 405 => Err(fatal(format!("{url} takes no orders (--url): {status} {shown}"))),
        408 | 429 | 500 | 502..=599 => {
            Err(Failure::Away(format!("{url} answers {status} {shown}")))
        }
        _ => Err(fatal(format!("{url} (--url) answers as no orderd does: {status} {shown}"))),
    }
}

/// The sentence of a problem document, or the text itself if it is none; escaped, since it goes to
/// a terminal.
fn shown(answer: &str) -> String {
    let document = serde_json::from_str::<Value>(answer).unwrap_or_default();
    let sentence = document["detail"].as_str().unwrap_or(answer);
    sentence.escape_debug().take(ANSWER_SHOWN_MAX).collect()
}

fn fatal(sentence: String) -> Failure {
    Failure::Fatal(ProduceError::Configuration(sentence))
}
