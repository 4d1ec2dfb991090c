//! What the parts count for themselves, put among the metrics: the cache, the readiness, the
//! queues.
//!
//! Apart from `metrics`, which knows no part, and from the parts, which don't know who asks.

use crate::catalog::Catalog;
use crate::catalog::Coherence;
use crate::catalog::Stats;
use crate::clock::Clock;
use crate::metrics::Kind;
use crate::metrics::Metrics;
use crate::metrics::Sample;
use crate::supervise::readiness::Part;
use crate::supervise::readiness::Readiness;
use std::sync::Arc;

/// Adds the readings of the catalog: what its cache holds, and what happened to it.
pub fn catalog(metrics: &Metrics, catalog: &Arc<Catalog>) {
    type Count = fn(&Stats) -> u64;
    #[rustfmt::skip]
    let counters: [(&str, &str, Count); 5] = [
        ("orderd_cache_hits_total", "Lookups that found their order.", |stats| stats.hits),
        ("orderd_cache_misses_total", "Lookups that did not.", |stats| stats.misses),
        ("orderd_cache_insertions_total", "Orders that came into the cache.",
            |stats| stats.inserts),
        ("orderd_cache_evictions_total", "Orders that left to make room for another.",
            |stats| stats.evictions),
        ("orderd_cache_removals_total", "Orders that were invalidated.", |stats| stats.removals),
    ];
    for (name, help, count) in counters {
        let catalog = Arc::clone(catalog);
        let read = move || vec![Sample::from(count(&catalog.stats()))];
        metrics.read(name, help, Kind::Counter, read);
    }
    let held = Arc::clone(catalog);
    metrics.read("orderd_cache_entries", "Orders in the cache.", Kind::Gauge, move || {
        vec![Sample::from(held.len() as u64)]
    });
    let bound = Arc::clone(catalog);
    let help = "How many orders the cache holds at most.";
    metrics.read("orderd_cache_capacity_entries", help, Kind::Gauge, move || {
        vec![Sample::from(bound.capacity().entries as u64)]
    });
    let held = Arc::clone(catalog);
    let help = "Bytes of the orders in the cache, as they are served.";
    metrics.read("orderd_cache_bytes", help, Kind::Gauge, move || vec![Sample::from(held.bytes())]);
    let bound = Arc::clone(catalog);
    let help = "How many bytes the orders in the cache have at most.";
    metrics.read("orderd_cache_capacity_bytes", help, Kind::Gauge, move || {
        bound.capacity().bytes.map(Sample::from).into_iter().collect()
    });
    let database = catalog.database().clone();
    let help = "Reads that wait for a database thread.";
    metrics.read("orderd_store_queue_length", help, Kind::Gauge, move || {
        let queued = |urgency: &str, count: usize| Sample {
            labels: vec![("urgency", urgency.to_owned())],
            value: count as f64,
        };
        let (foreground, background) = database.queued();
        vec![queued("foreground", foreground), queued("background", background)]
    });
}

/// Adds the readings of how this instance hears what others replace, if there can be others.
pub fn coherence(metrics: &Metrics, catalog: &Arc<Catalog>) {
    type Read = fn(&Coherence) -> Option<f64>;
    if catalog.coherence().is_none() {
        return;
    }
    #[rustfmt::skip]
    let readings: [(&str, &str, Kind, Read); 3] = [
        ("orderd_coherence_heartbeat_age_seconds",
            "How long ago the heartbeat was sent that came back last; none without trust.",
            Kind::Gauge, |state| state.heartbeat_age.map(|age| age.as_secs_f64())),
        ("orderd_coherence_invalidations_total",
            "Orders that other instances replaced and that were forgotten here.",
            Kind::Counter, |state| Some(state.invalidations as f64)),
        ("orderd_coherence_sessions_total",
            "How often the listener began to listen.",
            Kind::Counter, |state| Some(state.sessions as f64)),
    ];
    for (name, help, kind, value) in readings {
        let catalog = Arc::clone(catalog);
        metrics.read(name, help, kind, move || {
            let value = catalog.coherence().as_ref().and_then(value);
            value.into_iter().map(|value| Sample { labels: Vec::new(), value }).collect()
        });
    }
}

/// Adds a gauge of what is ready: 1 or 0 for each part.
pub fn readiness(metrics: &Metrics, readiness: &Arc<Readiness>, clock: &Clock) {
    let (readiness, clock) = (Arc::clone(readiness), clock.clone());
    let help = "Whether a part of the daemon can do its work: 1 or 0.";
    metrics.read("orderd_ready", help, Kind::Gauge, move || {
        let parts = readiness.snapshot(clock.now()).into_iter();
        let sample = |(part, missing): (Part, Option<String>)| Sample {
            labels: vec![("part", part.as_str().to_owned())],
            value: f64::from(u8::from(missing.is_none())),
        };
        parts.map(sample).collect()
    });
}
