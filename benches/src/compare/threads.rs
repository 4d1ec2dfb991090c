//! One sample: operations of one or more threads, timed from the first start to the last end.

use crate::compare::clock::Stopwatch;
use crate::compare::clock::wait;
use crate::compare::cores;
use crate::compare::cores::Line;
use crate::compare::engine::Load;
use crate::compare::engine::Shared;
use crate::compare::pair::Pair;
use crate::compare::workload::Tally;
use serde::Serialize;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// How much of a sample is done once more before it, untimed: other engines had the caches.
const WARM_UP_SHARE: u64 = 4;

/// How long the load of a flight waits.
const LOAD: Duration = Duration::from_micros(200);

/// The shares of lookups whose latency is told.
pub const TAILS: [f64; 3] = [0.5, 0.99, 0.999];

/// What one sample gave.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sample {
    /// Nanoseconds for each operation: the time of all threads from first start to last end,
    /// divided by the operations of all of them.
    pub ns: f64,
    /// Lookups, and how many of them found something.
    pub lookups: u64,
    /// See `lookups`.
    pub hits: u64,
    /// Answers that aren't the value of their key.
    pub wrong: u64,
    /// Nanoseconds of the [`TAILS`], if each lookup was timed.
    pub tails_ns: Option<[u64; 3]>,
    /// Nanoseconds of a cache line from core to core, before or after, whichever is more.
    pub hop_ns: Option<f64>,
    /// How often a flight loaded.
    pub loads: Option<u64>,
}

impl Sample {
    fn new(tally: &Tally, took: Duration, operations: u64) -> Self {
        let quantile = |latencies: &hdrhistogram::Histogram<u64>| {
            TAILS.map(|share| latencies.value_at_quantile(share))
        };
        Self {
            ns: took.as_secs_f64() * 1e9 / operations.max(1) as f64,
            lookups: tally.lookups,
            hits: tally.hits,
            wrong: tally.wrong,
            tails_ns: tally.latencies.as_ref().map(quantile),
            ..Self::default()
        }
    }

    /// Threads that ask for one key at once, which takes a load. The time is that of all of them.
    pub fn of_flight<P: Pair, E: Shared<P::Key, P::Value>>(
        engine: &E,
        item: &P::Item,
        threads: usize,
    ) -> Self {
        let loads = Arc::new(AtomicU64::new(0));
        let (counted, value) = (Arc::clone(&loads), P::value(item));
        let load: Load<P::Value> = Arc::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            wait(LOAD);
            value.clone()
        });
        let barrier = Barrier::new(threads);
        let (tally, took) = at_once(0..threads, |_| {
            barrier.wait();
            let watch = Stopwatch::start();
            let answer = engine.get_or_load(P::key(item), &load);
            let wrong = answer.as_ref().is_some_and(|value| !P::is_value(item, value));
            let found = u64::from(answer.is_some());
            let tally = Tally { lookups: 1, hits: found, wrong: u64::from(wrong), latencies: None };
            Turn { tally, watch, took: watch.elapsed(), hop_ns: None }
        });
        let loads = Some(loads.load(Ordering::Relaxed));
        Self { loads, ..Self::new(&tally.0, took, 1) }
    }
}

/// A sample of the current thread.
pub fn sample_alone(count: u64, mut run: impl FnMut(u64) -> Tally) -> Sample {
    run(count / WARM_UP_SHARE);
    let watch = Stopwatch::start();
    let tally = run(count);
    Sample::new(&tally, watch.elapsed(), count)
}

/// A sample of one thread for each worker, each on a core of its own as long as there are any.
pub fn sample_threads<W: Send>(
    workers: &mut [W],
    run: impl Fn(&mut W, u64) -> Tally + Sync,
    count: u64,
) -> Sample {
    let threads = workers.len();
    let barrier = Barrier::new(threads);
    let line = Line::default();
    let measures_hop = threads == 2 && cores::count() > 1;
    let turn = |(thread, worker): (usize, &mut W)| {
        cores::pin(thread);
        run(worker, count / WARM_UP_SHARE);
        let hop = || {
            barrier.wait();
            measures_hop.then(|| line.hop_ns(thread))
        };
        let before = hop();
        barrier.wait();
        let watch = Stopwatch::start();
        let tally = run(worker, count);
        let took = watch.elapsed();
        let hop_ns = before.zip(hop()).map(|(before, after)| f64::max(before, after));
        Turn { tally, watch, took, hop_ns }
    };
    let ((tally, hop_ns), took) = at_once(workers.iter_mut().enumerate(), turn);
    Sample { hop_ns, ..Sample::new(&tally, took, count * threads as u64) }
}

/// What one thread did, and when.
struct Turn {
    tally: Tally,
    watch: Stopwatch,
    took: Duration,
    hop_ns: Option<f64>,
}

/// Runs a thread for each item; what they did together, and from the first start to the last end.
fn at_once<I: Send>(
    items: impl Iterator<Item = I>,
    turn: impl Fn(I) -> Turn + Sync,
) -> ((Tally, Option<f64>), Duration) {
    let turn = &turn;
    let turns: Vec<Turn> = thread::scope(|scope| {
        let start = |(thread, item)| {
            let named = thread::Builder::new().name(format!("sample {thread}"));
            named.spawn_scoped(scope, move || turn(item)).expect("a thread for a sample")
        };
        let running: Vec<_> = items.enumerate().map(start).collect();
        running.into_iter().map(|thread| thread.join().expect("a sample's end")).collect()
    });
    let first = turns.iter().map(|turn| turn.watch).min().expect("a thread");
    let ends = turns.iter().map(|turn| turn.watch.since(first) + turn.took);
    let took = ends.max().expect("a thread");
    let hop_ns = turns.iter().filter_map(|turn| turn.hop_ns).max_by(f64::total_cmp);
    let mut all = Tally::default();
    for turn in turns {
        all.add(turn.tally);
    }
    ((all, hop_ns), took)
}
