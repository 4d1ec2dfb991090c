//! The kinds of work, and the loop of each that one thread runs.
//!
//! A loop never stops at a wrong answer but counts it: other threads wait for its end.

use crate::compare::clock::Stopwatch;
use crate::compare::engine::Handle;
use crate::compare::pair::Drawn;
use crate::compare::pair::Pair;
use crate::keys::Keys;
use hdrhistogram::Histogram;
use std::ops::Range;
use std::sync::Arc;

/// One kind of work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Workload {
    /// Lookups of which each is a hit.
    Hit,
    /// Lookups by Zipf's law over ten times the capacity, with an insert after each miss.
    Zipf,
    /// Inserts of keys that never were there, into a full cache.
    Churn,
    /// Nine lookups to one insert, of keys that are there.
    Mixed90,
    /// As many lookups as inserts, of keys that are there.
    Mixed50,
    /// Lookups of one key.
    Hot,
    /// As `Mixed90`, with each lookup timed on its own.
    Latency,
    /// Eight threads ask for a key that isn't there, and it is loaded.
    Flight,
    /// What a full cache takes in memory.
    Bytes,
}

impl Workload {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 9] = [
        Self::Hit,
        Self::Zipf,
        Self::Churn,
        Self::Mixed90,
        Self::Mixed50,
        Self::Hot,
        Self::Latency,
        Self::Flight,
        Self::Bytes,
    ];

    /// As on the command line and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Zipf => "zipf",
            Self::Churn => "churn",
            Self::Mixed90 => "mixed90",
            Self::Mixed50 => "mixed50",
            Self::Hot => "hot",
            Self::Latency => "latency",
            Self::Flight => "flight",
            Self::Bytes => "bytes",
        }
    }

    /// How many of a hundred operations are inserts, where that is fixed.
    fn inserts_percent(self) -> u64 {
        match self {
            Self::Mixed90 | Self::Latency => 10,
            Self::Mixed50 => 50,
            _ => 0,
        }
    }

    /// Whether it makes the engine evict; a map without a bound has no part in it.
    pub fn evicts(self) -> bool {
        matches!(self, Self::Zipf | Self::Churn)
    }
}

/// What one thread has done in one sample.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Lookups.
    pub lookups: u64,
    /// Lookups that found something.
    pub hits: u64,
    /// Answers that aren't the value of their key.
    pub wrong: u64,
    /// How long each lookup took, in nanoseconds, if that was timed.
    pub latencies: Option<Histogram<u64>>,
}

impl Tally {
    /// Adds what another thread has done.
    pub fn add(&mut self, other: Self) {
        self.lookups += other.lookups;
        self.hits += other.hits;
        self.wrong += other.wrong;
        match (&mut self.latencies, other.latencies) {
            (Some(latencies), Some(more)) => {
                latencies.add(more).expect("histograms of the same bounds");
            }
            (none, more) => *none = more,
        }
    }

    #[inline(always)]
    fn answer<P: Pair>(&mut self, item: &P::Item, answer: Option<&P::Value>) {
        if let Some(value) = answer {
            self.hits += 1;
            self.wrong += u64::from(!P::is_value(item, value));
        }
    }
}

/// How many positions a pattern of lookups and inserts has: a prime, so that it never meets the
/// same keys again, and too many for the branch predictor.
const PATTERN: usize = 4_093;

/// Numbers of fresh keys of each thread, far from those of the others.
const FRESH_BITS: u32 = 40;

/// A latency above this is counted as this: a minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// One thread's place in the drawn keys.
#[derive(Debug)]
pub struct Worker<P: Pair> {
    workload: Workload,
    circle: Arc<[P::Item]>,
    next: usize,
    fresh_from: u64,
    fresh: u64,
    inserts: Arc<[bool]>,
    turn: usize,
}

impl<P: Pair> Worker<P> {
    /// The worker of one of so many threads; each begins elsewhere in the circle of keys.
    pub fn new(workload: Workload, drawn: &Drawn<P>, thread: usize, threads: usize) -> Self {
        let percent = workload.inserts_percent();
        let mut dice = Keys::uniform(PATTERN, 100);
        Self {
            workload,
            circle: Arc::clone(&drawn.circle),
            next: drawn.circle.len() * thread / threads,
            fresh_from: (thread as u64 + 1) << FRESH_BITS,
            fresh: (thread as u64 + 1) << FRESH_BITS,
            inserts: (0..PATTERN).map(|_| dice.draw() < percent).collect(),
            turn: PATTERN * thread / threads,
        }
    }

    /// The worker that makes an engine ready for so many threads: it begins elsewhere than any of
    /// them. If it stopped where one of them begins, that one would miss what the others hit.
    pub fn filler(workload: Workload, drawn: &Drawn<P>, threads: usize) -> Self {
        Self::new(workload, drawn, threads, threads + 1)
    }

