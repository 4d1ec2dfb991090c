//! The daemon, put together: the one place that knows every concrete part.
//!
//! Start: settings are checked, the listener is bound, the data folder is opened; each of these can
//! only fail for a reason that the operator has to mend, so it ends the start with one sentence.
//! Then everything that may have to wait for a server starts on threads of its own, and HTTP serves
//! from the first moment: cached orders, health, and 503 for what isn't there yet.
//!
//! The watch over the store runs the migrations at its first contact. Then ingest begins, and
//! warm-up as soon as the listener, if the store has one, hears what other instances replace. A
//! store that answers that a *setting* is wrong (a password, a database's name) ends the daemon by
//! an [`Event::Fatal`]; one that doesn't answer is waited for.
//!
//! Stop, in this order: `/readyz` turns 503, intake stops with the batch in hand saved, requests
//! are drained, what still waits for a server is cut, the hot set is saved, threads are
//! joined; all of it within the deadline of the settings. What hangs in a library's call even then
//! is named and left behind; the store's positions say where it was.

mod outside;
mod topics;
mod watch;

use crate::app::outside::Outside;
pub use crate::app::topics::kafka_topic;
use crate::app::watch::Watch;
use crate::catalog::Capacity;
use crate::catalog::Catalog;
use crate::cli;
use crate::clock::Clock;
use crate::dead_letters::Feed;
use crate::hotset::HotSet;
use crate::http;
use crate::ingest::Ingest;
use crate::invalidation::Invalidation;
use crate::metrics::Metrics;
use crate::order::validate::Profile;
use crate::produce;
use crate::readings;
use crate::series::Series;
use crate::store::StoreError;
use crate::store::database::Database;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use crate::supervise::descriptors;
use crate::supervise::readiness::Part;
use crate::supervise::readiness::Readiness;
use crate::systemd;
use crate::topic::TopicError;
use crate::topic::appender::Appender;
use crate::warmup;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use secrecy::ExposeSecret as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How much of the deadline intake has alone to save the batch in hand, how much requests have
/// after that, and when everything has to be over. Between the last two what still waits is cut.
const SHARE_OF_INTAKE: f64 = 0.4;
const SHARE_OF_REQUESTS: f64 = 0.4;
const SHARE_OF_ALL: f64 = 0.95;

/// How long a request waits for the store.
const READ_WAIT_MAX: Duration = Duration::from_secs(3);

/// How many descriptors the daemon needs beside its clients' and its database threads': the
/// embedded file, the connections to brokers, the runtime's own, and some to spare.
const DESCRIPTORS_OWN: u64 = 64;

/// Why the daemon doesn't start. Each one is a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store's settings.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The topic's settings.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The listener.
    #[error(transparent)]
    Http(#[from] http::HttpError),
    /// The system has no thread left.
    #[error("the system gives the daemon no more threads")]
    Threads(#[from] std::io::Error),
}

/// What happens to a running daemon that its owner must act on.
#[derive(Debug)]
pub enum Event {
    /// SIGINT or SIGTERM.
    Signal,
    /// A setting is wrong, as a server said; the sentence names it.
    Fatal(String),
}

/// A running daemon.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    catalog: Arc<Catalog>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    crew: Arc<Crew>,
    intake: Arc<Crew>,
    /// Ends when no request changes the cache any more.
    last: Crew,
    /// Ends the calls to servers that are still waiting.
    cut: StopToken,
    clock: Clock,
    stop_wait_max: Duration,
    events: Receiver<Event>,
    notify: Sender<Event>,
}

