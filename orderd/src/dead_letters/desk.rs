//! The dead letters of a running daemon: asked and settled through its database threads, with its
//! cache kept right.

use crate::catalog::Catalog;
use crate::catalog::ReadError;
use crate::clock::Clock;
use crate::dead_letters::Verdict;
use crate::dead_letters::batch;
use crate::order::validate::Profile;
use crate::store::Outcome;
use crate::store::StoreError;
use crate::store::database::Urgency;
use crate::store::letters::Filter;
use crate::store::letters::Force;
use crate::store::letters::Letter;
use crate::store::letters::Letters;
use crate::store::letters::Refusal;
use crate::store::letters::Replayed;
use crate::store::letters::State;
use bytes::Bytes;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::bounded;
use std::sync::Arc;
use std::time::Duration;

/// The way to the dead letters, from any thread. Every method waits for the store, at most for
/// the time that the desk was made with for each question it asks.
#[derive(Clone, Debug)]
pub struct Desk {
    catalog: Arc<Catalog>,
    profile: Profile,
    clock: Clock,
    wait_max: Duration,
}

impl Desk {
    /// A desk that replays by the rules of `profile`.
    pub fn new(catalog: Arc<Catalog>, profile: Profile, clock: Clock, wait_max: Duration) -> Self {
        Self { catalog, profile, clock, wait_max }
    }

    /// As [`Letters::list`].
    ///
    /// # Errors
    /// Any [`ReadError`].
    pub fn list(
        &self,
        filter: Filter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Letter>, ReadError> {
        self.ask(move |letters| letters.list(&filter, before, limit), |result| result)
    }

    /// As [`Letters::find`].
    ///
    /// # Errors
    /// Any [`ReadError`].
    pub fn find(&self, id: i64) -> Result<Option<(Letter, Bytes)>, ReadError> {
        self.ask(move |letters| letters.find(id), |result| result)
    }

    /// Settles an open letter as dropped; says why not if it isn't open.
    ///
    /// # Errors
    /// Any [`ReadError`].
    pub fn discard(&self, id: i64) -> Result<Result<(), Refusal>, ReadError> {
        let settle = move |letters: &mut dyn Letters| {
            letters.discard(&[id])?;
            letters.find(id)
        };
        let found = self.ask(settle, |result| result)?;
        Ok(match found.map(|(letter, _)| letter.state) {
            // Dropped by this call or by one before it: it comes to the same.
            Some(State::Dropped) => Ok(()),
            Some(settled) => Err(Refusal::Settled(settled)),
            None => Err(Refusal::Unknown),
        })
    }

    /// Replays a letter and caches what that wrote.
    ///
    /// # Errors
    /// Any [`ReadError`]; after `TooSlow` and `Outage` it may be replayed.
    pub fn replay(&self, id: i64, force: Force) -> Result<Verdict, ReadError> {
        let Some((letter, payload)) = self.find(id)? else {
            return Ok(Verdict::Refused(Refusal::Unknown));
        };
        let batch = match batch(&letter, &payload, self.profile, self.clock.wall()) {
            Ok(batch) => batch,
            Err(_) if letter.state == State::Replayed => return Ok(Verdict::Already),
            Err(violations) => return Ok(Verdict::StillBad(violations)),
        };
        let writes = self.catalog.begin_writes(batch.orders.iter().map(|i| i.order.uid()));
        // The query may run twice, if its connection breaks: the letter lands once all the same.
        let replayed = self.ask(
            move |letters| letters.replay(id, &batch, force),
            // Not with the answer, which nobody may be waiting for: with the commit. On anything
            // but a success the writes are dropped, which forgets the orders.
            move |result| {
                if let Ok(Replayed::Landed(orders)) = &result {
                    let written = |(_, outcome): &&(_, Outcome)| *outcome != Outcome::Duplicate;
                    let orders = orders.iter().filter(written).map(|(order, _)| order.clone());
                    writes.publish(orders.collect());
                }
                result
            },
        )?;
        let verdict = Verdict::of(replayed);
        tracing::info!(id, ?verdict, "a dead letter was replayed");
        Ok(verdict)
    }

    /// Has a database thread run `query` and then `finish`, and waits for the result.
    fn ask<T: Send + 'static>(
        &self,
        query: impl Fn(&mut dyn Letters) -> Result<T, StoreError> + Send + 'static,
        finish: impl FnOnce(Result<T, ReadError>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (reply, answer) = bounded(1);
        self.catalog.database().read(
            Urgency::Foreground,
            move |store| query(store.letters()),
            move |result| {
                // One that gave up waiting has dropped its end.
                let _ = reply.send(finish(result));
            },
        )?;
        match answer.recv_timeout(self.wait_max) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(ReadError::TooSlow),
            Err(RecvTimeoutError::Disconnected) => Err(ReadError::Outage),
        }
    }
}
