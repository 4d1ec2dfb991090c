//! What is behind `orderd produce`: makes orders at a pace and sends them until it is told to stop.
//!
//! The id of an order is printed once the target has acknowledged it, and never before, so that
//! what was printed can be held against what the daemon serves.
//!
//! What isn't acknowledged is sent again, within a deadline; saving is idempotent, so that a
//! message which had arrived after all does no harm.

mod pace;
mod progress;
mod target;

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::generate::Generator;
use crate::generate::Produced;
use crate::generate::Template;
use crate::produce::pace::Due;
use crate::produce::pace::Pace;
use crate::produce::progress::Progress;
use crate::produce::target::Failure;
use crate::produce::target::Way;
use crate::supervise::StopToken;
use crate::topic::Record;
use crate::topic::appender::AppendError;
use crate::topic::appender::Appender;
use std::io;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

pub use progress::Watched;
pub use target::Target;

/// How long a target may be away before the producer gives up.
const AWAY_MAX: Duration = Duration::from_secs(60);

/// How many orders the demo begins with: enough for a page that shows something.
const DEMO_BEGINNING: usize = 20;

/// How long the demo waits for the topic to take its orders.
const DEMO_APPEND_MAX: Duration = Duration::from_secs(10);

/// What is produced, and how fast.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The pause between two orders.
    pub interval: Option<Duration>,
    /// Orders a second, which counts more than the interval; 0, like neither of them, is as fast
    /// as the target takes them.
    pub rate: Option<f64>,
    /// How many messages; without an end if `None`.
    pub count: Option<u64>,
    /// The seed of the orders; 0 draws one, and the log says which.
    pub seed: u64,
    /// The share of messages that are damaged on purpose, 0 to 1.
    pub bad_share: f64,
    /// What the orders are made from.
    pub template: Template,
    /// Who watches.
    pub watched: Watched,
}

/// What has been produced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Orders that the target has, and whose ids were printed.
    pub orders: u64,
    /// Damaged messages that the target has taken, as a topic does.
    pub damaged: u64,
    /// Damaged messages that the target has refused, as a daemon does.
    pub refused: u64,
}

/// Why producing has ended before its time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// A setting is wrong, and waiting won't mend it. The sentence names the thing and the setting.
    #[error("{0}")]
    Configuration(String),
    /// The target will never take an order that nothing is wrong with.
    #[error("the order {uid} was refused: {detail}")]
    Refused {
        /// Which order.
        uid: String,
        /// What the target has against it.
        detail: String,
    },
    /// The target was away for too long.
    #[error("gave up after {} s: {detail}", AWAY_MAX.as_secs())]
    Outage {
        /// What was tried and what came back.
        detail: String,
    },
    /// The ids can't be printed.
    #[error("the ids of the orders can't be printed")]
    Output(#[source] io::Error),
}

/// Produces what `options` ask for into `target`, and prints the id of every acknowledged order to
/// `out`, one a line.
///
/// Ends when everything is produced, when `stop` is given, or when nobody reads `out` any more.
///
/// # Errors
/// Any [`ProduceError`].
pub fn run(
    options: &Options,
    target: Target,
    out: &mut impl Write,
    clock: &Clock,
    stop: &StopToken,
) -> Result<Summary, ProduceError> {
    let seed = if options.seed == 0 { rand::random() } else { options.seed };
    tracing::info!(seed, ?target, "producing orders");
    let way = Way::to(target)?;
    let progress = Progress::start(options.watched, options.count, clock.now());
    let mut run = Run { way, out, clock, stop, progress, summary: Summary::default() };
    let result = run.all(options, Generator::new(seed, options.template, options.bad_share));
    run.progress.end(&run.summary, clock.now());
    match result {
        Ok(()) | Err(End::Nobody) => Ok(run.summary),
        Err(End::Error(error)) => Err(error),
    }
}

/// Why a run ends early.
enum End {
    /// Nobody reads the ids any more, or the word to stop was given.
    Nobody,
    Error(ProduceError),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Nobody,
            _ => Self::Error(ProduceError::Output(error)),
        }
    }
}

struct Run<'a, W> {
    way: Way,
    out: &'a mut W,
    clock: &'a Clock,
    stop: &'a StopToken,
    progress: Progress,
    summary: Summary,
}