impl App {
    /// Starts a daemon with these settings.
    ///
    /// # Errors
    /// Any [`StartError`]. Threads that were started before it end with the process.
    pub fn start(settings: &cli::Serve, clock: &Clock) -> Result<Self, StartError> {
        // Intake stops before the rest, so that the batch in hand is saved while HTTP still
        // answers.
        let intake = Arc::new(Crew::new(StopToken::new()));
        let crew = Arc::new(Crew::new(StopToken::new()));
        let cut = StopToken::new();
        let outside = Outside::open(&intake, &crew, &cut, clock, settings)?;
        let listener = http::bind(settings.listen)?;
        let address = listener.local_addr()?;
        let (readiness, metrics) = (Arc::new(Readiness::new()), Arc::new(Metrics::new()));
        readings::readiness(&metrics, &readiness, clock);
        let threads = usize::from(settings.database_threads);
        let database = Database::start(&crew, &outside.connect, clock, threads)?.observed(&metrics);
        let capacity =
            Capacity { entries: settings.cache_capacity, bytes: Some(settings.cache_bytes) };
        let catalog = match &outside.listen {
            None => Catalog::new(capacity, database, clock.clone()),
            Some(_) => {
                readiness.missing(Part::Coherence, "not reached yet");
                Catalog::shared(capacity, database, clock.clone())
            }
        };
        readings::catalog(&metrics, &catalog);
        readings::coherence(&metrics, &catalog);
        let appender = Appender::start(&crew, Arc::clone(&outside.sinks))?;
        let service = Arc::new(http::Service::new(http::Parts {
            catalog: Arc::clone(&catalog),
            appender: appender.clone(),
            readiness: Arc::clone(&readiness),
            writes: writes(settings),
            random: (settings.random || settings.demo).then(|| random(clock)),
            profile: Profile::from(settings.validation),
            clock: clock.clone(),
            public_hosts: settings.public_hosts.clone(),
            cors_origins: settings.cors_origins.clone(),
            read_wait_max: READ_WAIT_MAX,
            series: Series::start(&crew, &catalog, &metrics, clock)?,
            metrics: Arc::clone(&metrics),
        }));
        let limits = limits(settings, descriptors::raise());
        match settings.http_server {
            cli::HttpServer::Axum => {
                let drain_max = settings.shutdown_deadline.mul_f64(SHARE_OF_REQUESTS);
                http::serve_axum(&crew, listener, service, limits, drain_max)?;
            }
            cli::HttpServer::TinyHttp => http::serve_tiny(&crew, listener, service, limits)?,
        }
        if settings.demo {
            let interval = settings.demo_interval;
            let clock = clock.clone();
            intake.spawn("demo", move |stop| produce::demo(&appender, interval, &clock, stop))?;
        }
        systemd::start(&crew, &readiness, clock)?;
        let (notify, events) = bounded(4);
        let (stop_wait_max, clock_of_stop) = (settings.shutdown_deadline, clock.clone());
        let app = Self {
            address,
            catalog,
            readiness,
            metrics,
            crew,
            intake,
            last: Crew::new(StopToken::new()),
            cut,
            clock: clock_of_stop,
            stop_wait_max,
            events,
            notify,
        };
        app.start_intake(settings, outside, clock)?;
        Ok(app)
    }

    /// Starts the watch over the store, which starts ingest and warm-up when it has reached it.
    fn start_intake(
        &self,
        settings: &cli::Serve,
        outside: Outside,
        clock: &Clock,
    ) -> Result<(), StartError> {
        let ingest = Ingest {
            connect: Arc::clone(&outside.connect),
            sources: outside.sources,
            catalog: Arc::clone(&self.catalog),
            readiness: Arc::clone(&self.readiness),
            metrics: Arc::clone(&self.metrics),
            clock: clock.clone(),
            group: settings.kafka_group.clone(),
            topic: settings.kafka.kafka_topic.clone(),
            profile: settings.validation.into(),
        };
        let hot = HotSet::new(outside.hot_set_file);
        hot.start(&self.last, &self.catalog)?;
        let (orders, threads) = (settings.warm_orders, settings.warm_threads);
        let after = After {
            crew: Arc::clone(&self.crew),
            intake: Arc::clone(&self.intake),
            catalog: Arc::clone(&self.catalog),
            invalidation: outside.listen.map(|listen| Invalidation {
                listen,
                catalog: Arc::clone(&self.catalog),
                readiness: Arc::clone(&self.readiness),
                clock: clock.clone(),
            }),
            ingest,
            warm: warmup::Options { orders, threads, hot },
            letters: outside.letters,
        };
        let watch = Watch {
            connect: outside.connect,
            readiness: Arc::clone(&self.readiness),
            notify: self.notify.clone(),
            clock: clock.clone(),
        };
        let mut pending = Some(after);
        self.intake.spawn_restarting("store-watch", move |stop| {
            if !watch.first_contact(stop) {
                return;
            }
            // Not again after a panic of the watch: these are threads of their own.
            if pending.take().is_some_and(|after| after.start().is_err()) {
                watch.fatal("the system gives the daemon no more threads".to_owned());
            }
            watch.keep(stop);
        })?;
        Ok(())
    }

