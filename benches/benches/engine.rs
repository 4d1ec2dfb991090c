//! The engine's own operations on one thread: `cargo bench -p benches --bench engine`.

use benches::engine::CacheHits;
use benches::engine::MapChurn;
use benches::engine::MapHits;
use benches::engine::MapReadThrough;
use benches::engine::Workload;
use benches::rounds::timed;
use criterion::Criterion;
use std::time::Duration;

/// Capacities, each with the share of hits of the read-through (2026-11-20), which the seed of the
/// keys determines. At a tiny capacity a test holds it against a naive LRU.
const SIZES: [(usize, f64); 2] = [(1_000, 0.665), (100_000, 0.766)];

/// How far the share may lie off: other releases of the random generator draw other keys.
const HIT_RATIO_TOLERANCE: f64 = 0.01;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    for (capacity, hit_ratio) in SIZES {
        measure(&mut criterion, "LruMap hit", capacity, || MapHits::new(capacity));
        measure(&mut criterion, "LruMap insert and evict", capacity, || MapChurn::new(capacity));
        measure(&mut criterion, "LruMap zipf read-through", capacity, || {
            let mut workload = MapReadThrough::new(capacity);
            let measured = workload.hit_ratio();
            let off = (measured - hit_ratio).abs();
            assert!(off <= HIT_RATIO_TOLERANCE, "{measured} hits, expected {hit_ratio}");
            workload
        });
        measure(&mut criterion, "Cache hit", capacity, || CacheHits::new(capacity));
    }
    criterion.final_summary();
}

/// Times one operation. The workload is made only if the benchmark runs.
fn measure<W: Workload>(
    criterion: &mut Criterion,
    name: &str,
    capacity: usize,
    make: impl Fn() -> W,
) {
    let mut workload = None;
    criterion.bench_function(&format!("{name}/{capacity}"), |bencher| {
        let workload = workload.get_or_insert_with(&make);
        bencher.iter_custom(|times| timed(|| workload.run(times)));
    });
}
