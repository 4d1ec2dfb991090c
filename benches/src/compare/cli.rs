//! The command line of the comparison, and the run that it asks for.

use crate::compare::cores;
use crate::compare::engine::Engine;
use crate::compare::engines;
use crate::compare::plan;
use crate::compare::plan::ALONE;
use crate::compare::plan::Extent;
use crate::compare::plan::Group;
use crate::compare::report;
use crate::compare::report::Conditions;
use crate::compare::report::Report;
use crate::compare::run::Run;
use crate::compare::run::Settings;
use crate::compare::workload::Workload;
use clap::Parser;
use std::fs;
use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Compares lru-engine with other caches: same keys, same hash function, same minutes.
///
/// The engines of a group take turns round by round, and what counts is the median over the rounds
/// of ratios within a round. Every answer is checked. A sample of two threads counts only if a
/// cache line went from core to core in at most 1.25 times the shortest time of the run. Tables go
/// to standard output, progress to standard error. A full run ends in under 20 minutes on 2 cores.
#[derive(Debug, Parser)]
#[command(name = "compare", after_help = after_help())]
pub struct Options {
    /// Only these engines, by commas.
    #[arg(long, value_delimiter = ',', value_parser = engine, value_name = "NAMES")]
    engines: Vec<&'static str>,

    /// Only these workloads, by commas.
    #[arg(long, value_delimiter = ',', value_parser = workload, value_name = "NAMES")]
    workloads: Vec<Workload>,

    /// Only groups whose name, as it stands in the tables, contains this: 'hit, u64 -> u64, 1 k,'.
    /// May be given more than once.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,

    /// Rounds of each group: 11, or 7 with --quick; 5 at least.
    #[arg(long, value_parser = clap::value_parser!(u16).range(5..))]
    rounds: Option<u16>,

    /// Only what the table at the end needs, with shorter samples.
    #[arg(long)]
    quick: bool,

    /// Write everything, sample by sample, to this file as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn after_help() -> String {
    let engines: Vec<&str> = engines::ALL.iter().map(|engine| engine.name).collect();
    let workloads = Workload::ALL.map(Workload::name);
    format!(
        "Engines: {}\n\nWorkloads: {}\n\nNotes:\n- {}",
        engines.join(", "),
        workloads.join(", "),
        plan::NOTES.join("\n- ")
    )
}

fn engine(name: &str) -> Result<&'static str, String> {
    let found = engines::ALL.iter().find(|engine| engine.name == name);
    found.map(|engine| engine.name).ok_or_else(|| "no such engine, see --help".into())
}

fn workload(name: &str) -> Result<Workload, String> {
    let found = Workload::ALL.into_iter().find(|workload| workload.name() == name);
    found.ok_or_else(|| "no such workload, see --help".into())
}

impl Options {
    fn extent(&self) -> Extent {
        if self.quick { Extent::Quick } else { Extent::Full }
    }

    fn settings(&self) -> Settings {
        let (rounds, sample_ms, ready_s, minutes) = match self.extent() {
            Extent::Full => (11, 30, 20, 15),
            Extent::Quick => (7, 20, 10, 6),
        };
        Settings {
            rounds: self.rounds.map_or(rounds, usize::from),
            sample: Duration::from_millis(sample_ms),
            ready_within: Duration::from_secs(ready_s),
            within: Duration::from_secs(60 * minutes),
        }
    }

    /// Groups with their engines; first those in which engines take turns, then those of the one
    /// that would disturb them.
    fn work(&self) -> Vec<(Group, Vec<Engine>)> {
        let is_asked =
            |engine: &&Engine| self.engines.is_empty() || self.engines.contains(&engine.name);
        let asked: Vec<Engine> = engines::ALL.iter().filter(is_asked).copied().collect();
        let groups: Vec<Group> = plan::groups(self.extent())
            .into_iter()
            .filter(|group| self.workloads.is_empty() || self.workloads.contains(&group.workload))
            .filter(|group| {
                let name = group.to_string();
                self.only.is_empty() || self.only.iter().any(|text| name.contains(text))
            })
            .collect();
        let with = |is_alone: bool| {
            let asked = &asked;
            groups.iter().filter_map(move |group| {
                let fits = |engine: &&Engine| {
                    (engine.name == ALONE) == is_alone
                        && plan::reason_against(engine, group).is_none()
                };
                let engines: Vec<Engine> = asked.iter().filter(fits).copied().collect();
                (!engines.is_empty()).then_some((*group, engines))
            })
        };
        with(false).chain(with(true)).collect()
    }

    /// Measures, and tells what was measured.
    ///
    /// # Errors
    /// If the output or the file can't be written.
    ///
    /// # Panics
    /// If an engine gives a wrong answer.
    pub fn run(&self, mut out: impl Write, mut progress: impl Write) -> io::Result<()> {
        let settings = self.settings();
        let conditions = Conditions {
            began: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            cores: cores::count(),
            load_before: load(),
            rounds: settings.rounds,
            sample_ms: settings.sample.as_millis(),
        };
        write!(out, "{}", report::conditions(&conditions))?;
        for note in plan::NOTES {
            writeln!(out, "note: {note}")?;
        }
        let work = self.work();
        let mut run = Run::new(settings);
        for (done, (group, engines)) in work.iter().enumerate() {
            let (nth, all, seconds) = (done + 1, work.len(), run.elapsed().as_secs());
            writeln!(
                progress,
                "{nth}/{all} after {seconds} s: {group}, {} engines",
                engines.len()
            )?;
            let first = run.results().cells.len();
            run.group(group, engines, all - done);
            let results = run.results();
            write!(out, "{}", report::group(results, &results.cells[first..]))?;
            out.flush()?;
        }
        let (rows, table) = report::rows(run.results());
        write!(out, "{table}")?;
        if let Some(file) = &self.json {
            let report = Report { conditions: &conditions, results: run.results(), rows: &rows };
            fs::write(file, serde_json::to_vec_pretty(&report)?)?;
            writeln!(progress, "written to {}", file.display())?;
        }
        Ok(())
    }
}

/// What ran on the cores on average in the last minute, if the system tells.
fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}
