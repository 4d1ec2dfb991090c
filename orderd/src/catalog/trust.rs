//! Whether what is cached may be served as it is, when others write to the same store.
//!
//! The proof is a heartbeat that came back through the database on the connection on which others
//! tell what they replaced: everything committed before it was *sent* has been heard by then. So
//! trust is a time, set by the listener and compared by each reader with its own clock. It ends by
//! itself when the listener hangs, dies or hears nothing.
//!
//! Invariants:
//! * A reader asks for trust before it looks into the cache. What it then finds there was true at
//!   the last heartbeat or later, which is less than [`HEARTBEAT_SILENT_MAX`] ago.
//! * Trust begins only after everything that was cached without it has been forgotten.
//!
//! Beside it stands whether the database answered the last reader that doubted its copy, so that in
//! an outage only one reader at a time waits to find out.

use crate::clock::Clock;
use crate::supervise::readiness::HEARTBEAT_SILENT_MAX;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// How long readers are given their copies unasked after the database didn't answer one of them.
const AWAY_FOR: Duration = Duration::from_millis(500);

/// What an operator may want to know about the coherence of this instance with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coherence {
    /// How long ago the last heartbeat that came back was sent; `None` without trust.
    pub heartbeat_age: Option<Duration>,
    /// How many ids of replaced orders were heard from other instances.
    pub invalidations: u64,
    /// How often the listener has begun to listen: one more than it had to reconnect.
    pub sessions: u64,
}

/// Set by one listener, asked by every reader. Times are nanoseconds since `base`; 0 is never.
#[derive(Debug)]
pub(super) struct Trust {
    clock: Clock,
    base: Instant,
    heard_ns: AtomicU64,
    away_until_ns: AtomicU64,
    invalidations: AtomicU64,
    sessions: AtomicU64,
}

impl Trust {
    /// None yet.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            base: clock.now(),
            clock,
            heard_ns: AtomicU64::new(0),
            away_until_ns: AtomicU64::new(0),
            invalidations: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
        }
    }

    /// Whether what the cache holds may be served as it is.
    pub(super) fn holds(&self) -> bool {
        self.age().is_some_and(|age| age < HEARTBEAT_SILENT_MAX)
    }

    /// Everything that was committed before `at` has been heard.
    pub(super) fn heard_until(&self, at: Instant) {
        self.heard_ns.store(self.ns(at), Ordering::Release);
    }

    /// The listener has lost its connection.
    pub(super) fn end(&self) {
        self.heard_ns.store(0, Ordering::Release);
    }

    pub(super) fn count_session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_invalidations(&self, count: usize) {
        self.invalidations.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn coherence(&self) -> Coherence {
        Coherence {
            heartbeat_age: self.age(),
            invalidations: self.invalidations.load(Ordering::Relaxed),
            sessions: self.sessions.load(Ordering::Relaxed),
        }
    }

    /// Whether a reader with a copy is to ask the database. When it didn't answer a moment ago, one
    /// reader at a time is, and finds out for the others.
    pub(super) fn may_ask(&self) -> bool {
        let until = self.away_until_ns.load(Ordering::Relaxed);
        if until == 0 {
            return true;
        }
        let now = self.clock.now();
        if self.ns(now) < until {
            return false;
        }
        let next = self.ns(now + AWAY_FOR);
        let won =
            self.away_until_ns.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed);
        won.is_ok()
    }

    /// The database answered a reader, or it didn't.
    pub(super) fn note(&self, answer: Answer) {
        let until = match answer {
            Answer::Came => 0,
            Answer::Missing => self.ns(self.clock.now() + AWAY_FOR),
        };
        self.away_until_ns.store(until, Ordering::Relaxed);
    }

    fn age(&self) -> Option<Duration> {
        let heard_ns = self.heard_ns.load(Ordering::Acquire);
        let now_ns = self.ns(self.clock.now());
        (heard_ns != 0).then(|| Duration::from_nanos(now_ns.saturating_sub(heard_ns)))
    }

    fn ns(&self, at: Instant) -> u64 {
        // From 1 on, and for 584 years.
        let since = at.saturating_duration_since(self.base).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// What became of the question of a reader that doubted its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Came,
    Missing,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Design: without a heartbeat for a second there is no trust, whatever the listener does.
    #[test]
    fn trust_ends_a_second_after_the_last_heartbeat_was_sent() {
        let clock = Clock::manual();
        let trust = Trust::new(clock.clone());
        assert!(!trust.holds(), "not before the first one");
        let sent_at = clock.now();
        clock.advance(Duration::from_millis(400));
        trust.heard_until(sent_at);
        clock.advance(Duration::from_millis(600) - Duration::from_nanos(2));
        assert!(trust.holds());
        clock.advance(Duration::from_nanos(2));
        assert!(!trust.holds(), "the time on the way counts");
        trust.heard_until(clock.now());
        assert!(trust.holds());
        trust.end();
        assert!(!trust.holds());
    }

    /// Issue: in an outage cached orders are still served, and not after a wait each.
    #[test]
    fn one_reader_at_a_time_asks_a_database_that_does_not_answer() {
        let clock = Clock::manual();
        let trust = Trust::new(clock.clone());
        assert!(trust.may_ask() && trust.may_ask());
        trust.note(Answer::Missing);
        assert!(!trust.may_ask());
        clock.advance(AWAY_FOR);
        assert!(trust.may_ask(), "one finds out");
        assert!(!trust.may_ask(), "for the others");
        trust.note(Answer::Came);
        assert!(trust.may_ask() && trust.may_ask());
    }
}
