//! `orderd dead-letters`, from its settings to its lines.

use crate::cli::DeadLetters;
use crate::cli::DeadLettersAction;
use crate::cli::Which;
use crate::clock::Clock;
use crate::dead_letters;
use crate::dead_letters::Envelope;
use crate::dead_letters::Filter;
use crate::dead_letters::Force;
use crate::dead_letters::Letter;
use crate::dead_letters::Letters;
use crate::dead_letters::Refusal;
use crate::dead_letters::State;
use crate::dead_letters::Verdict;
use crate::embedded::Embedded;
use crate::order::validate::Profile;
use crate::order::validate::Violation;
use crate::run::RunError;
use crate::run::say;
use crate::store::Connect;
use crate::store::postgres::Postgres;
use bytes::Bytes;
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::io::Write as _;

/// How many ids are asked for at a time.
const PAGE: usize = 500;

/// Stands for a field that has no value.
const NONE: &str = "-";

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Fields separated by tabs.
    Plain,
    /// One JSON object a line.
    Json,
}

/// Does what `settings` say.
pub(super) fn run(settings: &DeadLetters) -> Result<(), RunError> {
    let connect: Box<dyn Connect> = match &settings.store.database_url {
        Some(url) => Box::new(Postgres::new(url.expose_secret())?),
        None => Box::new(Embedded::open_existing(&settings.store.data_dir)?),
    };
    let mut store = connect.connect()?;
    let letters = store.letters();
    let format = if settings.json { Format::Json } else { Format::Plain };
    match &settings.action {
        DeadLettersAction::List { code, reason, state, limit, before } => {
            let (code, reason) = (code.clone(), reason.clone());
            let filter = Filter { state: (*state).into(), code, reason };
            list(letters, &filter, *before, *limit, format)
        }
        DeadLettersAction::Show { id, raw } => {
            let (letter, payload) = letters.find(*id)?.ok_or(RunError::NoDeadLetter(*id))?;
            if *raw {
                return write_raw(&payload);
            }
            show(&letter, &payload, format)
        }
        DeadLettersAction::Replay { which, force, validation } => {
            let force = if *force { Force::Yes } else { Force::No };
            let mut report = Report::new(format);
            for_each(letters, which, |letters, id| {
                let now = Clock::system().wall();
                let profile = Profile::from(*validation);
                let verdict = dead_letters::replay(letters, id, profile, now, force)?;
                report.replayed(id, &verdict)
            })?;
            report.end()
        }
        DeadLettersAction::Drop { which } => {
            let mut report = Report::new(format);
            for_each(letters, which, |letters, id| {
                let dropped = letters.discard(&[id])?.contains(&id);
                let state = letters.find(id)?.map(|(letter, _)| letter.state);
                report.dropped(id, dropped, state)
            })?;
            report.end()
        }
    }
}

/// Does `settle` to each letter that is meant.
fn for_each(
    letters: &mut dyn Letters,
    which: &Which,
    mut settle: impl FnMut(&mut dyn Letters, i64) -> Result<(), RunError>,
) -> Result<(), RunError> {
    if !which.all {
        return which.ids.iter().try_for_each(|id| settle(letters, *id));
    }
    let (code, reason) = (which.code.clone(), which.reason.clone());
    let filter = Filter { code, reason, ..Filter::open() };
    let mut after = i64::MIN;
    loop {
        let page = letters.ids(&filter, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = *last;
        for id in page {
            settle(letters, id)?;
        }
    }
}

fn list(
    letters: &mut dyn Letters,
    filter: &Filter,
    mut before: Option<i64>,
    mut left: usize,
    format: Format,
) -> Result<(), RunError> {
    while left > 0 {
        let page = letters.list(filter, before, left.min(PAGE))?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        left -= page.len();
        for letter in &page {
            match format {
                Format::Json => say_json(&Envelope::of(letter).to_json())?,
                Format::Plain => say(line(letter))?,
            }
        }
    }
    Ok(())
}

fn line(letter: &Letter) -> String {
    let reason = letter.reason.lines().next().unwrap_or_default();
    let uid = letter.order_uid.as_ref().map_or(NONE, |uid| uid.as_str());
    let Letter { id, state, received_at, place, code, .. } = letter;
    let place = place.to_string();
    let fields = [&place, code, uid, reason].map(harmless);
    format!("{id}\t{state}\t{received_at}\t{}", fields.join("\t"))
}

fn show(letter: &Letter, payload: &[u8], format: Format) -> Result<(), RunError> {
    if format == Format::Json {
        let envelope = Envelope::of(letter).with_payload(payload).with_text(payload);
        return say_json(&envelope.to_json());
    }
    say(line(letter))?;
    for reason in letter.reason.lines() {
        say(format_args!("\t{}", harmless(reason)))?;
    }
    if let Some(place) = &letter.overtaken_by {
        say(format_args!("\tovertaken by {}", harmless(&place.to_string())))?;
    }
    say("")?;
    for line in String::from_utf8_lossy(payload).lines() {
        say(harmless(line))?;
    }
    Ok(())
}

/// Without what a terminal acts on: a message may hold anything.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn write_raw(payload: &[u8]) -> Result<(), RunError> {
    let mut out = std::io::stdout().lock();
    out.write_all(payload).and_then(|()| out.flush()).map_err(RunError::Output)
}

fn say_json(json: &Bytes) -> Result<(), RunError> {
    say(String::from_utf8_lossy(json))
}

/// Prints what became of each letter, and counts those that nothing became of.
struct Report {
    format: Format,
    asked: u64,
    left: u64,
}

impl Report {
    fn new(format: Format) -> Self {
        Self { format, asked: 0, left: 0 }
    }

    fn replayed(&mut self, id: i64, verdict: &Verdict) -> Result<(), RunError> {
        self.asked += 1;
        match verdict {
            Verdict::Landed(orders) => {
                for (uid, outcome) in orders {
                    self.settled(id, dead_letters::outcome_name(*outcome), uid.as_str())?;
                }
                Ok(())
            }
            Verdict::Already => self.settled(id, "already_replayed", NONE),
            Verdict::Refused(refusal) => self.refused(id, &refusal.to_string()),
            Verdict::StillBad(violations) => {
                let reasons: Vec<String> = violations.iter().map(Violation::to_string).collect();
                self.refused(id, &reasons.join("; "))
            }
        }
    }

    fn dropped(&mut self, id: i64, by_us: bool, state: Option<State>) -> Result<(), RunError> {
        self.asked += 1;
        match state {
            Some(State::Dropped) if by_us => self.settled(id, "dropped", NONE),
            Some(State::Dropped) => self.settled(id, "already_dropped", NONE),
            Some(state) => self.refused(id, &Refusal::Settled(state).to_string()),
            None => self.refused(id, &Refusal::Unknown.to_string()),
        }
    }

    fn settled(&self, id: i64, outcome: &str, uid: &str) -> Result<(), RunError> {
        match self.format {
            Format::Json => say(json!({ "id": id, "outcome": outcome, "order_uid": uid })),
            Format::Plain => say(format_args!("{id}\t{outcome}\t{uid}")),
        }
    }

    fn refused(&mut self, id: i64, why: &str) -> Result<(), RunError> {
        self.left += 1;
        match self.format {
            Format::Json => say(json!({ "id": id, "outcome": "refused", "why": why })),
            Format::Plain => say(format_args!("{id}\trefused\t{}", harmless(why))),
        }
    }

    fn end(self) -> Result<(), RunError> {
        let Self { asked, left, .. } = self;
        if left == 0 { Ok(()) } else { Err(RunError::DeadLetters { left, asked }) }
    }
}
