//! Rounds in which all engines of a group take turns, within a budget of time.
//!
//! A sample of two threads counts only if the cores were near each other; a group goes on, up to
//! three times its rounds, until every engine has enough samples that count.

use crate::compare::alloc;
use crate::compare::clock::Stopwatch;
use crate::compare::contest::Contestant;
use crate::compare::engine::Engine;
use crate::compare::pair::Drawn;
use crate::compare::pair::Numbers;
use crate::compare::pair::Texts;
use crate::compare::plan;
use crate::compare::plan::Group;
use crate::compare::plan::Types;
use crate::compare::results::Cell;
use crate::compare::results::Outcome;
use crate::compare::results::Results;
use crate::compare::workload::Workload;
use std::time::Duration;

/// How a run is made.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many rounds.
    pub rounds: usize,
    /// How long a sample shall take.
    pub sample: Duration,
    /// How long an engine may take to be made ready.
    pub ready_within: Duration,
    /// How long all of it may take.
    pub within: Duration,
}

/// How many times its rounds a group goes on at most.
const ROUNDS_TIMES_MAX: usize = 3;

/// A flight is one operation, so there are more rounds of it.
const FLIGHT_ROUNDS_TIMES: usize = 5;

/// Operations of the first sample, which tells how many there are to be.
const FIRST_COUNT: u64 = 1 << 10;

/// Operations of a sample at most.
const COUNT_MAX: u64 = 1 << 25;

/// Why the last groups of a run on a busy machine may be missing.
const NO_TIME: &str = "no time left";

/// A group may take as many times its even share of the time that is left.
const SHARES: u32 = 3;

enum Keys {
    Numbers(Drawn<Numbers>),
    Texts(Drawn<Texts>),
}

struct Runner {
    cell: Cell,
    contestant: Box<dyn Contestant>,
    count: u64,
}

/// A run in progress.
#[derive(Debug)]
pub struct Run {
    settings: Settings,
    watch: Stopwatch,
    results: Results,
}

impl Run {
    /// Starts one.
    pub fn new(settings: Settings) -> Self {
        Self { settings, watch: Stopwatch::start(), results: Results::default() }
    }

    /// How long it has been going on.
    pub fn elapsed(&self) -> Duration {
        self.watch.elapsed()
    }

    /// What it has measured.
    pub fn results(&self) -> &Results {
        &self.results
    }

    /// Measures a group, with as many groups left as `left`, itself included.
    pub fn group(&mut self, group: &Group, engines: &[Engine], left: usize) {
        if group.workload == Workload::Bytes {
            let cells = engines.iter().map(|engine| bytes(engine, group));
            self.results.cells.extend(cells);
        } else {
            self.rounds(group, engines, left);
        }
    }

    fn rounds(&mut self, group: &Group, engines: &[Engine], left: usize) {
        let rest = self.settings.within.saturating_sub(self.watch.elapsed());
        let share = rest / u32::try_from(left.max(1)).unwrap_or(u32::MAX) * SHARES;
        let (watch, limit) = (Stopwatch::start(), share.min(rest));
        if limit.is_zero() {
            let out = engines.iter().map(|engine| Cell::out(group, engine, NO_TIME));
            self.results.cells.extend(out);
            return;
        }
        let keys = match group.types {
            Types::Numbers => Keys::Numbers(plan::drawn::<Numbers>(group)),
            Types::Texts => Keys::Texts(plan::drawn::<Texts>(group)),
        };
        let mut runners = Vec::new();
        for engine in engines {
            if watch.elapsed() > limit {
                self.results.cells.push(Cell::out(group, engine, NO_TIME));
                continue;
            }
            match self.ready(engine, group, &keys) {
                Ok(runner) => runners.push(runner),
                Err(reason) => self.results.cells.push(Cell::out(group, engine, reason)),
            }
        }
        let times = if group.workload == Workload::Flight { FLIGHT_ROUNDS_TIMES } else { 1 };
        let rounds = times * self.settings.rounds;
        let mut round = 0;
        while watch.elapsed() < limit && !self.is_enough(&runners, rounds, round) {
            for turn in 0..runners.len() {
                let at = (turn + round) % runners.len();
                let runner = &mut runners[at];
                let sample = runner.contestant.sample(runner.count);
                self.results.saw_hop(sample.hop_ns);
                runner.cell.add(sample, runner.contestant.entries());
            }
            round += 1;
        }
        for mut runner in runners {
            if runner.contestant.entries().is_none() {
                runner.cell.saw_len(Some(runner.contestant.count()));
            }
            self.results.cells.push(runner.cell);
        }
    }

    fn is_enough(&self, runners: &[Runner], rounds: usize, round: usize) -> bool {
        let clean = |runner: &Runner| self.results.clean(&runner.cell).count() >= rounds;
        let all_clean = round >= rounds && runners.iter().all(clean);
        all_clean || round >= rounds * ROUNDS_TIMES_MAX || runners.is_empty()
    }

    fn ready(
        &mut self,
        engine: &Engine,
        group: &Group,
        keys: &Keys,
    ) -> Result<Runner, &'static str> {
        let setting = plan::setting(engine, group, self.settings.ready_within);
        let mut contestant = match keys {
            Keys::Numbers(drawn) => (engine.numbers)(&setting, drawn.clone()),
            Keys::Texts(drawn) => (engine.texts)(&setting, drawn.clone()),
        };
        if !contestant.make_ready() {
            return Err("takes too long to fill");
        }
        if group.workload == Workload::Flight && contestant.sample(1).hits == 0 {
            return Err("has no such call");
        }
        let mut cell = Cell::new(group, engine, setting.capacity);
        cell.saw_len(contestant.entries());
        let mut count = FIRST_COUNT;
        for _ in 0..2 {
            if group.workload == Workload::Flight {
                break;
            }
            let sample = contestant.sample(count);
            self.results.saw_hop(sample.hop_ns);
            let each_ns = sample.ns.max(0.1) * group.threads as f64;
            let fitting = self.settings.sample.as_secs_f64() * 1e9 / each_ns;
            count = (fitting as u64).clamp(FIRST_COUNT / 16, COUNT_MAX);
        }
        Ok(Runner { cell, contestant, count })
    }
}

/// What a full engine takes, less what its keys and values take.
fn bytes(engine: &Engine, group: &Group) -> Cell {
    let setting = plan::setting(engine, group, Duration::MAX);
    let drawn = plan::drawn::<Numbers>(group);
    let (mut contestant, held) = alloc::held_by(|| {
        let mut contestant = (engine.numbers)(&setting, drawn);
        contestant.make_ready();
        contestant
    });
    let len = contestant.entries().unwrap_or_else(|| contestant.count());
    let mut cell = Cell::new(group, engine, setting.capacity);
    cell.saw_len(Some(len));
    let payload = 2 * size_of::<u64>();
    cell.outcome = Outcome::Bytes(held as f64 / len.max(1) as f64 - payload as f64);
    cell
}
