//! What the daemon still lacks before it can do all of its work.
//!
//! Set by whoever owns a part, read by HTTP. An owner confirms its part again and again, and a part
//! that wasn't confirmed for [`SILENT_MAX`] is missing: a thread that hangs in a library's call
//! can't say so itself (the Kafka client waits 120 s for a silent broker; measured 2026-11-20).
//!
//! A daemon that is stopping is never ready.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// How long a part counts as ready without being confirmed. The store is asked every second, and
/// the topic several times a second.
pub const SILENT_MAX: Duration = Duration::from_secs(5);

/// How long what other instances replace counts as heard without a heartbeat. One is sent every
/// 100 ms.
pub const HEARTBEAT_SILENT_MAX: Duration = Duration::from_secs(1);

/// A part without which the daemon isn't ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The database threads reach the store, and its schema is up to date.
    Store,
    /// Ingest reads the topic and saves what it reads.
    Topic,
    /// What other instances replace is heard, so that cached orders can be served as they are.
    Coherence,
    /// The daemon isn't on its way out.
    Running,
}

impl Part {
    /// All parts, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Store, Self::Topic, Self::Coherence, Self::Running];

    /// The part's name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Topic => "topic",
            Self::Coherence => "coherence",
            Self::Running => "running",
        }
    }

    fn silent_max(self) -> Duration {
        match self {
            Self::Coherence => HEARTBEAT_SILENT_MAX,
            Self::Store | Self::Topic | Self::Running => SILENT_MAX,
        }
    }
}

#[derive(Clone, Debug)]
enum State {
    Missing(String),
    ConfirmedAt(Instant),
    /// Ready until somebody says otherwise.
    Ready,
}

/// The state of every part.
#[derive(Debug)]
pub struct Readiness {
    states: Mutex<[State; Part::ALL.len()]>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// `Store` and `Topic` are missing. `Coherence` isn't, since only a store that others write to
    /// can lack it.
    pub fn new() -> Self {
        let not_yet = || State::Missing("not reached yet".to_owned());
        Self { states: Mutex::new([not_yet(), not_yet(), State::Ready, State::Ready]) }
    }

    /// The part is ready at the time `now`.
    pub fn confirm(&self, part: Part, now: Instant) {
        self.set(part, State::ConfirmedAt(now));
    }

    /// The part isn't ready, for this reason.
    pub fn missing(&self, part: Part, reason: impl Into<String>) {
        self.set(part, State::Missing(reason.into()));
    }

    /// Every part with what it lacks at the time `now`, in the order of [`Part::ALL`]; `None` is
    /// nothing.
    pub fn snapshot(&self, now: Instant) -> Vec<(Part, Option<String>)> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let parts = Part::ALL.into_iter().zip(states);
        parts.map(|(part, state)| (part, state.lack(part.silent_max(), now))).collect()
    }

    fn set(&self, part: Part, state: State) {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)[part as usize] = state;
    }
}

impl State {
    fn lack(self, silent_max: Duration, now: Instant) -> Option<String> {
        match self {
            Self::Missing(reason) => Some(reason),
            Self::Ready => None,
            Self::ConfirmedAt(at) => {
                let silent = now.saturating_duration_since(at);
                (silent >= silent_max).then(|| format!("silent for {} s", silent.as_secs()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn missing(readiness: &Readiness, clock: &Clock) -> [Option<String>; 4] {
        let missing: Vec<_> = readiness.snapshot(clock.now()).into_iter().map(|p| p.1).collect();
        missing.try_into().unwrap()
    }

    /// Section 3: `/readyz` says which part isn't ready.
    #[test]
    fn each_part_is_missing_until_it_is_confirmed() {
        let (readiness, clock) = (Readiness::new(), Clock::manual());
        let not_yet = Some("not reached yet".to_owned());
        assert_eq!(missing(&readiness, &clock), [not_yet.clone(), not_yet.clone(), None, None]);
        readiness.confirm(Part::Store, clock.now());
        assert_eq!(missing(&readiness, &clock), [None, not_yet, None, None]);
        readiness.confirm(Part::Topic, clock.now());
        assert_eq!(missing(&readiness, &clock), [None, None, None, None]);
        readiness.missing(Part::Running, "stopping");
        assert_eq!(missing(&readiness, &clock), [None, None, None, Some("stopping".to_owned())]);
    }

    /// Issue: a server that falls silent is noticed though the thread that asks it hangs.
    #[test]
    fn a_part_that_is_silent_for_five_seconds_is_missing() {
        let (readiness, clock) = (Readiness::new(), Clock::manual());
        readiness.confirm(Part::Store, clock.now());
        readiness.confirm(Part::Topic, clock.now());
        clock.advance(SILENT_MAX - Duration::from_nanos(1));
        assert_eq!(missing(&readiness, &clock), [None, None, None, None]);
        readiness.confirm(Part::Store, clock.now());
        clock.advance(Duration::from_nanos(1));
        let silent = Some("silent for 5 s".to_owned());
        assert_eq!(missing(&readiness, &clock), [None, silent, None, None]);
    }

    /// Issue: readiness says when what others replace isn't heard any more.
    #[test]
    fn coherence_is_missing_after_a_second_without_a_heartbeat() {
        let (readiness, clock) = (Readiness::new(), Clock::manual());
        readiness.confirm(Part::Coherence, clock.now());
        clock.advance(HEARTBEAT_SILENT_MAX - Duration::from_nanos(1));
        assert_eq!(missing(&readiness, &clock)[2], None);
        clock.advance(Duration::from_nanos(1));
        assert_eq!(missing(&readiness, &clock)[2], Some("silent for 1 s".to_owned()));
    }
}
