//! Threads on cores of their own, and how far apart two cores are at this moment.
//!
//! Two virtual CPUs are now and then two threads of one core, or lie on two sockets: then the same
//! work of two threads takes half or twice as long, whatever the engine. So each sample of two
//! threads also times how long a cache line takes from one to the other, and the far ones are
//! left out.

use crate::compare::clock::Stopwatch;
use std::hint::spin_loop;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;

/// How often the line goes there and back while it is timed once.
const TRIPS: u64 = 250;

/// How often it is timed; the median counts, so that being scheduled away once doesn't.
const TIMES: usize = 15;

/// How long a thread spins before it lets others run: the other side may be without a core.
const SPINS_BEFORE_YIELD: u32 = 1 << 14;

/// How many cores this process may use.
pub fn count() -> usize {
    core_affinity::get_core_ids().map_or(1, |cores| cores.len().max(1))
}

/// Puts the current thread on the core of this index, counted in a circle. Where the system
/// refuses, the thread stays where it is, and its distance to the others tells.
pub fn pin(index: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(core) = cores.get(index % cores.len().max(1)) {
        core_affinity::set_for_current(*core);
    }
}

/// A cache line that two threads hand to and fro.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Line(AtomicU64);

impl Line {
    /// How many nanoseconds the line takes one way, median. Both sides call this at the same time,
    /// each with its own number, 0 or 1; the line must be at rest, and is so again afterwards.
    pub fn hop_ns(&self, side: usize) -> f64 {
        let side = side as u64;
        let first = self.0.load(Ordering::Acquire) & !1;
        let mut times: Vec<f64> = (0..TIMES as u64)
            .map(|time| {
                let watch = Stopwatch::start();
                for trip in 0..TRIPS {
                    let turn = first + 2 * (time * TRIPS + trip) + side;
                    self.await_turn(turn);
                    self.0.store(turn + 1, Ordering::Release);
                }
                watch.ns() / (2 * TRIPS) as f64
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[TIMES / 2]
    }

    fn await_turn(&self, turn: u64) {
        let mut spins = 0_u32;
        while self.0.load(Ordering::Acquire) != turn {
            spins += 1;
            if spins.is_multiple_of(SPINS_BEFORE_YIELD) {
                thread::yield_now();
            }
            spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue: each 2-thread sample times how long a cache line takes; twice, before and after.
    #[test]
    fn a_line_goes_to_and_fro_more_than_once() {
        let line = Line::default();
        let both = |side| (line.hop_ns(side), line.hop_ns(side));
        let (near, far) = thread::scope(|scope| {
            let other = scope.spawn(|| both(1));
            (both(0), other.join().unwrap())
        });
        for ns in [near.0, near.1, far.0, far.1] {
            assert!(ns > 0.0 && ns < 1e9, "{ns} ns");
        }
        assert_eq!(line.0.load(Ordering::Relaxed), 2 * 2 * TRIPS * TIMES as u64);
    }
}
