//! A flight: one load of one key, which any number of threads wait for.
//!
//! It lands once. Who leads it makes a clone of the value for each that has joined, with nothing
//! locked; so no user code runs in here, and values need not be shared by threads to be waited
//! for, only sent. The error has lost its type, because one flight serves calls that differ in it.
//!
//! Invariant: joining ends before the landing, so there is a clone for each. It must never run
//! user code while it is locked: it moves what it is given, and counts references.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::sync::AtomicUsize;
use crate::sync::Bell;
use crate::sync::Lock;

/// An error of a load, whose type those who wait have to find out.
pub(crate) type AnyError = Arc<dyn Any + Send + Sync>;

/// How a flight ends.
#[derive(Debug)]
pub(crate) enum Landing<V> {
    /// With a value for each that has joined.
    Values(Vec<V>),
    Failed(AnyError),
    /// The load panicked.
    Panicked,
    /// The load was dropped before its end.
    Abandoned,
}

/// What one that has joined gets.
#[derive(Debug)]
pub(crate) enum Arrival<V> {
    Value(V),
    Failed(AnyError),
    Panicked,
    Abandoned,
    /// The time to wait is over.
    TimedOut,
}

/// Where a load runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leader {
    /// On the thread of this number, inside the call that started it.
    Thread(usize),
    /// Wherever its [`Load`](crate::Load) is taken to.
    Detached,
}

/// What leads a load that is detached, until it lands.
const NO_THREAD: usize = 0;

/// One load in progress.
#[derive(Debug)]
pub(crate) struct Flight<V> {
    /// The number of the thread that leads, which only the thread itself recognises.
    leader: AtomicUsize,
    joined: AtomicUsize,
    landing: Lock<Option<Landing<V>>>,
    landed: Bell,
}

impl<V> Flight<V> {
    pub(crate) fn new(leader: Leader) -> Arc<Self> {
        let leader = match leader {
            Leader::Thread(number) => number,
            Leader::Detached => NO_THREAD,
        };
        Arc::new(Self {
            leader: AtomicUsize::new(leader),
            joined: AtomicUsize::new(0),
            landing: Lock::new(None),
            landed: Bell::new(),
        })
    }

    pub(crate) fn leader(&self) -> Leader {
        match self.leader.load(Ordering::Relaxed) {
            NO_THREAD => Leader::Detached,
            number => Leader::Thread(number),
        }
    }

    /// The thread of this number leads from now on: it is about to land, and runs user code for
    /// that, which would wait for itself if it asked for the key.
    pub(crate) fn lead_from(&self, thread_number: usize) {
        self.leader.store(thread_number, Ordering::Relaxed);
    }

    /// Adds one that waits. Called under the lock of the shard that announces the flight, or by
    /// who leads it.
    pub(crate) fn join(self: &Arc<Self>) -> Joined<V> {
        // The shard's lock orders this before the leader's look, which comes after the withdrawal.
        self.joined.fetch_add(1, Ordering::Relaxed);
        Joined { flight: Arc::clone(self) }
    }

    /// How many have joined. Final once the shard announces the flight no more.
    pub(crate) fn joined(&self) -> usize {
        self.joined.load(Ordering::Relaxed)
    }

    /// Ends the flight.
    pub(crate) fn land(&self, landing: Landing<V>) {
        let former = self.landing.lock().replace(landing);
        debug_assert!(former.is_none(), "a flight lands once");
        self.landed.ring();
    }
}

/// One that waits for a flight.
#[derive(Debug)]
pub(crate) struct Joined<V> {
    flight: Arc<Flight<V>>,
}

impl<V> Joined<V> {
    /// Where the load runs that is waited for.
    pub(crate) fn leader(&self) -> Leader {
        self.flight.leader()
    }

    /// Waits for the end, at most `wait_max` if there is one.
    pub(crate) fn wait(self, wait_max: Option<Duration>) -> Arrival<V> {
        let Flight { landing, landed, .. } = &*self.flight;
        let mut landing = landed.wait_while(landing.lock(), wait_max, Option::is_none);
        match &mut *landing {
            Some(Landing::Values(values)) => {
                let value = values.pop();
                Arrival::Value(value.expect("there is a value for each that has joined"))
            }
            Some(Landing::Failed(error)) => Arrival::Failed(AnyError::clone(error)),
            Some(Landing::Panicked) => Arrival::Panicked,
            Some(Landing::Abandoned) => Arrival::Abandoned,
            None => Arrival::TimedOut,
        }
    }
}
