//! Whether a running daemon is ready, asked over HTTP: for the health check of a container, which
//! then needs no other program in its image.

use std::time::Duration;
use ureq::Agent;

/// A check that waits longer than a container's own limit tells nobody anything.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How much of an answer is repeated to the user, in bytes.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Why a daemon isn't ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealthError {
    /// Nothing that speaks HTTP answers.
    #[error("nothing answers at {url}")]
    NoAnswer {
        /// What was asked.
        url: String,
        /// What came instead.
        #[source]
        error: Box<ureq::Error>,
    },
    /// It says itself that it isn't.
    #[error("the daemon is not ready: {answer}")]
    NotReady {
        /// What it answered.
        answer: String,
    },
}

/// Asks the daemon at `base` whether it is ready, within 2 s. Returns its answer.
///
/// # Errors
/// Any [`HealthError`].
pub fn ready(base: &str) -> Result<String, HealthError> {
    let url = format!("{}/readyz", base.trim_end_matches('/'));
    let config = Agent::config_builder().timeout_global(Some(ANSWER_MAX));
    let agent: Agent = config.http_status_as_error(false).build().into();
    let no_answer = |error| HealthError::NoAnswer { url: url.clone(), error: Box::new(error) };
    let mut response = agent.get(&url).call().map_err(no_answer)?;
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
    let answer = body.read_to_string().map_err(no_answer)?;
    if response.status().is_success() { Ok(answer) } else { Err(HealthError::NotReady { answer }) }
}
