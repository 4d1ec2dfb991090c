//! Two sides that take turns, A B A B, and how many times as long one takes as the other.
//!
//! On a shared machine the same code takes twice as long from one minute to the next, and each side
//! would meet another minute. Within one round both meet the same one: so the ratio is taken within
//! each round, and the median over the rounds.

use std::fmt;
use std::time::Duration;
use std::time::Instant;

/// One side: what it does, so many times a round. `T` is what both sides work on.
#[derive(Clone, Copy, Debug)]
pub struct Side<T> {
    /// What is done, as the subject of a sentence.
    pub name: &'static str,
    /// How often in each round.
    pub times: u64,
    /// Does it so many times.
    pub run: fn(&mut T, u64),
}

/// What the rounds have measured.
#[derive(Clone, Debug)]
pub struct Rounds {
    names: [&'static str; 2],
    /// Nanoseconds for one operation of each side, one pair a round.
    pairs: Vec<[f64; 2]>,
}

/// How long `work` takes.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this crate is for")]
pub fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Has both sides take turns for `count` rounds, after one round that isn't counted.
///
/// # Panics
/// If `count` is 0.
pub fn interleaved<T>(count: usize, on: &mut T, sides: [Side<T>; 2]) -> Rounds {
    assert!(count > 0, "a median needs at least one round");
    let round = |on: &mut T| {
        sides.each_ref().map(|side| {
            let took = timed(|| (side.run)(on, side.times));
            took.as_secs_f64() * 1e9 / side.times as f64
        })
    };
    round(on);
    let pairs = (0..count).map(|_| round(on)).collect();
    Rounds { names: sides.map(|side| side.name), pairs }
}

impl Rounds {
    /// The median time of one operation of each side, in nanoseconds.
    pub fn ns(&self) -> [f64; 2] {
        [0, 1].map(|side| median(self.pairs.iter().map(|pair| pair[side]).collect()))
    }

    /// The median over the rounds of how many times as long the second side takes as the first.
    pub fn ratio(&self) -> f64 {
        median(self.ratios())
    }

    fn ratios(&self) -> Vec<f64> {
        self.pairs.iter().map(|pair| pair[1] / pair[0]).collect()
    }
}

/// The middle one; of an even number, the upper of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.ns().map(|ns| format!("{} us", three_digits(ns / 1000.0)));
        let ratios = self.ratios();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        write!(
            f,
            "{} takes {first}, {} {second}: {} times as long (median of {} interleaved rounds, \
             {} to {})",
            self.names[0],
            self.names[1],
            three_digits(self.ratio()),
            self.pairs.len(),
            three_digits(least),
            three_digits(most),
        )
    }
}

/// A number above 0 to three digits or to the whole unit, whichever is more.
fn three_digits(value: f64) -> String {
    let before_point = value.log10().floor() as i32 + 1;
    let after_point = usize::try_from(3 - before_point).unwrap_or(0);
    format!("{value:.after_point$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// House rule: A and B interleaved.
    #[test]
    fn the_sides_take_turns() {
        let side = |run| Side { name: "a side", times: 2, run };
        let mut log = Vec::new();
        let first: fn(&mut Vec<char>, u64) = |log, _| log.push('a');
        let second: fn(&mut Vec<char>, u64) = |log, _| log.push('b');
        let rounds = interleaved(2, &mut log, [side(first), side(second)]);
        assert_eq!(log, ['a', 'b', 'a', 'b', 'a', 'b']);
        assert_eq!(rounds.pairs.len(), 2);
    }

    /// The line that the benchmark ends with: medians, and the median of the ratios of each round,
    /// which isn't the ratio of the medians.
    #[test]
    fn the_medians_are_told_in_one_line() {
        let pairs = vec![[200.0, 30_000.0], [100.0, 40_000.0], [210.0, 31_500.0]];
        let rounds = Rounds { names: ["a cache hit", "a read"], pairs };
        assert_eq!(
            rounds.to_string(),
            "a cache hit takes 0.200 us, a read 31.5 us: 150 times as long (median of 3 \
             interleaved rounds, 150 to 400)"
        );
    }
}
