//! The database threads: a bounded set of threads, each with one connection, that read for
//! everybody.
//!
//! Their number is the number of connections that the daemon uses for reading, and thus a setting
//! that an operator can reason about; there is no pool and no lock around a connection. Readers
//! that somebody waits for (misses, pages) go before background reads (warm-up), so that a start
//! never makes a user wait for a thousand rows.
//!
//! Invariants:
//! * Both queues are bounded; a full one is an answer, not a wait.
//! * Reads are idempotent, so one that finds its connection broken is tried once more on another.
//! * While the store is away one thread at a time tries to connect, after pauses that grow up to
//!   [`RECONNECT_PAUSE_MAX`]; all others answer at once. So an outage doesn't turn into a storm of
//!   connects, and few readers wait to hear of it.
//! * A job that is dropped unanswered drops its reply; whoever waits learns it from that.

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::order::OrderUid;
use crate::store::Connect;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::StoredOrder;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::TrySendError;
use crossbeam_channel::bounded;
use crossbeam_channel::select_biased;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// How many reads of each kind may wait. At 55 k point reads a second (2 cores, 2026-11-20) a full
/// queue is a few milliseconds of work, so a longer one would only hold readers past their
/// deadline.
const QUEUE_MAX: usize = 256;

/// The longest pause before another try to connect. Readers wait for what is away, so it is shorter
/// than elsewhere.
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How often an idle thread looks at its stop token.
const IDLE_WAIT: Duration = Duration::from_millis(100);

/// Why something can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store is away.
    #[error("the store can't be reached")]
    Outage,
    /// Too many readers wait for the store already.
    #[error("too many readers wait for the store")]
    Overloaded,
    /// The store didn't answer in time.
    #[error("the store took too long")]
    TooSlow,
    /// The store answered with something that is no order.
    #[error("the store holds something that is no order")]
    Corrupt,
}

impl ReadError {
    /// The stable name, for metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Overloaded => "overloaded",
            Self::TooSlow => "too_slow",
            Self::Corrupt => "corrupt",
        }
    }
}

/// Who waits for a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A user.
    Foreground,
    /// Nobody in particular.
    Background,
}

type Job = Box<dyn FnOnce(&mut Link) + Send>;

/// The way to the database threads, from any thread.
#[derive(Clone)]
pub struct Database {
    foreground: Sender<Job>,
    background: Sender<Job>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("foreground", &self.foreground.len())
            .field("background", &self.background.len())
            .finish()
    }
}

impl Database {
    /// Starts `threads` database threads, at least one, as members of `crew`.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(
        crew: &Crew,
        connect: &Arc<dyn Connect>,
        clock: &Clock,
        threads: usize,
    ) -> std::io::Result<Self> {
        let (foreground, urgent) = bounded::<Job>(QUEUE_MAX);
        let (background, relaxed) = bounded::<Job>(QUEUE_MAX);
        let door = Arc::new(Door::new(Arc::clone(connect), clock.clone()));
        for number in 1..=threads.max(1) {
            let mut link = Link { door: Arc::clone(&door), store: None };
            let (urgent, relaxed) = (urgent.clone(), relaxed.clone());
            crew.spawn_restarting(format!("database-{number}"), move |stop| {
                work(&urgent, &relaxed, &mut link, stop);
            })?;
        }
        Ok(Self { foreground, background, metrics: Arc::default(), clock: clock.clone() })
    }

    /// The same threads, whose reads are timed and whose failures are counted in `metrics`.
    #[must_use]
    pub fn observed(self, metrics: &Arc<Metrics>) -> Self {
        Self { metrics: Arc::clone(metrics), ..self }
    }

    /// How many reads wait for a thread: those of users, and those in the background.
    pub fn queued(&self) -> (usize, usize) {
        (self.foreground.len(), self.background.len())
    }

    /// Has a database thread run `query` and hand its result to `reply`. Never waits.
    ///
    /// `query` may run twice. `reply` runs on the database thread and must not wait.
    ///
    /// # Errors
    /// `Overloaded` when the queue is full, `Outage` when the threads have ended; `reply` is
    /// dropped then.
    pub fn read<T: 'static>(
        &self,
        urgency: Urgency,
        query: impl Fn(&mut dyn Store) -> Result<T, StoreError> + Send + 'static,
        reply: impl FnOnce(Result<T, ReadError>) + Send + 'static,
    ) -> Result<(), ReadError> {
        let (queue, name) = match urgency {
            Urgency::Foreground => (&self.foreground, "foreground"),
            Urgency::Background => (&self.background, "background"),
        };
        let (metrics, clock) = (Arc::clone(&self.metrics), self.clock.clone());
        let job: Job = Box::new(move |link| {
            let started = clock.now();
            let result = link.read(&query);
            metrics.store_read(name, clock.now() - started);
            if let Err(error) = &result {
                metrics.store_failed(error.name());
            }
            reply(result);
        });
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => ReadError::Overloaded,
            TrySendError::Disconnected(_) => ReadError::Outage,
        })
    }

    /// As [`Database::read`] in the background, and waits for the result until `stop`.
    ///
    /// # Errors
    /// Any [`ReadError`]; `Outage` when stopped.
    pub fn read_in_background<T: Send + 'static>(
        &self,
        stop: &StopToken,
        query: impl Fn(&mut dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (reply, answer) = bounded(1);
        self.read(Urgency::Background, query, move |result| {
            // A waiter that was stopped has dropped its end.
            let _ = reply.send(result);
        })?;
        loop {
            match answer.recv_timeout(IDLE_WAIT) {
                Ok(result) => return result,
                Err(crossbeam_channel::RecvTimeoutError::Timeout) if !stop.is_stopped() => {}
                Err(_) => return Err(ReadError::Outage),
            }
        }
    }

    /// The orders with these ids that exist, read in the background.
    ///
    /// # Errors
    /// As [`Database::read_in_background`].
    pub fn load_in_background(
        &self,
        stop: &StopToken,
        uids: Vec<OrderUid>,
    ) -> Result<Vec<StoredOrder>, ReadError> {
        self.read_in_background(stop, move |store| store.load(&uids))
    }
}