    /// The address that HTTP listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The catalog.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// What the daemon lacks.
    pub fn readiness(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    /// Waits for the next event.
    pub fn wait(&self) -> Event {
        self.events.recv().expect("the daemon holds a sender itself")
    }

    /// Where signals are sent to.
    pub fn events(&self) -> Sender<Event> {
        self.notify.clone()
    }

    /// Stops the daemon, within the deadline of its settings. Returns the names of the threads that
    /// had to be left behind.
    pub fn stop(self) -> Vec<String> {
        let started_at = self.clock.now();
        let until = |share| {
            let end = started_at + self.stop_wait_max.mul_f64(share);
            end.saturating_duration_since(self.clock.now())
        };
        self.readiness.missing(Part::Running, "the daemon is stopping");
        systemd::stopping();
        let _ = self.intake.stop_and_join(until(SHARE_OF_INTAKE));
        let _ = self.crew.stop_and_join(until(SHARE_OF_INTAKE + SHARE_OF_REQUESTS));
        self.cut.stop();
        let mut late = self.last.stop_and_join(until(SHARE_OF_ALL));
        late.extend(self.intake.stop_and_join(until(SHARE_OF_ALL)));
        late.extend(self.crew.stop_and_join(until(SHARE_OF_ALL)));
        late
    }
}

/// Whether a daemon could start with these settings, as far as no file and no server has to be
/// asked.
///
/// # Errors
/// The [`StartError`] that the start would end with.
pub fn check(settings: &cli::Serve) -> Result<(), StartError> {
    outside::postgres(settings)?;
    Ok(())
}

/// Random orders, each request's from a seed of its own.
fn random(clock: &Clock) -> http::Random {
    let clock = clock.clone();
    http::Random::new(move |count| produce::random(count, &clock))
}

fn writes(settings: &cli::Serve) -> http::Writes {
    match &settings.write_token {
        _ if settings.demo => http::Writes::Demo,
        Some(token) => http::Writes::Token(http::Token::new(token.expose_secret())),
        None => http::Writes::Off,
    }
}

/// What clients may cost: connections at most as many as there are `descriptors` for, beside those
/// that the daemon needs itself.
fn limits(settings: &cli::Serve, descriptors: Option<u64>) -> http::Limits {
    let asked = &settings.http_limits;
    let own = DESCRIPTORS_OWN + u64::from(settings.database_threads);
    let left = descriptors.map_or(u64::MAX, |all| all.saturating_sub(own).max(all / 2));
    let connections_max = u64::from(asked.http_connections_max).min(left);
    if connections_max < u64::from(asked.http_connections_max) {
        tracing::warn!(
            connections_max,
            "--http-connections-max (ORDERD_HTTP_CONNECTIONS_MAX) is lowered to what the limit of \
             descriptors leaves"
        );
    }
    http::Limits {
        connections_max: usize::try_from(connections_max).unwrap_or(usize::MAX),
        requests_max: usize::from(asked.http_requests_max),
        head_wait_max: asked.http_head_wait_max,
        body_wait_max: asked.http_body_wait_max,
        idle_wait_max: asked.http_idle_wait_max,
        write_wait_max: asked.http_write_wait_max,
    }
}

/// What begins when the store is reached for the first time.
struct After {
    crew: Arc<Crew>,
    intake: Arc<Crew>,
    catalog: Arc<Catalog>,
    invalidation: Option<Invalidation>,
    ingest: Ingest,
    warm: warmup::Options,
    letters: Option<Feed>,
}

impl After {
    fn start(self) -> std::io::Result<()> {
        let Self { crew, intake, catalog, invalidation, ingest, warm, letters } = self;
        match invalidation {
            None => warmup::start(&intake, &catalog, warm)?,
            Some(invalidation) => {
                let intake = Arc::clone(&intake);
                // What is warmed before the listener has begun would be forgotten when it begins.
                let mut warm = Some(warm);
                let mut warm_once = move || {
                    let Some(warm) = warm.take() else { return };
                    if let Err(error) = warmup::start(&intake, &catalog, warm) {
                        tracing::error!(%error, "warm-up found no thread to begin with");
                    }
                };
                crew.spawn_restarting("invalidation-listener", move |stop| {
                    invalidation.run(stop, &mut warm_once);
                })?;
            }
        }
        intake.spawn_restarting("ingest", move |stop| ingest.run(stop))?;
        topics::start(&intake, letters)
    }
}
