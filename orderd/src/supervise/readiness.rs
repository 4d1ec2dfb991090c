//! What the daemon still lacks before it can do all of its work.
//!
//! Set by whoever owns a part, read by HTTP. A daemon that is stopping is never ready.

use std::sync::Mutex;
use std::sync::PoisonError;

/// A part without which the daemon isn't ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The database threads reach the store, and its schema is up to date.
    Store,
    /// Ingest reads the topic.
    Topic,
    /// The daemon isn't on its way out.
    Running,
}

impl Part {
    /// All parts, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Store, Self::Topic, Self::Running];

    /// The part's name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Topic => "topic",
            Self::Running => "running",
        }
    }
}

/// The state of every part: `None` when ready, else one sentence on what is missing.
#[derive(Debug)]
pub struct Readiness {
    missing: Mutex<[Option<String>; Part::ALL.len()]>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// Everything but `Running` is missing.
    pub fn new() -> Self {
        let not_yet = || Some("not reached yet".to_owned());
        Self { missing: Mutex::new([not_yet(), not_yet(), None]) }
    }

    /// The part is ready.
    pub fn ready(&self, part: Part) {
        self.set(part, None);
    }

    /// The part isn't ready, for this reason.
    pub fn missing(&self, part: Part, reason: impl Into<String>) {
        self.set(part, Some(reason.into()));
    }

    /// Every part with what it lacks, in the order of [`Part::ALL`].
    pub fn snapshot(&self) -> Vec<(Part, Option<String>)> {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Part::ALL.into_iter().zip(missing).collect()
    }

    /// Whether nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).iter().all(Option::is_none)
    }

    fn set(&self, part: Part, reason: Option<String>) {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)[part as usize] = reason;
    }
}
