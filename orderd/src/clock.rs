//! The two clocks: a monotonic one for deadlines, and the wall's for timestamps.
//!
//! Time comes in as a value, so that a test can turn it and no test has to wait for it. This is the
//! only file of the daemon that reads either clock.

use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// Where the time comes from. Cloning it gives the same clock.
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    System,
    Manual(Arc<Mutex<(Instant, Timestamp)>>),
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that stands still until [`Clock::advance`], for tests.
    #[expect(clippy::disallowed_methods, reason = "this is the owner of the clocks")]
    pub fn manual() -> Self {
        Self(Kind::Manual(Arc::new(Mutex::new((Instant::now(), Timestamp::now())))))
    }

    /// The monotonic clock's time.
    #[expect(clippy::disallowed_methods, reason = "this is the owner of the clocks")]
    pub fn now(&self) -> Instant {
        match &self.0 {
            Kind::System => Instant::now(),
            Kind::Manual(at) => at.lock().unwrap_or_else(PoisonError::into_inner).0,
        }
    }

    /// The wall clock's time.
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            Kind::System => Timestamp::now(),
            Kind::Manual(at) => at.lock().unwrap_or_else(PoisonError::into_inner).1,
        }
    }

    /// Turns a manual clock forward; the machine's clocks go by themselves.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual(at) = &self.0 {
            let mut at = at.lock().unwrap_or_else(PoisonError::into_inner);
            at.0 += by;
            at.1 += by;
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::System => "Clock::System",
            Kind::Manual(_) => "Clock::Manual",
        })
    }
}
