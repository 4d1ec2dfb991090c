//! The thread that hears what other instances replace, and has this one's catalog forget it.
//!
//! One session after the other:
//!
//! 1. begin to listen;
//! 2. have the catalog forget everything, since nobody knows what was replaced before, and trust
//!    what it caches from then on;
//! 3. forget what others replace; send a heartbeat through the database every
//!    `HEARTBEAT_EVERY`, and tell the catalog of each that comes back, with the time at which it
//!    was *sent*: everything that was committed before that has been heard.
//!
//! An error, or heartbeats that don't come back, end the session and with it the trust. The catalog
//! doesn't depend on being told so: its readers compare the time of the last heartbeat with their
//! own clock.
//!
//! What this instance replaced itself comes back too. It is passed over when the write has been
//! published, which has put what it wrote into the cache by then. One that doesn't end within
//! `OWN_WRITE_WAIT_MAX`, or was given up, may never learn that its COMMIT went through, so its
//! orders are forgotten.
//!
//! The newest orders are not warmed up again after a session was lost: the database that has just
//! come back is spared a thousand reads that nobody asked for, and a connection that flaps can't
//! repeat them. Every order that is asked for is read once, in less than a millisecond.
//!
//! The thread never waits past a deadline, because no call of a `Listening` does.

use crate::backoff::Backoff;
use crate::catalog::Before;
use crate::catalog::Catalog;
use crate::catalog::Mark;
use crate::clock::Clock;
use crate::order::OrderUid;
use crate::store::StoreError;
use crate::store::database::Chain;
use crate::store::listen::Heard;
use crate::store::listen::Listen;
use crate::store::listen::Writer;
use crate::supervise::StopToken;
use crate::supervise::readiness::Part;
use crate::supervise::readiness::Readiness;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// The pause between two heartbeats. A second without one ends the trust, so nine may be late.
const HEARTBEAT_EVERY: Duration = Duration::from_millis(100);

/// How long a session may go without a heartbeat that comes back: another one is tried then.
const SILENT_MAX: Duration = Duration::from_secs(2);

/// How long a write of this instance may take from its COMMIT to its end, and with it the one that
/// began meanwhile. A batch is saved in 17 to 44 ms (2026-11-20), unless an answer is lost.
const OWN_WRITE_WAIT_MAX: Duration = Duration::from_millis(100);

/// What the listener needs to run.
#[derive(Clone)]
pub struct Invalidation {
    /// Where it listens.
    pub listen: Arc<dyn Listen>,
    /// What is told to forget and to trust.
    pub catalog: Arc<Catalog>,
    /// Where its state is shown.
    pub readiness: Arc<Readiness>,
    /// The time.
    pub clock: Clock,
}

impl fmt::Debug for Invalidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalidation").field("catalog", &self.catalog).finish_non_exhaustive()
    }
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("what other instances replace isn't heard")]
    Store(#[from] StoreError),
    #[error(
        "heartbeats through the database don't come back, as if a connection pooler stood between"
    )]
    Silent,
}

/// What this instance replaced itself, until its write has ended.
struct Own {
    mark: Mark,
    until: Instant,
    uids: Vec<OrderUid>,
}

impl Invalidation {
    /// Listens until `stop`, waiting out every outage. `on_trust` is called each time that trust
    /// has begun.
    pub fn run(&self, stop: &StopToken, mut on_trust: impl FnMut()) {
        let mut backoff = Backoff::default();
        while !stop.is_stopped() {
            let ended = self.session(stop, &mut backoff, &mut on_trust);
            self.catalog.end_trust();
            let Err(error) = ended else { return };
            self.readiness.missing(Part::Coherence, error.to_string());
            let pause = backoff.next_pause();
            tracing::warn!(
                error = %Chain(&error),
                pause_ms = pause.as_millis(),
                "cached orders are read again from the store"
            );
            stop.wait(pause);
        }
    }

    fn session(
        &self,
        stop: &StopToken,
        backoff: &mut Backoff,
        on_trust: &mut impl FnMut(),
    ) -> Result<(), SessionError> {
        let mut session = self.listen.listen()?;
        let base = self.clock.now();
        self.catalog.begin_trust();
        self.readiness.confirm(Part::Coherence, base);
        tracing::info!("what other instances replace is heard");
        on_trust();
        let mut own: VecDeque<Own> = VecDeque::new();
        let (mut heard_at, mut next_at) = (base, base);
        while !stop.is_stopped() {
            let now = self.clock.now();
            if now >= next_at {
                next_at = now + HEARTBEAT_EVERY;
                let since = now.saturating_duration_since(base).as_nanos();
                session.send_heartbeat(u64::try_from(since).unwrap_or(u64::MAX))?;
            }
            if now.saturating_duration_since(heard_at) >= SILENT_MAX {
                return Err(SessionError::Silent);
            }
            let wake_at = own.front().map_or(next_at, |own| own.until.min(next_at));
            match session.hear(wake_at.saturating_duration_since(now))? {
                None => {}
                Some(Heard::Heartbeat(token)) => {
                    heard_at = (base + Duration::from_nanos(token)).min(self.clock.now());
                    self.catalog.heartbeat(heard_at);
                    self.readiness.confirm(Part::Coherence, heard_at);
                    backoff.reset();
                }
                Some(Heard::Replaced { by: Writer::Another, uids }) => {
                    self.catalog.replaced_elsewhere(&uids);
                }
                Some(Heard::Replaced { by: Writer::ThisInstance, uids }) => {
                    let until = self.clock.now() + OWN_WRITE_WAIT_MAX;
                    own.push_back(Own { mark: self.catalog.mark_writes(), until, uids });
                }
                Some(Heard::Unreadable) => self.catalog.invalidate_all(),
            }
            self.settle(&mut own);
        }
        Ok(())
    }

    /// Passes over own writes that were published, and forgets what the others may have written.
    fn settle(&self, own: &mut VecDeque<Own>) {
        while let Some(first) = own.front() {
            match self.catalog.writes_before(first.mark) {
                Before::Published => {}
                Before::Open if self.clock.now() < first.until => return,
                Before::Open | Before::GivenUp => self.catalog.invalidate(&first.uids),
            }
            own.pop_front();
        }
    }
}
