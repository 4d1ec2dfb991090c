//! The topic of dead letters, fed from the store: one thread that sends what the topic doesn't have
//! yet, and notes it when the topic has acknowledged it.
//!
//! The store is the truth and the topic a copy, for those who watch topics: a letter is sent after
//! the commit that stored it, at least once, also after a crash and a restart. Each letter is one
//! message, an [`Envelope`] with the letter's bytes, keyed by the order that it names.
//!
//! It never holds up ingest: it has its own thread, its own connection and its own sink, and waits
//! out every outage.

use crate::backoff::Backoff;
use crate::dead_letters::Envelope;
use crate::store::Connect;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::database::Chain;
use crate::store::letters::Letter;
use crate::store::letters::REASON_CHARS_MAX;
use crate::supervise::StopToken;
use crate::topic::OpenSink;
use crate::topic::Record;
use crate::topic::Sink;
use crate::topic::TopicError;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// How many letters are sent at a time; each may be as large as a message.
const BATCH_MAX: usize = 20;

/// How often the store is asked for letters when it had none.
const IDLE_WAIT: Duration = Duration::from_millis(500);

/// Feeds one topic from one store.
#[derive(Clone)]
pub struct Feed {
    /// Where the letters are.
    pub connect: Arc<dyn Connect>,
    /// Where they go.
    pub sinks: Arc<dyn OpenSink>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("store", &self.connect.name()).finish_non_exhaustive()
    }
}

/// Why nothing more is sent for now.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error("the store")]
    Store(#[from] StoreError),
    #[error("the topic")]
    Topic(#[from] TopicError),
}

impl Feed {
    /// Sends letters until `stop`.
    pub fn run(&self, stop: &StopToken) {
        let mut backoff = Backoff::default();
        while !stop.is_stopped() {
            let Err(error) = self.session(stop, &mut backoff) else { return };
            let pause = backoff.next_pause();
            let error = Chain(&error);
            tracing::warn!(%error, pause_ms = pause.as_millis(), "dead letters can't be published");
            stop.wait(pause);
        }
    }

    fn session(&self, stop: &StopToken, backoff: &mut Backoff) -> Result<(), FeedError> {
        let mut store = self.connect.connect()?;
        let mut sink = self.sinks.open()?;
        while !stop.is_stopped() {
            if publish(&mut *store, &mut *sink)? == 0 {
                stop.wait(IDLE_WAIT);
            }
            backoff.reset();
        }
        Ok(())
    }
}

/// Sends the next letters and returns their number.
fn publish(store: &mut dyn Store, sink: &mut dyn Sink) -> Result<usize, FeedError> {
    let letters = store.letters().claim_unpublished(BATCH_MAX)?;
    if letters.is_empty() {
        return Ok(0);
    }
    let mut records: Vec<Record> =
        letters.iter().map(|(letter, payload)| record(letter, Some(payload))).collect();
    let mut shortened = vec![false; letters.len()];
    // Each round shortens one letter, so the rounds are bounded.
    loop {
        match sink.append(&records) {
            Ok(()) => break,
            Err(TopicError::Rejected { index, detail, .. }) if !shortened[index] => {
                let letter = &letters[index].0;
                tracing::warn!(id = letter.id, detail, "a dead letter is published without bytes");
                records[index] = record(letter, None);
                shortened[index] = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let ids: Vec<i64> = letters.iter().map(|(letter, _)| letter.id).collect();
    store.letters().published(&ids)?;
    tracing::info!(count = ids.len(), "dead letters are published");
    Ok(ids.len())
}

/// The message of a letter; without bytes, and with the first of its reasons, if it doesn't fit.
fn record(letter: &Letter, payload: Option<&Bytes>) -> Record {
    let mut envelope = Envelope::of(letter);
    match payload {
        Some(payload) => envelope = envelope.with_payload(payload),
        None => envelope.reason = envelope.reason.chars().take(REASON_CHARS_MAX).collect(),
    }
    let key = letter.order_uid.as_ref().map_or("", |uid| uid.as_str());
    Record { key: Bytes::copy_from_slice(key.as_bytes()), value: envelope.to_json() }
}
