//! The pause between tries against something that is away: growing, with jitter, without an end.
//!
//! Outages are waited out for ever, so there is no number of tries to exhaust. Each pause is
//! drawn from the upper half of its bound, so that many daemons don't come back in step. The first
//! is 50 to 100 ms; the bound doubles up to five seconds, or to less where somebody waits for what
//! is away.

use rand::RngExt as _;
use std::time::Duration;

/// The bounds of the pauses.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Pauses for one series of tries.
#[derive(Debug)]
pub struct Backoff {
    bound: Duration,
    bound_max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::up_to(PAUSE_MAX)
    }
}

impl Backoff {
    /// Pauses of at most `pause_max`.
    pub fn up_to(pause_max: Duration) -> Self {
        Self { bound: PAUSE_MIN.min(pause_max), bound_max: pause_max }
    }

    /// The next pause: at least half of a bound that doubles each time.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.bound.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.bound = (self.bound * 2).min(self.bound_max);
        pause
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        *self = Self::up_to(self.bound_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue: pauses grow, are drawn with jitter, stay bounded, and begin anew after a success.
    #[test]
    fn pauses_grow_to_their_bound_and_begin_anew() {
        for (mut backoff, last_ms) in
            [(Backoff::default(), 5000), (Backoff::up_to(Duration::from_secs(1)), 1000)]
        {
            for _ in 0..2 {
                let mut bound_ms = 100;
                for _ in 0..20 {
                    let pause = backoff.next_pause();
                    let bound = Duration::from_millis(bound_ms);
                    assert!(bound / 2 <= pause && pause <= bound, "{pause:?} of {bound:?}");
                    bound_ms = (bound_ms * 2).min(last_ms);
                }
                backoff.reset();
            }
        }
        let drawn: Vec<_> = (0..20).map(|_| Backoff::default().next_pause()).collect();
        assert!(drawn.iter().any(|pause| *pause != drawn[0]), "{drawn:?}");
    }
}
