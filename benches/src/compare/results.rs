//! What was measured, and what counts of it.

use crate::compare::engine::Engine;
use crate::compare::engine::Hashes;
use crate::compare::plan::Group;
use crate::compare::plan::Types;
use crate::compare::threads::Sample;
use crate::compare::workload::Workload;
use crate::rounds::median;
use serde::Serialize;

/// A sample counts if a cache line took at most as many times the shortest hop of the run.
const HOP_TIMES_MAX: f64 = 1.25;

/// With fewer samples that count there is no figure.
pub const CLEAN_MIN: usize = 5;

/// What came out of one engine in one group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// One sample a round.
    Samples(Vec<Sample>),
    /// Bytes for each entry, beyond its key and value.
    Bytes(f64),
    /// Nothing, and why.
    LeftOut(&'static str),
}

/// One engine in one group.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// Which group.
    #[serde(skip)]
    pub group: Group,
    /// The same in words.
    group_name: String,
    /// Which engine.
    pub engine: &'static str,
    /// What leaves first when it is full.
    pub policy: &'static str,
    /// Whose hash function it uses.
    pub hashes: Hashes,
    /// What it was told to hold.
    pub capacity: usize,
    /// The most entries that it was seen to hold.
    pub len_peak: Option<usize>,
    /// What was measured.
    pub outcome: Outcome,
}

impl Cell {
    /// One without samples yet.
    pub fn new(group: &Group, engine: &Engine, capacity: usize) -> Self {
        Self {
            group: *group,
            group_name: group.to_string(),
            engine: engine.name,
            policy: engine.policy.name(),
            hashes: engine.hashes,
            capacity,
            len_peak: None,
            outcome: Outcome::Samples(Vec::new()),
        }
    }

    /// One that isn't measured.
    pub fn out(group: &Group, engine: &Engine, reason: &'static str) -> Self {
        Self { outcome: Outcome::LeftOut(reason), ..Self::new(group, engine, 0) }
    }

    /// Adds the sample of a round.
    ///
    /// # Panics
    /// If an answer was wrong: then there is nothing to compare.
    pub fn add(&mut self, sample: Sample, len: Option<usize>) {
        assert_eq!(sample.wrong, 0, "{} gave another key's value", self.engine);
        self.saw_len(len);
        if let Outcome::Samples(samples) = &mut self.outcome {
            samples.push(sample);
        }
    }

    /// Remembers the most entries.
    pub fn saw_len(&mut self, len: Option<usize>) {
        self.len_peak = self.len_peak.max(len);
    }

    /// All samples.
    pub fn samples(&self) -> &[Sample] {
        match &self.outcome {
            Outcome::Samples(samples) => samples,
            _ => &[],
        }
    }

    /// The share of lookups that were hits, in percent, if there were lookups.
    pub fn hits_percent(&self) -> Option<f64> {
        let sum = |of: fn(&Sample) -> u64| self.samples().iter().map(of).sum::<u64>();
        let lookups = sum(|sample| sample.lookups);
        (lookups > 0).then(|| 100.0 * sum(|sample| sample.hits) as f64 / lookups as f64)
    }
}

/// What a ratio is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Measure {
    /// Nanoseconds for an operation.
    Time,
    /// Nanoseconds that all but one of a thousand lookups keep below.
    P999,
}

impl Measure {
    fn of(self, sample: &Sample) -> Option<f64> {
        match self {
            Self::Time => Some(sample.ns),
            Self::P999 => sample.tails_ns.map(|[_, _, p999]| p999 as f64),
        }
    }
}

/// Which group of numbers a figure is from.
pub type Place = (Workload, usize, usize);

/// All that a run has measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Results {
    /// The cells, in the order in which they were done.
    pub cells: Vec<Cell>,
    /// The shortest way of a cache line from core to core in the whole run.
    pub hop_ns_min: Option<f64>,
}

impl Results {
    /// Takes note of how near the cores were.
    pub fn saw_hop(&mut self, hop_ns: Option<f64>) {
        self.hop_ns_min = match (self.hop_ns_min, hop_ns) {
            (Some(least), Some(hop)) => Some(least.min(hop)),
            (least, hop) => least.or(hop),
        };
    }

