//! Time and pauses of the comparison.

use std::thread;
use std::time::Duration;
use std::time::Instant;

/// Time since it was started.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts one.
    #[inline(always)]
    #[expect(clippy::disallowed_methods, reason = "measuring time is what this crate is for")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since it was started.
    #[inline(always)]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// The same in nanoseconds.
    pub fn ns(self) -> f64 {
        self.elapsed().as_secs_f64() * 1e9
    }

    /// How much later than another it was started; 0 if it was earlier.
    pub fn since(self, other: Self) -> Duration {
        self.0.duration_since(other.0)
    }
}

/// Does nothing for this long, as a load that waits for a server.
#[expect(clippy::disallowed_methods, reason = "stands for the wait of a load, and has an end")]
pub fn wait(duration: Duration) {
    thread::sleep(duration);
}
