//! The pause between tries against something that is away: growing, with jitter, without an end.
//!
//! Outages are waited out for ever, so there is no number of tries to exhaust. Each pause is
//! drawn from the upper half of its bound, so that many daemons don't come back in step.

use rand::RngExt as _;
use std::time::Duration;

/// The bounds of the pauses.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Pauses for one series of tries.
#[derive(Debug)]
pub struct Backoff {
    bound: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { bound: PAUSE_MIN }
    }
}

impl Backoff {
    /// The next pause: at least half of a bound that doubles each time, up to five seconds.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.bound.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.bound = (self.bound * 2).min(PAUSE_MAX);
        pause
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}
