//! What each subcommand does, from its settings to its outcome.

mod dead_letters;

use crate::app;
use crate::app::App;
use crate::app::Event;
use crate::app::StartError;
use crate::cli;
use crate::cli::Command;
use crate::cli::LogFormat;
use crate::cli::Migrate;
use crate::cli::PositionsAction;
use crate::cli::Produce;
use crate::cli::Serve;
use crate::clock::Clock;
use crate::embedded::Embedded;
use crate::generate::damage::Damage;
use crate::health;
use crate::health::HealthError;
use crate::produce;
use crate::settings::Settings;
use crate::settings::shown::Shown;
use crate::store::Connect as _;
use crate::store::StoreError;
use crate::store::database::Chain;
use crate::store::positions::Position;
use crate::store::positions::Positions;
use crate::store::postgres::Postgres;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use crate::topic::TopicError;
use secrecy::ExposeSecret as _;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Handle;
use signal_hook::iterator::Signals;
use std::fmt::Display;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// The steps of the migrating libraries, which say nothing that `orderd` doesn't: they speak of
/// going to apply migrations when there is none to apply. A filter that names them wins.
const LIBRARIES: &str = "refinery_core=warn,postgres=warn";

/// The group of a topic that is only written.
const NO_GROUP: &str = "orderd-produce";

/// How long `orderd produce` waits for its threads at its end.
const PRODUCE_STOP_WAIT_MAX: Duration = Duration::from_secs(4);