    /// The numbers of all keys that were inserted as fresh ones.
    pub fn inserted(&self) -> Range<u64> {
        self.fresh_from..self.fresh
    }

    /// Does `count` operations.
    #[inline(never)]
    pub fn run<H: Handle<P::Key, P::Value>>(&mut self, handle: &mut H, count: u64) -> Tally {
        match self.workload {
            Workload::Hit => self.hits(handle, count),
            Workload::Zipf => self.read_through(handle, count),
            Workload::Churn => self.churn(handle, count),
            Workload::Mixed90 | Workload::Mixed50 => self.mixed(handle, count),
            Workload::Hot => self.hot(handle, count),
            Workload::Latency => self.latency(handle, count),
            Workload::Flight | Workload::Bytes => Tally::default(),
        }
    }

    #[inline(always)]
    fn step(&mut self) -> usize {
        let at = self.next;
        self.next += 1;
        if self.next == self.circle.len() {
            self.next = 0;
        }
        at
    }

    /// Goes on with the next `count` items, from its place on and round again. Piece by piece, for
    /// then the loop writes nothing to memory of its own: locking waits for what was written before.
    #[inline(always)]
    fn each(&mut self, count: u64, mut operate: impl FnMut(&P::Item)) {
        let circle = Arc::clone(&self.circle);
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        while left > 0 {
            let piece = &circle[self.next..];
            let piece = &piece[..piece.len().min(left)];
            piece.iter().for_each(&mut operate);
            left -= piece.len();
            self.next = (self.next + piece.len()) % circle.len();
        }
    }

    #[inline(always)]
    fn inserts_next(&mut self) -> bool {
        self.turn += 1;
        if self.turn == PATTERN {
            self.turn = 0;
        }
        self.inserts[self.turn]
    }

    fn hits<H: Handle<P::Key, P::Value>>(&mut self, handle: &mut H, count: u64) -> Tally {
        let mut tally = Tally { lookups: count, ..Tally::default() };
        self.each(count, |item| tally.answer::<P>(item, handle.get(P::key(item)).as_ref()));
        tally
    }

    fn read_through<H: Handle<P::Key, P::Value>>(&mut self, handle: &mut H, count: u64) -> Tally {
        let mut tally = Tally { lookups: count, ..Tally::default() };
        self.each(count, |item| {
            let answer = handle.get(P::key(item));
            if answer.is_none() {
                handle.insert(P::key(item).clone(), P::value(item));
            }
            tally.answer::<P>(item, answer.as_ref());
        });
        tally
    }

    fn churn<H: Handle<P::Key, P::Value>>(&mut self, handle: &mut H, count: u64) -> Tally {
        for _ in 0..count {
            let item = P::item(self.fresh);
            self.fresh += 1;
            handle.insert(P::key(&item).clone(), P::value(&item));
        }
        Tally::default()
    }

    fn mixed<H: Handle<P::Key, P::Value>>(&mut self, handle: &mut H, count: u64) -> Tally {
        let mut tally = Tally::default();
        for _ in 0..count {
            let inserts = self.inserts_next();
            let at = self.step();
            let item = &self.circle[at];
            if inserts {
                handle.insert(P::key(item).clone(), P::value(item));
            } else {
                tally.lookups += 1;
                tally.answer::<P>(item, handle.get(P::key(item)).as_ref());
            }
        }
        tally
    }

    fn hot<H: Handle<P::Key, P::Value>>(&self, handle: &mut H, count: u64) -> Tally {
        let mut tally = Tally { lookups: count, ..Tally::default() };
        let item = &self.circle[0];
        for _ in 0..count {
            tally.answer::<P>(item, handle.get(P::key(item)).as_ref());
        }
        tally
    }

    fn latency<H: Handle<P::Key, P::Value>>(&mut self, handle: &mut H, count: u64) -> Tally {
        let mut tally = Tally::default();
        let mut latencies =
            Histogram::new_with_max(LATENCY_NS_MAX, 3).expect("bounds that a histogram takes");
        for _ in 0..count {
            let inserts = self.inserts_next();
            let at = self.step();
            let item = &self.circle[at];
            if inserts {
                handle.insert(P::key(item).clone(), P::value(item));
                continue;
            }
            let watch = Stopwatch::start();
            let answer = handle.get(P::key(item));
            let took = watch.elapsed();
            latencies.saturating_record(took.as_nanos() as u64);
            tally.lookups += 1;
            tally.answer::<P>(item, answer.as_ref());
        }
        tally.latencies = Some(latencies);
        tally
    }
}
