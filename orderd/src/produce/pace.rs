//! How fast orders are produced: so many a second on average, and never more than that.
//!
//! What couldn't be sent for a while is made up for at most one second's worth, so that a target
//! that was away isn't greeted with everything it has missed.

use crate::produce::Options;
use std::time::Duration;
use std::time::Instant;

/// How many orders are sent at once: what one batch of the Kafka client takes best (2026-11-20).
const BATCH_MAX: usize = 500;

/// The shortest pause. At high rates orders gather in it, so that a batch is worth its round trip.
const GATHERING: Duration = Duration::from_millis(10);

/// The longest pause; after it the pace is asked again.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send so many orders, at least one.
    Send(usize),
    /// Wait for so long, and ask again.
    Wait(Duration),
}

/// When the next orders are due.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Orders a second; `None` is as fast as they are taken.
    rate: Option<f64>,
    /// Orders that are due at `at`, the beginnings of the next one included.
    owed: f64,
    at: Instant,
}

impl Pace {
    /// The pace that `options` ask for. The first order is due at once.
    pub(crate) fn new(options: &Options, now: Instant) -> Self {
        let by_interval = options.interval.map(|interval| 1.0 / interval.as_secs_f64());
        let rate = options.rate.or(by_interval).filter(|rate| rate.is_finite() && *rate > 0.0);
        Self { rate, owed: 1.0, at: now }
    }

    /// What is due at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        let Some(rate) = self.rate else { return Due::Send(BATCH_MAX) };
        let elapsed = now.saturating_duration_since(self.at);
        self.owed = (self.owed + elapsed.as_secs_f64() * rate).min(rate.max(1.0));
        self.at = now;
        if self.owed >= 1.0 {
            return Due::Send(self.owed.min(BATCH_MAX as f64) as usize);
        }
        let wait = Duration::try_from_secs_f64((1.0 - self.owed) / rate).unwrap_or(PAUSE_MAX);
        let gathers = rate * GATHERING.as_secs_f64() > 1.0;
        Due::Wait(if gathers { GATHERING } else { wait.min(PAUSE_MAX) })
    }

    /// So many of the orders that were due are on their way.
    pub(crate) fn sent(&mut self, count: usize) {
        self.owed -= count as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::Due;
    use super::Pace;
    use crate::clock::Clock;
    use crate::produce::Options;
    use std::time::Duration;

    /// Sends what is due for `seconds` on a clock of its own. Returns how much was sent, and how
    /// much of it at most at once.
    fn sent_in(pace: &mut Pace, clock: &Clock, seconds: u64) -> (usize, usize) {
        let end = clock.now() + Duration::from_secs(seconds);
        let (mut sent, mut most) = (0, 0);
        while clock.now() < end {
            match pace.due(clock.now()) {
                Due::Send(count) => {
                    pace.sent(count);
                    sent += count;
                    most = most.max(count);
                }
                Due::Wait(pause) => clock.advance(pause + Duration::from_nanos(1)),
            }
        }
        (sent, most)
    }

    fn pace(rate: Option<f64>, interval: Option<Duration>) -> (Pace, Clock) {
        let clock = Clock::manual();
        let options = Options { rate, interval, ..Options::default() };
        (Pace::new(&options, clock.now()), clock)
    }

    /// Row 13: "at any rate".
    #[test]
    fn the_rate_is_kept_over_time() {
        for rate in [0.5, 3.0, 100.0, 2500.0, 40_000.0] {
            let (mut pace, clock) = pace(Some(rate), None);
            let (sent, _) = sent_in(&mut pace, &clock, 100);
            let expected = rate * 100.0;
            let off = (sent as f64 - expected).abs();
            assert!(off <= 2.0 + expected * 0.01, "{sent} instead of {expected}");
        }
    }

    /// Row 13: "random orders at an interval": the first at once, then one each time.
    #[test]
    fn an_interval_sends_one_order_each_time() {
        let (mut pace, clock) = pace(None, Some(Duration::from_secs(2)));
        assert_eq!(sent_in(&mut pace, &clock, 1), (1, 1));
        let (sent, most) = sent_in(&mut pace, &clock, 100);
        assert!((50..=51).contains(&sent), "{sent}");
        assert_eq!(most, 1);
    }

    /// After a time of silence no more than a second's worth is made up for.
    #[test]
    fn a_stall_is_made_up_for_by_one_second_at_most() {
        let (mut pace, clock) = pace(Some(100.0), None);
        sent_in(&mut pace, &clock, 5);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(pace.due(clock.now()), Due::Send(100));
        pace.sent(100);
        assert!(matches!(pace.due(clock.now()), Due::Wait(_)));

        let (mut slow, clock) = self::pace(Some(0.01), None);
        sent_in(&mut slow, &clock, 1);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(slow.due(clock.now()), Due::Send(1));
    }

    /// Without a rate, with rate 0 and with interval 0 orders go as fast as they are taken, in
    /// batches; a rate near zero waits, and nothing overflows.
    #[test]
    fn the_ends_of_the_scale() {
        for (rate, interval) in [(None, None), (Some(0.0), None), (None, Some(Duration::ZERO))] {
            let (mut pace, clock) = pace(rate, interval);
            assert_eq!(pace.due(clock.now()), Due::Send(500));
        }
        let (mut pace, clock) = pace(Some(f64::MIN_POSITIVE), None);
        pace.sent(1);
        assert!(matches!(pace.due(clock.now()), Due::Wait(_)));
    }
}