/// Why a command failed. Each one is a sentence for whoever typed it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The daemon didn't start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A server says that a setting is wrong.
    #[error("{0}")]
    Fatal(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The topic.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// A daemon that was asked.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// Some dead letters are as they were; each one's reason is among the results.
    #[error("{left} of {asked} dead letters are as they were")]
    DeadLetters {
        /// How many are as they were.
        left: u64,
        /// How many were to be settled.
        asked: u64,
    },
    /// There is no such dead letter.
    #[error("there is no dead letter {0}")]
    NoDeadLetter(i64),
    /// Producing.
    #[error(transparent)]
    Produce(#[from] produce::ProduceError),
    /// The results can't be printed.
    #[error("standard output takes nothing")]
    Output(#[source] std::io::Error),
    /// The process's own outside: signals and threads.
    #[error("the system refuses what the process needs")]
    System(#[source] std::io::Error),
}

/// Runs a command to its end.
///
/// # Errors
/// Any [`RunError`].
pub fn run(settings: Settings) -> Result<(), RunError> {
    let Settings { cli, shown } = settings;
    start_log(&cli.log, cli.log_format);
    match cli.command {
        Command::Serve(settings) if settings.print_config => print_config(&shown),
        Command::Serve(settings) => serve(&settings),
        Command::CheckConfig(settings) => check_config(&settings, &shown),
        Command::Health { url } => say(health::ready(&url)?),
        Command::Completions { shell } => completions(shell),
        Command::Produce(settings) => produce(&settings),
        Command::Migrate(settings) => migrate(&settings),
        Command::Positions(settings) => positions(&settings),
        Command::DeadLetters(settings) => dead_letters::run(&settings),
    }
}

/// Prints why a command failed, on standard error, with what lies beneath it.
pub fn tell(error: &RunError) {
    // There is nobody left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "orderd: {}", Chain(error));
}

/// The log goes to standard error; standard output is for results.
fn start_log(filter: &str, format: LogFormat) {
    let filter = EnvFilter::new(format!("{LIBRARIES},{filter}"));
    // Colours are for a terminal; in a file or a journal they are noise.
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    let log = log.with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

fn serve(settings: &Serve) -> Result<(), RunError> {
    let app = App::start(settings, &Clock::system())?;
    let events = app.events();
    let signals = Watching::start(move || {
        // A full channel means that the daemon is ending already.
        let _ = events.try_send(Event::Signal);
    })?;
    say(format_args!("listening on http://{}", app.address()))?;
    let event = app.wait();
    let late = app.stop();
    signals.end();
    if !late.is_empty() {
        tracing::warn!(threads = ?late, "left behind in calls that don't end");
    }
    match event {
        Event::Signal => Ok(()),
        Event::Fatal(sentence) => Err(RunError::Fatal(sentence)),
    }
}

fn print_config(shown: &[Shown]) -> Result<(), RunError> {
    shown.iter().try_for_each(say)
}

fn check_config(settings: &Serve, shown: &[Shown]) -> Result<(), RunError> {
    app::check(settings)?;
    if settings.print_config {
        return print_config(shown);
    }
    say("the settings are right")
}

fn completions(shell: cli::Shell) -> Result<(), RunError> {
    let mut out = std::io::stdout().lock();
    out.write_all(&cli::completions(shell)).and_then(|()| out.flush()).map_err(RunError::Output)
}

fn migrate(settings: &Migrate) -> Result<(), RunError> {
    let applied = Postgres::new(settings.database_url.expose_secret())?.migrate()?;
    if applied.is_empty() {
        say("the schema is up to date")?;
    }
    for name in applied {
        say(format_args!("applied {name}"))?;
    }
    Ok(())
}

fn positions(settings: &cli::Positions) -> Result<(), RunError> {
    let kept: Box<dyn Positions> = match &settings.store.database_url {
        Some(url) => Box::new(Postgres::new(url.expose_secret())?),
        None => Box::new(Embedded::open_existing(&settings.store.data_dir)?),
    };
    match &settings.action {
        PositionsAction::List => {
            for Position { group, topic, partition, next_offset } in kept.positions()? {
                say(format_args!("{group}\t{topic}\t{partition}\t{next_offset}"))?;
            }
        }
        PositionsAction::Set { kafka_group, kafka_topic, partition, offset } => {
            let former = kept.set_position(&Position {
                group: kafka_group.clone(),
                topic: kafka_topic.clone(),
                partition: *partition,
                next_offset: *offset,
            })?;
            match former {
                Some(former) => say(format_args!("moved from {former} to {offset}"))?,
                None => say(format_args!("set to {offset}; there was none"))?,
            }
        }
    }
    Ok(())
}

fn produce(settings: &Produce) -> Result<(), RunError> {
    if settings.list_damage {
        for damage in Damage::ALL {
            let (name, code) = (damage.name(), damage.code().as_str());
            say(format_args!("{name}\t{code}\t{}", damage.description()))?;
        }
        return Ok(());
    }
    let stop = StopToken::new();
    let on_stop = stop.clone();
    let signals = Watching::start(move || on_stop.stop())?;
    let clock = Clock::system();
    let crew = Crew::new(stop.clone());
    let target = match &settings.url {
        Some(url) => {
            let token = settings.token.as_ref().map(|token| token.expose_secret().to_owned());
            produce::Target::Url { base: url.clone(), token }
        }
        None => {
            let topic = app::kafka_topic(&crew, &clock, &settings.kafka, NO_GROUP, None)?;
            produce::Target::Topic(Arc::new(topic))
        }
    };
    let options = produce::Options {
        interval: Some(settings.interval),
        rate: settings.rate,
        count: settings.count,
        seed: settings.seed.unwrap_or(0),
        bad_share: settings.bad,
        template: settings.template.into(),
        watched: match std::io::stderr().is_terminal() {
            true => produce::Watched::Terminal,
            false => produce::Watched::Log,
        },
    };
    // Not locked for the whole run: the process may need it when it ends early.
    let result = produce::run(&options, target, &mut std::io::stdout(), &clock, &stop);
    let _ = crew.stop_and_join(PRODUCE_STOP_WAIT_MAX);
    signals.end();
    result?;
    Ok(())
}

/// Prints a line of the results.
fn say(line: impl Display) -> Result<(), RunError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(RunError::Output)
}

/// The thread that waits for SIGINT and SIGTERM.
struct Watching {
    handle: Handle,
    thread: JoinHandle<()>,
}

impl Watching {
    /// Calls `first` at the first signal; the second ends the process at once.
    #[expect(clippy::disallowed_methods, reason = "it outlives every crew, for the second signal")]
    fn start(first: impl FnOnce() + Send + 'static) -> Result<Self, RunError> {
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(RunError::System)?;
        let handle = signals.handle();
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut first = Some(first);
            for signal in signals.forever() {
                match first.take() {
                    Some(first) => first(),
                    None => {
                        // The default action of both signals is to end the process.
                        let _ = signal_hook::low_level::emulate_default_handler(signal);
                    }
                }
            }
        });
        Ok(Self { handle, thread: thread.map_err(RunError::System)? })
    }

    /// Ends the thread and joins it.
    fn end(self) {
        self.handle.close();
        // It only panics if `first` does, which has no way to.
        let _ = self.thread.join();
    }
}