fn work(urgent: &Receiver<Job>, relaxed: &Receiver<Job>, link: &mut Link, stop: &StopToken) {
    while !stop.is_stopped() {
        select_biased! {
            recv(urgent) -> job => match job { Ok(job) => job(link), Err(_) => return },
            recv(relaxed) -> job => match job { Ok(job) => job(link), Err(_) => return },
            default(IDLE_WAIT) => {}
        }
    }
}

/// The one way to new connections, shared by all threads.
struct Door {
    connect: Arc<dyn Connect>,
    clock: Clock,
    state: Mutex<Away>,
}

/// What is known of the store by trying to connect.
struct Away {
    /// No connect before this; `None` while the store is there.
    retry_at: Option<Instant>,
    backoff: Backoff,
    /// A thread is trying already.
    is_tried: bool,
}

/// The right to try to connect while the store is away. Given back however the try ends.
struct Try<'a>(&'a Door);

impl Drop for Try<'_> {
    fn drop(&mut self) {
        self.0.state().is_tried = false;
    }
}

impl Door {
    fn new(connect: Arc<dyn Connect>, clock: Clock) -> Self {
        let backoff = Backoff::up_to(RECONNECT_PAUSE_MAX);
        let state = Mutex::new(Away { retry_at: None, backoff, is_tried: false });
        Self { connect, clock, state }
    }

    fn state(&self) -> MutexGuard<'_, Away> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<Box<dyn Store>, ReadError> {
        let _try = self.admit()?;
        match self.connect.connect() {
            Ok(store) => {
                let mut state = self.state();
                state.retry_at = None;
                state.backoff.reset();
                Ok(store)
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "a database thread can't connect");
                let now = self.clock.now();
                let mut state = self.state();
                state.retry_at = Some(now + state.backoff.next_pause());
                Err(ReadError::Outage)
            }
        }
    }

    /// Whether this thread may try, and alone if the store is away.
    fn admit(&self) -> Result<Option<Try<'_>>, ReadError> {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(retry_at) = state.retry_at else { return Ok(None) };
        if state.is_tried || now < retry_at {
            return Err(ReadError::Outage);
        }
        state.is_tried = true;
        Ok(Some(Try(self)))
    }
}

/// One thread's connection, made when it is first needed and again after it broke.
struct Link {
    door: Arc<Door>,
    store: Option<Box<dyn Store>>,
}

impl Link {
    fn read<T>(
        &mut self,
        query: &impl Fn(&mut dyn Store) -> Result<T, StoreError>,
    ) -> Result<T, ReadError> {
        // A connection that was open before may have broken since; one that was opened for this
        // read has no such excuse.
        let tries = if self.store.is_some() { 2 } else { 1 };
        for _ in 0..tries {
            let mut store = match self.store.take() {
                Some(store) => store,
                None => self.door.open()?,
            };
            match query(&mut *store) {
                Ok(answer) => {
                    self.store = Some(store);
                    return Ok(answer);
                }
                Err(StoreError::TooSlow { .. }) => {
                    self.store = Some(store);
                    return Err(ReadError::TooSlow);
                }
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(%error, "an order can't be read");
                    self.store = Some(store);
                    return Err(ReadError::Corrupt);
                }
                // The broken connection is dropped here.
                Err(error) => tracing::warn!(error = %Chain(&error), "a read failed"),
            }
        }
        Err(ReadError::Outage)
    }
}

/// An error with all its sources, for the log.
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
