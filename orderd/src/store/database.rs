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
//! * After a failed connect a thread answers at once for `RECONNECT_PAUSE`, so that an outage
//!   doesn't turn into a storm of connects.
//! * A job that is dropped unanswered drops its reply; whoever waits learns it from that.

use crate::clock::Clock;
use crate::order::OrderUid;
use crate::store::Connect;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::StoredOrder;
use crate::supervise::Crew;
use crate::supervise::StopToken;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use crossbeam_channel::select_biased;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// How many reads of each kind may wait. At 55 k point reads a second (2 cores, 2026-11-20) a full
/// queue is a few milliseconds of work, so a longer one would only hold readers past their
/// deadline.
const QUEUE_MAX: usize = 256;

/// How long a thread doesn't try to connect after it failed.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

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
        for number in 1..=threads.max(1) {
            let mut link = Link::new(Arc::clone(connect), clock.clone());
            let (urgent, relaxed) = (urgent.clone(), relaxed.clone());
            crew.spawn_restarting(format!("database-{number}"), move |stop| {
                work(&urgent, &relaxed, &mut link, stop);
            })?;
        }
        Ok(Self { foreground, background })
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
    /// `Overloaded` when the queue is full; `reply` is dropped then.
    pub fn read<T: 'static>(
        &self,
        urgency: Urgency,
        query: impl Fn(&mut dyn Store) -> Result<T, StoreError> + Send + 'static,
        reply: impl FnOnce(Result<T, ReadError>) + Send + 'static,
    ) -> Result<(), ReadError> {
        let queue = match urgency {
            Urgency::Foreground => &self.foreground,
            Urgency::Background => &self.background,
        };
        let job: Job = Box::new(move |link| reply(link.read(&query)));
        queue.try_send(job).map_err(|_| ReadError::Overloaded)
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

/// One thread's connection, made when it is first needed and again after it broke.
struct Link {
    connect: Arc<dyn Connect>,
    clock: Clock,
    store: Option<Box<dyn Store>>,
    /// No connect before this.
    retry_at: Option<Instant>,
}

impl Link {
    fn new(connect: Arc<dyn Connect>, clock: Clock) -> Self {
        Self { connect, clock, store: None, retry_at: None }
    }

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
                None => self.open()?,
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

    fn open(&mut self) -> Result<Box<dyn Store>, ReadError> {
        if self.retry_at.is_some_and(|at| self.clock.now() < at) {
            return Err(ReadError::Outage);
        }
        self.connect.connect().map_err(|error| {
            tracing::warn!(error = %Chain(&error), "a database thread can't connect");
            self.retry_at = Some(self.clock.now() + RECONNECT_PAUSE);
            ReadError::Outage
        })
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
