//! The alarm for a topic that brings mostly what can't be saved: most likely a producer was
//! changed, or the wrong topic is read, and somebody should look before thousands of letters have
//! gathered.

use std::time::Duration;
use std::time::Instant;

/// A smaller batch says nothing: one bad message may be all that came.
const ELEMENTS_MIN: usize = 20;

/// How often the alarm is raised while it lasts.
const EVERY: Duration = Duration::from_secs(60);

/// Whether most of a batch was poison.
pub(super) fn is_mostly_poison(letters: usize, elements: usize) -> bool {
    elements >= ELEMENTS_MIN && letters * 2 > elements
}

/// When the alarm was raised last, and what it hasn't said since.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    raised_at: Option<Instant>,
    batches: u64,
    letters: usize,
}

impl Alarm {
    /// Counts a batch that was mostly poison, and raises the alarm if it wasn't raised lately.
    pub(super) fn count(&mut self, topic: &str, letters: usize, now: Instant) {
        self.batches += 1;
        self.letters += letters;
        if self.raised_at.is_some_and(|at| now.saturating_duration_since(at) < EVERY) {
            return;
        }
        tracing::error!(
            topic,
            batches = self.batches,
            dead_letters = self.letters,
            "ALARM: most of what the topic brings can't be saved as orders; see `orderd \
             dead-letters list`"
        );
        *self = Self { raised_at: Some(now), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    /// Issue: an alarm if most of a batch is poison, from 20 elements on.
    #[test]
    fn more_than_half_of_at_least_twenty_is_an_alarm() {
        assert!(is_mostly_poison(11, 20));
        assert!(is_mostly_poison(500, 500));
        assert!(!is_mostly_poison(10, 20));
        assert!(!is_mostly_poison(19, 19));
        assert!(!is_mostly_poison(0, 0));
    }

    /// Issue: the alarm is loud once, and again after a minute, with what it held back.
    #[test]
    fn the_alarm_is_raised_once_a_minute() {
        let (mut alarm, clock) = (Alarm::default(), Clock::manual());
        alarm.count("orders", 11, clock.now());
        let raised = alarm.raised_at;
        assert_eq!((raised, alarm.batches), (Some(clock.now()), 0));
        clock.advance(EVERY - Duration::from_nanos(1));
        alarm.count("orders", 12, clock.now());
        alarm.count("orders", 13, clock.now());
        assert_eq!((alarm.raised_at, alarm.batches, alarm.letters), (raised, 2, 25));
        clock.advance(Duration::from_nanos(1));
        alarm.count("orders", 14, clock.now());
        assert_eq!((alarm.raised_at, alarm.batches), (Some(clock.now()), 0));
    }
}
