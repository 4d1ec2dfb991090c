//! What the daemon counts and times, in the text format that Prometheus reads.
//!
//! Two kinds: *observed* metrics, which the parts move as they work, and *readings*, which are
//! asked for when somebody reads them, since the part that knows them counts anyway (the cache, the
//! readiness, a queue). Names follow Prometheus' conventions: `orderd_` first, the unit last,
//! `_total` on what only grows, seconds and bytes without a prefix.
//!
//! Every label has a bounded set of values: a route is its template and never a path, a method that
//! isn't known is `other`, a reason is a code. So no client can make the series grow.
//!
//! Nothing here is asked by the daemon itself, and nothing secret or personal is a label.

mod reading;

use crate::metrics::reading::Reading;
use prometheus::Histogram;
use prometheus::HistogramOpts;
use prometheus::HistogramVec;
use prometheus::IntCounter;
use prometheus::IntCounterVec;
use prometheus::IntGaugeVec;
use prometheus::Opts;
use prometheus::Registry;
use prometheus::TextEncoder;
use prometheus::core::Collector;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use crate::metrics::reading::Kind;
pub use crate::metrics::reading::Sample;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// From a hit (some 10 µs with its response) to the deadline of a read.
const REQUEST_SECONDS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// From a hit (some 1 µs in a small cache) to the deadline of a read.
const ORDER_SECONDS: &[f64] = &[
    0.000_001,
    0.000_002_5,
    0.000_005,
    0.000_01,
    0.000_025,
    0.000_05,
    0.000_1,
    0.000_25,
    0.000_5,
    0.001,
    0.002_5,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
];

/// From one statement on a near server to the statement's timeout.
const STORE_SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// Up to what one transaction takes.
const BATCH_ORDERS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

/// What became of the messages of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Orders that were stored for the first time.
    pub inserted: usize,
    /// Orders that took the place of another content.
    pub replaced: usize,
    /// Orders that were stored already, with the same content.
    pub duplicate: usize,
}

/// Where the answer to a read comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The cache.
    Cache,
    /// The store, since the cache did not have it.
    Store,
}

/// The metrics of one daemon.
pub struct Metrics {
    registry: Registry,
    http_requests: IntCounterVec,
    http_seconds: HistogramVec,
    reads: IntCounterVec,
    hit_seconds: Histogram,
    miss_seconds: Histogram,
    ingested: IntCounterVec,
    dead_letters: IntCounterVec,
    batch_orders: Histogram,
    save_seconds: Histogram,
    store_seconds: HistogramVec,
    store_errors: IntCounterVec,
    restarts: IntCounter,
    poisoned: IntCounter,
    next_offset: IntGaugeVec,
    lag: IntGaugeVec,
    caught_up: IntGaugeVec,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics that are all zero, with those of the process and of the build.
    #[rustfmt::skip]
    pub fn new() -> Self {
        let registry = Registry::new();
        let order_seconds = histograms("orderd_order_read_duration_seconds",
            "Time that one read of an order took, by where the answer came from.", ORDER_SECONDS,
            &["from"]);
        let metrics = Self {
            http_requests: counters("orderd_http_requests_total",
                "Requests that were answered.", &["method", "route", "status"]),
            http_seconds: histograms("orderd_http_request_duration_seconds",
                "Time from a whole request to its answer.", REQUEST_SECONDS, &["route"]),
            reads: counters("orderd_order_reads_total",
                "Reads of one order, by where the answer came from.", &["from"]),
            hit_seconds: order_seconds.with_label_values(&["hit"]),
            miss_seconds: order_seconds.with_label_values(&["miss"]),
            ingested: counters("orderd_ingest_orders_total",
                "Orders that were taken in, by what they did to the store.", &["outcome"]),
            dead_letters: counters("orderd_dead_letters_total",
                "Messages that became dead letters, by the code of the first reason.", &["code"]),
            batch_orders: histogram("orderd_ingest_batch_orders",
                "Orders of one transaction.", BATCH_ORDERS),
            save_seconds: histogram("orderd_ingest_save_duration_seconds",
                "Time that one transaction took.", STORE_SECONDS),
            store_seconds: histograms("orderd_store_read_duration_seconds",
                "Time that one read of the store took.", STORE_SECONDS, &["urgency"]),
            store_errors: counters("orderd_store_errors_total",
                "Reads of the store that failed, by why.", &["kind"]),
            restarts: counter("orderd_ingest_restarts_total",
                "How often ingest started over from the stored positions."),
            poisoned: counter("orderd_ingest_poisoned_batches_total",
                "Batches of at least 20 of which more than half became dead letters."),
            next_offset: gauges("orderd_ingest_next_offset",
                "The offset before which everything is saved.", &["topic", "partition"]),
            lag: gauges("orderd_ingest_lag_messages",
                "Messages that are in the log and not saved.", &["topic", "partition"]),
            caught_up: gauges("orderd_ingest_caught_up_timestamp_seconds",
                "When nothing in the log was left to save, the last time it was so.",
                &["topic", "partition"]),
            registry,
        };
        metrics.register();
        metrics.add(Box::new(order_seconds));
        metrics.build_reading();
        metrics.start_at_zero();
        metrics
    }

    fn register(&self) {
        let observed: [Box<dyn Collector>; 14] = [
            Box::new(self.http_requests.clone()),
            Box::new(self.http_seconds.clone()),
            Box::new(self.reads.clone()),
            Box::new(self.ingested.clone()),
            Box::new(self.dead_letters.clone()),
            Box::new(self.batch_orders.clone()),
            Box::new(self.save_seconds.clone()),
            Box::new(self.store_seconds.clone()),
            Box::new(self.store_errors.clone()),
            Box::new(self.restarts.clone()),
            Box::new(self.poisoned.clone()),
            Box::new(self.next_offset.clone()),
            Box::new(self.lag.clone()),
            Box::new(self.caught_up.clone()),
        ];
        for collector in observed {
            self.add(collector);
        }
        #[cfg(target_os = "linux")]
        self.add(Box::new(prometheus::process_collector::ProcessCollector::for_self()));
    }

