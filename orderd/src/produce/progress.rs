//! How producing goes, for whoever watches: a bar on a terminal, a line in the log now and then
//! otherwise.
//!
//! The bar is drawn on standard error, so that standard output stays the list of ids, and ids that
//! go to the same terminal are printed above it. The latency is the time from handing a batch to
//! the target to its acknowledgement.

use crate::produce::Summary;
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;
use std::time::Duration;
use std::time::Instant;

/// How often a log gets a line.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often the bar is drawn at most, and at least while nothing happens.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Who watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watched {
    /// Somebody at a terminal.
    Terminal,
    /// A log.
    #[default]
    Log,
}

pub(super) struct Progress {
    bar: ProgressBar,
    watched: Watched,
    /// Microseconds to the acknowledgement, for each message of a batch the same.
    latency_us: Histogram<u64>,
    started: Instant,
    next_line: Instant,
}

impl Progress {
    pub(super) fn start(watched: Watched, count: Option<u64>, now: Instant) -> Self {
        let bar = match (watched, count) {
            (Watched::Log, _) => ProgressBar::hidden(),
            (Watched::Terminal, Some(count)) => ProgressBar::new(count).with_style(style(
                "{bar:32.cyan/dim} {pos}/{len} orders, {per_sec}, {msg}, {eta} left",
            )),
            (Watched::Terminal, None) => {
                let template = "{spinner} {pos} orders in {elapsed}, {per_sec}, {msg}";
                ProgressBar::new_spinner().with_style(style(template))
            }
        };
        if watched == Watched::Terminal {
            bar.enable_steady_tick(DRAW_EVERY);
        }
        // Three digits are more than anybody compares, and the range needs no bound.
        let latency_us = Histogram::new(3).expect("three significant digits are legal");
        Self { bar, watched, latency_us, started: now, next_line: now + LINE_EVERY }
    }

    /// `count` messages were acknowledged or refused, `took` after they were offered.
    pub(super) fn answered(&mut self, count: usize, took: Duration, sum: &Summary, now: Instant) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency_us.saturating_record_n(took_us, count as u64);
        let done = sum.orders + sum.damaged + sum.refused;
        if self.watched == Watched::Terminal {
            self.bar.set_position(done);
            let ms = |quantile| self.latency_us.value_at_quantile(quantile) as f64 / 1000.0;
            self.bar.set_message(format!("p50 {:.1} ms, p99 {:.1} ms", ms(0.5), ms(0.99)));
        } else if now >= self.next_line {
            self.next_line = now + LINE_EVERY;
            self.log("producing", sum, now);
        }
    }

    /// Prints by `print`, above the bar if there is one.
    pub(super) fn above<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bar.suspend(print)
    }

    /// Everything is produced, or producing was ended.
    pub(super) fn end(&self, sum: &Summary, now: Instant) {
        if self.watched == Watched::Terminal {
            self.bar.abandon();
        }
        self.log("produced", sum, now);
    }

    fn log(&self, event: &str, sum: &Summary, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started);
        let Summary { orders, damaged, refused } = *sum;
        let per_second = (orders + damaged + refused) as f64 / elapsed.as_secs_f64().max(1e-6);
        tracing::info!(
            orders,
            damaged,
            refused,
            elapsed_ms = elapsed.as_millis(),
            per_second = per_second.round(),
            p50_us = self.latency_us.value_at_quantile(0.5),
            p99_us = self.latency_us.value_at_quantile(0.99),
            "{event}"
        );
    }
}

/// The templates are constants, so a wrong one is found by the first test that draws it.
fn style(template: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template of the bar is legal")
}