    /// Whether the cores were near each other during a sample, or didn't matter.
    pub fn is_clean(&self, sample: &Sample) -> bool {
        match (sample.hop_ns, self.hop_ns_min) {
            (Some(hop), Some(least)) => hop <= HOP_TIMES_MAX * least,
            _ => true,
        }
    }

    /// The samples of a cell that count.
    pub fn clean<'a>(&'a self, cell: &'a Cell) -> impl Iterator<Item = &'a Sample> {
        cell.samples().iter().filter(|sample| self.is_clean(sample))
    }

    /// A quarter, the half and three quarters of the samples that count lie at or below these.
    pub fn quartiles(&self, cell: &Cell, of: impl Fn(&Sample) -> f64) -> Option<[f64; 3]> {
        let mut values: Vec<f64> = self.clean(cell).map(of).collect();
        values.sort_by(f64::total_cmp);
        let at = |quarters: usize| values[values.len() * quarters / 4];
        (values.len() >= CLEAN_MIN).then(|| [at(1), at(2), at(3)])
    }

    /// The cell of an engine with numbers.
    pub fn cell(&self, engine: &str, (workload, size, threads): Place) -> Option<&Cell> {
        let group = Group { workload, types: Types::Numbers, size, threads };
        self.cells.iter().find(|cell| cell.engine == engine && cell.group == group)
    }

    /// How many times as much one engine takes as another: the median over the rounds in which
    /// both samples count. None if there are too few of them.
    pub fn ratio(&self, ours: &str, peer: &str, place: Place, measure: Measure) -> Option<f64> {
        let (ours, peer) = (self.cell(ours, place)?, self.cell(peer, place)?);
        let rounds = ours.samples().iter().zip(peer.samples());
        let clean = rounds.filter(|(a, b)| self.is_clean(a) && self.is_clean(b));
        let ratios: Option<Vec<f64>> =
            clean.map(|(a, b)| Some(measure.of(a)? / measure.of(b)?)).collect();
        ratios.filter(|ratios| ratios.len() >= CLEAN_MIN).map(median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::engines;

    const PLACE: Place = (Workload::Hit, 1_000, 2);

    fn cell(engine: &Engine, samples: &[(f64, f64)]) -> Cell {
        let (workload, size, threads) = PLACE;
        let group = Group { workload, types: Types::Numbers, size, threads };
        let mut cell = Cell::new(&group, engine, size);
        for (ns, hop) in samples {
            let sample = Sample { ns: *ns, hop_ns: Some(*hop), ..Sample::default() };
            cell.add(sample, Some(size));
        }
        cell
    }

    fn results(first: &[(f64, f64)], second: &[(f64, f64)]) -> Results {
        let [a, b] = [0, 1].map(|at| &engines::ALL[at]);
        let mut results =
            Results { cells: vec![cell(a, first), cell(b, second)], hop_ns_min: None };
        for (_, hop) in first.iter().chain(second) {
            results.saw_hop(Some(*hop));
        }
        results
    }

    /// Issue: discarded above 1.25 times the minimum; the ratio is that of rounds that both count.
    #[test]
    fn far_cores_do_not_count() {
        let far = (1.0, 25.1);
        let first = [(2.0, 20.0), far, (2.0, 25.0), (2.0, 20.0), (4.0, 20.0), (2.0, 20.0), far];
        let second = [(4.0, 20.0); 7];
        let results = results(&first, &second);
        let [a, b] = [0, 1].map(|at| engines::ALL[at].name);
        assert_eq!(results.ratio(a, b, PLACE, Measure::Time), Some(0.5));
        assert_eq!(results.quartiles(&results.cells[0], |s| s.ns), Some([2.0, 2.0, 2.0]));
    }

    /// Issue: fewer than 5 clean rounds print 'not measured'.
    #[test]
    fn too_few_rounds_give_no_figure() {
        let first = [(2.0, 20.0), (2.0, 20.0), (2.0, 20.0), (2.0, 20.0), (2.0, 26.0)];
        let results = results(&first, &[(4.0, 20.0); 5]);
        let [a, b] = [0, 1].map(|at| engines::ALL[at].name);
        assert_eq!(results.ratio(a, b, PLACE, Measure::Time), None);
        assert_eq!(results.quartiles(&results.cells[0], |s| s.ns), None);
        assert_eq!(results.quartiles(&results.cells[1], |s| s.ns), Some([4.0; 3]));
    }
}
