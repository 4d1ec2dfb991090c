//! The watch over the store: migrations at the first contact, readiness from then on.
//!
//! It waits for a store that doesn't answer, for ever and with growing pauses, and ends the daemon
//! only for one that answers that a setting is wrong.

use crate::app::Event;
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::store::Connect;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::database::Chain;
use crate::supervise::StopToken;
use crate::supervise::readiness::Part;
use crate::supervise::readiness::Readiness;
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::time::Duration;

/// How often the store is asked whether it still answers.
const PING_EVERY: Duration = Duration::from_secs(1);

/// What the watch needs to run.
pub(super) struct Watch {
    pub(super) connect: Arc<dyn Connect>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) notify: Sender<Event>,
    pub(super) clock: Clock,
}

impl Watch {
    /// Waits until the store is reached and its schema is up to date. Returns whether it is.
    pub(super) fn first_contact(&self, stop: &StopToken) -> bool {
        let mut backoff = Backoff::default();
        while !stop.is_stopped() {
            match self.connect.migrate() {
                Ok(applied) => {
                    tracing::info!(store = self.connect.name(), ?applied, "the store is reached");
                    self.readiness.confirm(Part::Store, self.clock.now());
                    return true;
                }
                Err(StoreError::Configuration(sentence)) => {
                    self.fatal(sentence);
                    return false;
                }
                Err(error) => {
                    self.missing(&error);
                    stop.wait(backoff.next_pause());
                }
            }
        }
        false
    }

    /// Asks the store now and then whether it still answers.
    pub(super) fn keep(&self, stop: &StopToken) {
        let mut store: Option<Box<dyn Store>> = None;
        let mut backoff = Backoff::default();
        let mut pause = PING_EVERY;
        while !stop.wait(pause) {
            let open = store.take().map_or_else(|| self.connect.connect(), Ok);
            match open.and_then(|mut store| store.newest(1).map(|_| store)) {
                Ok(answered) => {
                    store = Some(answered);
                    backoff.reset();
                    pause = PING_EVERY;
                    self.readiness.confirm(Part::Store, self.clock.now());
                }
                Err(error) => {
                    pause = backoff.next_pause();
                    self.missing(&error);
                }
            }
        }
    }

    fn missing(&self, error: &StoreError) {
        tracing::warn!(error = %Chain(error), "waiting for the store");
        self.readiness.missing(Part::Store, error.to_string());
    }

    pub(super) fn fatal(&self, sentence: String) {
        // A full channel means that the daemon is ending for another reason already.
        let _ = self.notify.try_send(Event::Fatal(sentence));
    }
}