impl<W: Write> Run<'_, W> {
    fn all(&mut self, options: &Options, mut generator: Generator) -> Result<(), End> {
        let mut pace = Pace::new(options, self.clock.now());
        let mut left = options.count.unwrap_or(u64::MAX);
        while left > 0 && !self.stop.is_stopped() {
            match pace.due(self.clock.now()) {
                Due::Wait(pause) => {
                    self.stop.wait(pause);
                }
                Due::Send(due) => {
                    let count = usize::try_from(left).map_or(due, |left| left.min(due));
                    let batch = (0..count).map(|_| generator.produce(self.clock.wall())).collect();
                    self.batch(batch)?;
                    pace.sent(count);
                    left -= count as u64;
                }
            }
        }
        Ok(())
    }

    /// Sends the messages until the target has every one of them or has refused it.
    fn batch(&mut self, mut batch: Vec<Produced>) -> Result<(), End> {
        let mut backoff = Backoff::default();
        let mut away_since = None;
        while !batch.is_empty() {
            if self.stop.is_stopped() {
                return Err(End::Nobody);
            }
            let offered = self.clock.now();
            match self.way.offer(&batch) {
                Ok(taken) => {
                    away_since = None;
                    backoff.reset();
                    self.acknowledge(batch.drain(..taken))?;
                    self.answered(taken, offered);
                }
                Err(Failure::Refused { index, detail }) => {
                    self.refuse(&batch.remove(index), detail)?;
                    self.answered(1, offered);
                }
                Err(Failure::Away(detail)) => {
                    let since: Instant = *away_since.get_or_insert(self.clock.now());
                    if self.clock.now().saturating_duration_since(since) >= AWAY_MAX {
                        return Err(End::Error(ProduceError::Outage { detail }));
                    }
                    tracing::warn!(detail, "the orders were not taken; trying again");
                    self.stop.wait(backoff.next_pause());
                }
                Err(Failure::Fatal(error)) => return Err(End::Error(error)),
            }
        }
        Ok(())
    }

    fn answered(&mut self, count: usize, offered: Instant) {
        let now = self.clock.now();
        let took = now.saturating_duration_since(offered);
        self.progress.answered(count, took, &self.summary, now);
    }

    fn acknowledge(&mut self, taken: impl Iterator<Item = Produced>) -> Result<(), End> {
        let Self { progress, summary, out, .. } = self;
        progress.above(|| {
            for message in taken {
                match (message.damage, message.uid) {
                    (None, Some(uid)) => {
                        summary.orders += 1;
                        writeln!(out, "{uid}")?;
                    }
                    _ => summary.damaged += 1,
                }
            }
            Ok(out.flush()?)
        })
    }

    fn refuse(&mut self, message: &Produced, detail: String) -> Result<(), End> {
        if let (None, Some(uid)) = (message.damage, &message.uid) {
            let uid = uid.to_string();
            return Err(End::Error(ProduceError::Refused { uid, detail }));
        }
        self.summary.refused += 1;
        Ok(())
    }
}

/// That many made-up orders, from a seed that is drawn.
pub fn random(count: usize, clock: &Clock) -> Vec<Record> {
    let generator = Generator::new(rand::random(), Template::Random, 0.0);
    generator.starting_at(clock.wall()).take(count).map(|produced| produced.record).collect()
}

/// Appends made-up orders until `stop` is given: a first few at once, then one every
/// `interval`. A topic that is away is waited for.
pub fn demo(appender: &Appender, interval: Duration, clock: &Clock, stop: &StopToken) {
    let seed = rand::random();
    tracing::info!(seed, interval_ms = interval.as_millis(), "the demo produces orders");
    let mut generator = Generator::new(seed, Template::Random, 0.0);
    let mut count = DEMO_BEGINNING;
    while !stop.is_stopped() {
        let records = (0..count).map(|_| generator.produce(clock.wall()).record).collect();
        append(appender, records, stop);
        count = 1;
        stop.wait(interval);
    }
}

/// Appends the records, again and again until the topic has or refuses them.
fn append(appender: &Appender, records: Vec<Record>, stop: &StopToken) {
    let mut backoff = Backoff::default();
    while !stop.is_stopped() {
        match appender.append(records.clone(), DEMO_APPEND_MAX) {
            Ok(()) => return,
            Err(error @ AppendError::Rejected(_)) => {
                tracing::error!(%error, "orders of the demo are left out");
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "orders of the demo were not taken; trying again");
                stop.wait(backoff.next_pause());
            }
        }
    }
}
