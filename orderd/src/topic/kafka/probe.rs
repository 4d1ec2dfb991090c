//! Whether a broker is there, and old enough for the crate `kafka`.
//!
//! That client connects without a timeout and waits 120 s for an answer; and on a broker of 4.0 or
//! later, which has dropped the protocol versions it speaks, it connects and then fails as if the
//! network were broken. One `ApiVersions` over a plain socket tells all of these apart.

use crate::topic::TopicError;
use crate::topic::kafka::Shared;
use crate::topic::kafka::wire::Wire;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::messages::ApiVersionsRequest;
use std::time::Duration;

/// How long the brokers of the settings may take to answer, all together.
pub(super) const WAIT: Duration = Duration::from_secs(3);
/// What each of them gets at least, however many there are.
const WAIT_EACH_MIN: Duration = Duration::from_millis(500);

/// Why the crate `kafka` can't be used.
#[derive(Debug)]
pub(super) enum Unfit {
    /// This broker no longer speaks the client's version of `Fetch`.
    Young { address: String },
    /// What would hinder any client.
    Topic(TopicError),
}

impl From<TopicError> for Unfit {
    fn from(error: TopicError) -> Self {
        Self::Topic(error)
    }
}

/// The first broker of the settings that answers.
///
/// # Errors
/// `Young` if none is usable and one is too young for the client, else `Outage` with what each of
/// them did.
pub(super) fn first_answering(shared: &Shared) -> Result<Wire, Unfit> {
    let count = u32::try_from(shared.brokers.len()).unwrap_or(u32::MAX).max(1);
    let wait_max = (WAIT / count).max(WAIT_EACH_MIN);
    let mut details = Vec::new();
    let mut too_young = None;
    for address in &shared.brokers {
        match probe(shared, address, wait_max) {
            Ok(wire) => return Ok(wire),
            Err(Unfit::Topic(TopicError::Outage { detail, .. })) => details.push(detail),
            Err(error) => too_young = Some(error),
        }
    }
    Err(too_young.unwrap_or_else(|| shared.outage(details.join("; ")).into()))
}

/// Asks one broker which versions it speaks, within `wait_max`.
///
/// # Errors
/// `Young` if it no longer speaks the client's version of `Fetch`, `Outage` if it doesn't answer or
/// answers something else.
pub(super) fn probe(shared: &Shared, address: &str, wait_max: Duration) -> Result<Wire, Unfit> {
    let deadline = shared.clock.now() + wait_max;
    let mut wire = Wire::connect(shared, address, wait_max)
        .map_err(|error| shared.outage(format_args!("connecting to {address}: {error}")))?;
    let left = deadline.saturating_duration_since(shared.clock.now());
    let versions = wire
        .ask(&ApiVersionsRequest::default(), 0, left)
        .map_err(|error| shared.outage(format_args!("asking {address}: {error}")))?;
    let fetch = versions.api_keys.iter().find(|api| api.api_key == ApiKey::Fetch as i16);
    match fetch {
        Some(fetch) if fetch.min_version > 0 => Err(Unfit::Young { address: address.to_owned() }),
        Some(_) => Ok(wire),
        None => Err(shared
            .outage(format_args!(
                "{address} doesn't serve messages (error code {})",
                versions.error_code
            ))
            .into()),
    }
}
