//! The last half hour of the cache as a time series: what happened in it between one sample and the
//! next.
//!
//! It is kept here for the page that shows the cache, so that the daemon can be looked at without a
//! server that collects metrics. Those are for longer times and for alarms.
//!
//! Invariants: at most [`SAMPLES_MAX`] samples are kept, the oldest first; a sample costs a look at
//! a few counters, and never one at the entries.

use crate::catalog::Catalog;
use crate::catalog::Stats;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::metrics::Place;
use crate::supervise::Crew;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// The time between two samples.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// How many samples are kept: half an hour of them.
pub const SAMPLES_MAX: usize = 360;

/// What happened between the sample before and this one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was taken.
    pub at: Timestamp,
    /// Lookups that found their order.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Orders that left the cache to make room for another.
    pub evictions: u64,
    /// How many orders the cache held at the end.
    pub entries: usize,
    /// The mean time of a read that the cache answered; `None` without one.
    pub hit_mean: Option<Duration>,
    /// The mean time of a read that the store answered; `None` without one.
    pub miss_mean: Option<Duration>,
}

impl Sample {
    /// The share of lookups that found their order; `None` without a lookup.
    pub fn hit_ratio(&self) -> Option<f64> {
        let lookups = self.hits + self.misses;
        (lookups > 0).then(|| self.hits as f64 / lookups as f64)
    }
}

/// What had been counted when the last sample was taken.
#[derive(Clone, Copy, Default)]
struct Counted {
    stats: Stats,
    hits: (u64, Duration),
    misses: (u64, Duration),
}

/// The samples of one daemon.
pub struct Series {
    catalog: Arc<Catalog>,
    metrics: Arc<Metrics>,
    clock: Clock,
    kept: Mutex<(VecDeque<Sample>, Counted)>,
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Series").finish_non_exhaustive()
    }
}

impl Series {
    /// A series without samples yet.
    pub fn new(catalog: Arc<Catalog>, metrics: Arc<Metrics>, clock: Clock) -> Self {
        Self { catalog, metrics, clock, kept: Mutex::default() }
    }

    /// A series that takes a sample every [`SAMPLE_EVERY`], on a thread of `crew`.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(
        crew: &Crew,
        catalog: &Arc<Catalog>,
        metrics: &Arc<Metrics>,
        clock: &Clock,
    ) -> Result<Arc<Self>, io::Error> {
        let series = Self::new(Arc::clone(catalog), Arc::clone(metrics), clock.clone());
        let series = Arc::new(series);
        let taken = Arc::clone(&series);
        crew.spawn_restarting("cache-series", move |stop| {
            while !stop.wait(SAMPLE_EVERY) {
                taken.sample();
            }
        })?;
        Ok(series)
    }

    /// Takes a sample, in the place of the oldest if there are enough.
    pub fn sample(&self) {
        let counted = Counted {
            stats: self.catalog.stats(),
            hits: self.metrics.orders_found(Place::Cache),
            misses: self.metrics.orders_found(Place::Store),
        };
        let (at, entries) = (self.clock.wall(), self.catalog.len());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (samples, before) = &mut *kept;
        if samples.len() == SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(Sample {
            at,
            hits: counted.stats.hits.saturating_sub(before.stats.hits),
            misses: counted.stats.misses.saturating_sub(before.stats.misses),
            evictions: counted.stats.evictions.saturating_sub(before.stats.evictions),
            entries,
            hit_mean: mean(before.hits, counted.hits),
            miss_mean: mean(before.misses, counted.misses),
        });
        *before = counted;
    }

    /// The samples, oldest first.
    pub fn samples(&self) -> Vec<Sample> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).0.iter().copied().collect()
    }
}

/// The mean of what came after `before`: each is how many there were, and their sum.
fn mean(before: (u64, Duration), after: (u64, Duration)) -> Option<Duration> {
    let count = after.0.checked_sub(before.0).filter(|count| *count > 0)?;
    Some(after.1.saturating_sub(before.1).div_f64(count as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue: latency over time is that of the reads since the sample before, and none if there
    /// were none.
    #[test]
    fn a_mean_is_of_what_came_since() {
        let ms = Duration::from_millis;
        assert_eq!(mean((0, ms(0)), (4, ms(20))), Some(ms(5)));
        assert_eq!(mean((4, ms(20)), (6, ms(26))), Some(ms(3)));
        assert_eq!(mean((6, ms(26)), (6, ms(26))), None);
    }
}
