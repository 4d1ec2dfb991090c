//! The results as tables of text, and as JSON.

use crate::compare::engine::Hashes;
use crate::compare::results::CLEAN_MIN;
use crate::compare::results::Cell;
use crate::compare::results::Outcome;
use crate::compare::results::Results;
use crate::compare::rows;
use crate::compare::rows::Row;
use crate::compare::rows::Verdict;
use crate::compare::threads::Sample;
use crate::compare::workload::Workload;
use serde::Serialize;
use std::fmt::Write;

/// Stands for a figure of which too few samples count.
const NOT_MEASURED: &str = "not measured";

/// All that a run tells, as it is written to a file.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// When, where and how.
    pub conditions: &'a Conditions,
    /// All that was measured.
    pub results: &'a Results,
    /// What is to be reached.
    pub rows: &'a [Row],
}

/// When, where and how a run was made.
#[derive(Debug, Serialize)]
pub struct Conditions {
    /// When it began.
    pub began: String,
    /// How many cores there are.
    pub cores: usize,
    /// What ran on them on average in the last minute, if the system tells.
    pub load_before: Option<f64>,
    /// How many rounds were asked for.
    pub rounds: usize,
    /// How long a sample was to take.
    pub sample_ms: u128,
}

/// The table of one group.
pub fn group(results: &Results, cells: &[Cell]) -> String {
    let Some(first) = cells.first() else {
        return String::new();
    };
    let workload = first.group.workload;
    let mut text = format!("\n{}\n", first.group);
    let _ = write!(text, "  {:<20}", "engine");
    let _ = write!(text, "{:>14} {:>19} {:>8}", unit(workload), "middle half", "clean");
    if workload == Workload::Latency {
        let _ = write!(text, "{:>26}", "p50 / p99 / p99.9 ns");
    }
    let found = if workload == Workload::Flight { "most loads" } else { "hits" };
    let _ = writeln!(text, "{found:>11} {:>19}  policy", "peak len / capacity");
    let mut out = Vec::new();
    for cell in cells {
        match cell.outcome {
            Outcome::LeftOut(reason) => out.push(format!("{} ({reason})", cell.engine)),
            _ => line(&mut text, results, cell),
        }
    }
    if !out.is_empty() {
        let _ = writeln!(text, "  left out: {}", out.join(", "));
    }
    text
}

fn unit(workload: Workload) -> &'static str {
    match workload {
        Workload::Flight => "us a flight",
        Workload::Bytes => "B beyond k, v",
        _ => "ns",
    }
}

fn line(text: &mut String, results: &Results, cell: &Cell) {
    let workload = cell.group.workload;
    let scale = if workload == Workload::Flight { 1_000.0 } else { 1.0 };
    let (figure, spread) = match (&cell.outcome, results.quartiles(cell, |sample| sample.ns)) {
        (Outcome::Bytes(bytes), _) => (format!("{bytes:.1}"), String::new()),
        (_, Some(quartiles)) => {
            let [low, half, high] = quartiles.map(|ns| format!("{:.1}", ns / scale));
            (half, format!("{low} - {high}"))
        }
        (_, None) => (NOT_MEASURED.into(), String::new()),
    };
    let clean = match cell.outcome {
        Outcome::Samples(ref all) => format!("{}/{}", results.clean(cell).count(), all.len()),
        _ => String::new(),
    };
    let _ = write!(text, "  {:<20}{figure:>14} {spread:>19} {clean:>8}", cell.engine);
    if workload == Workload::Latency {
        let _ = write!(text, "{:>26}", tails(results, cell));
    }
    let hits = match cell.hits_percent() {
        Some(percent) if workload != Workload::Flight => share(percent),
        _ => loads(cell),
    };
    let len = cell.len_peak.map_or("-".into(), |len| len.to_string());
    let len = format!("{len} / {}", cell.capacity);
    let _ = write!(text, "{hits:>11} {len:>19}  {}", cell.policy);
    match cell.hashes {
        Hashes::Ours => text.push('\n'),
        Hashes::Its(name) => {
            let _ = writeln!(text, "; hashes by {name}");
        }
    }
}

/// 100 % only if it is exactly that.
fn share(percent: f64) -> String {
    if percent == 100.0 { "100 %".into() } else { format!("{:.2} %", percent.min(99.99)) }
}

fn loads(cell: &Cell) -> String {
    let most = cell.samples().iter().filter_map(|sample| sample.loads).max();
    most.map_or_else(String::new, |most| format!("{most}"))
}

fn tails(results: &Results, cell: &Cell) -> String {
    let tail = |at: usize| {
        let of = |sample: &Sample| sample.tails_ns.map_or(0.0, |tails| tails[at] as f64);
        results.quartiles(cell, of).map(|[_, half, _]| format!("{half:.0}"))
    };
    match [0, 1, 2].map(tail) {
        [Some(p50), Some(p99), Some(p999)] => format!("{p50} / {p99} / {p999}"),
        _ => NOT_MEASURED.into(),
    }
}

/// The table of what is to be reached, and how many rows are.
pub fn rows(results: &Results) -> (Vec<Row>, String) {
    let rows = rows::table(results);
    let mut text = String::from("\nratios within this run, lower is better\n");
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let _ = writeln!(
        text,
        "  {:<width$} {:>7} {:>8} {:>8}  verdict",
        "row", "ours", "at most", "stretch"
    );
    for row in &rows {
        let figure = row.figure.map_or("-".into(), |figure| format!("{figure:.2}"));
        let _ = writeln!(
            text,
            "  {:<width$} {figure:>7} {:>8.2} {:>8.2}  {}",
            row.name,
            row.at_most,
            row.stretch,
            row.verdict.name()
        );
    }
    let count =
        |verdicts: &[Verdict]| rows.iter().filter(|row| verdicts.contains(&row.verdict)).count();
    let _ = writeln!(
        text,
        "{} of {} rows met, {} not met, {} not measured (fewer than {CLEAN_MIN} clean rounds)",
        count(&[Verdict::Met, Verdict::StretchMet]),
        rows.len(),
        count(&[Verdict::NotMet]),
        count(&[Verdict::NotMeasured]),
    );
    (rows, text)
}

/// The first lines: under which conditions all of it was measured.
pub fn conditions(conditions: &Conditions) -> String {
    let load = conditions.load_before.map_or("unknown".into(), |load| format!("{load:.2}"));
    format!(
        "{}, {} cores, load before {load}; medians of {} interleaved rounds of {} ms\n\
         ns: time from the first start to the last end, by all operations of all threads\n\
         clean: rounds with cores near each other, of all; hits and len are those of all rounds\n",
        conditions.began, conditions.cores, conditions.rounds, conditions.sample_ms,
    )
}