    /// A series that first appears with its first event hides that event from a rate.
    fn start_at_zero(&self) {
        self.batch_counted(Ingested::default());
        for from in ["hit", "miss", "stale"] {
            self.reads.with_label_values(&[from]);
        }
        for urgency in ["foreground", "background"] {
            self.store_seconds.with_label_values(&[urgency]);
        }
    }

    fn batch_counted(&self, ingested: Ingested) {
        let Ingested { inserted, replaced, duplicate } = ingested;
        for (outcome, count) in
            [("inserted", inserted), ("replaced", replaced), ("duplicate", duplicate)]
        {
            self.ingested.with_label_values(&[outcome]).inc_by(count as u64);
        }
    }

    fn build_reading(&self) {
        let labels = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        let help = "The build that runs; always 1.";
        self.read("orderd_build_info", help, Kind::Gauge, move || {
            vec![Sample { labels: labels.clone(), value: 1.0 }]
        });
    }

    fn add(&self, collector: Box<dyn Collector>) {
        self.registry.register(collector).expect("each metric has a name of its own");
    }

    /// Adds a metric whose samples `read` says when they are asked for. `read` must not block.
    ///
    /// # Panics
    /// If `name` is taken or is no name: names are constants of the program.
    pub fn read(
        &self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        self.add(Box::new(Reading::new(name, help, kind, Arc::new(read))));
    }

    /// All metrics in Prometheus' text format.
    pub fn text(&self) -> String {
        // What can fail is a name that is written twice, and such a name can't be registered.
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }

    /// A request was answered. `route` is a template and `method` one of a known set.
    pub fn http_answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.http_requests.with_label_values(&[method, route, &status.to_string()]).inc();
        self.http_seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// An order was read: `from` is `hit`, `miss` or `stale`.
    pub fn order_read(&self, from: &'static str) {
        self.reads.with_label_values(&[from]).inc();
    }

    /// A read of an order was answered from `place` after so long.
    pub fn order_found(&self, place: Place, took: Duration) {
        self.found_in(place).observe(took.as_secs_f64());
    }

    /// How many reads were answered from `place` so far, and how long they took in all.
    pub fn orders_found(&self, place: Place) -> (u64, Duration) {
        let found = self.found_in(place);
        let seconds = Duration::try_from_secs_f64(found.get_sample_sum()).unwrap_or_default();
        (found.get_sample_count(), seconds)
    }

    fn found_in(&self, place: Place) -> &Histogram {
        match place {
            Place::Cache => &self.hit_seconds,
            Place::Store => &self.miss_seconds,
        }
    }

    /// A batch was saved.
    pub fn batch_saved(&self, ingested: Ingested, took: Duration) {
        let Ingested { inserted, replaced, duplicate } = ingested;
        self.batch_counted(ingested);
        self.batch_orders.observe((inserted + replaced + duplicate) as f64);
        self.save_seconds.observe(took.as_secs_f64());
    }

    /// A message became a dead letter for the reason with this code.
    pub fn dead_letter(&self, code: &str) {
        self.dead_letters.with_label_values(&[code]).inc();
    }

    /// Most of a batch became dead letters.
    pub fn batch_poisoned(&self) {
        self.poisoned.inc();
    }

    /// Ingest starts over.
    pub fn ingest_restarted(&self) {
        self.restarts.inc();
    }

    /// Everything of a partition before `next_offset` is saved.
    pub fn partition_saved(&self, topic: &str, partition: i32, next_offset: i64) {
        let labels = [topic, &partition.to_string()];
        self.next_offset.with_label_values(&labels).set(next_offset);
    }

    /// At the second `now` of the epoch so many messages of a partition's log were not saved.
    pub fn partition_lags(&self, topic: &str, partition: i32, lag: i64, now: i64) {
        let labels = [topic, &partition.to_string()];
        self.lag.with_label_values(&labels).set(lag);
        if lag == 0 {
            self.caught_up.with_label_values(&labels).set(now);
        }
    }

    /// A partition is read by somebody else from here on.
    pub fn partition_left(&self, topic: &str, partition: i32) {
        let partition = partition.to_string();
        for gauges in [&self.next_offset, &self.lag, &self.caught_up] {
            // It may never have had this one.
            let _ = gauges.remove_label_values(&[topic, &partition]);
        }
    }

    /// A read of the store ended. `urgency` is `foreground` or `background`.
    pub fn store_read(&self, urgency: &'static str, took: Duration) {
        self.store_seconds.with_label_values(&[urgency]).observe(took.as_secs_f64());
    }

    /// A read of the store failed.
    pub fn store_failed(&self, kind: &'static str) {
        self.store_errors.with_label_values(&[kind]).inc();
    }
}

/// All names and labels are constants, so a wrong one is found by the first test that makes
/// metrics.
const LEGAL: &str = "the name and the labels are legal";

fn counter(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect(LEGAL)
}

fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help), labels).expect(LEGAL)
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    IntGaugeVec::new(Opts::new(name, help), labels).expect(LEGAL)
}

fn histogram(name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    Histogram::with_opts(options).expect(LEGAL)
}

fn histograms(name: &str, help: &str, buckets: &[f64], labels: &[&str]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    HistogramVec::new(options, labels).expect(LEGAL)
}
