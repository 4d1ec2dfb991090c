//! The daemon's threads: each one named, told when to stop, and joined.
//!
//! There is one door for threads, so that the list of what runs is complete: a thread that can't be
//! joined in time is named, left behind, and the process ends without it. That is safe because
//! progress lives in the store, and necessary because calls into client libraries can hang for
//! minutes (a silent PostgreSQL over 40 s, the Kafka client 120 s; measured 2026-11-20).
//!
//! Invariants:
//! * Every wait of a thread watches its [`StopToken`] or has a deadline.
//! * A panic ends the thread it happened in and nothing else; [`Crew::spawn_restarting`] starts it
//!   again, after a pause.

pub mod descriptors;
pub mod readiness;
mod stop;

use crossbeam_channel::Receiver;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::Duration;

pub use stop::StopToken;

/// The pause before a panicked thread is started again: long enough that a thread which panics at
/// once costs nothing, short enough that nobody waits for one which panics once a day.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// The threads of one daemon.
pub struct Crew {
    stop: StopToken,
    members: Mutex<Vec<Member>>,
}

struct Member {
    name: String,
    handle: JoinHandle<()>,
    /// Disconnected when the thread has ended, however it ended.
    ended: Receiver<()>,
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Crew {
    /// A crew without members, whose threads end when `stop` is given.
    pub fn new(stop: StopToken) -> Self {
        Self { stop, members: Mutex::new(Vec::new()) }
    }

    /// The token that all members watch.
    pub fn stop_token(&self) -> &StopToken {
        &self.stop
    }

    /// Starts a thread that runs `work` once.
    ///
    /// # Errors
    /// If the system has no thread left.
    #[expect(clippy::disallowed_methods, reason = "this is the one door for threads")]
    pub fn spawn(
        &self,
        name: impl Into<String>,
        work: impl FnOnce(&StopToken) + Send + 'static,
    ) -> std::io::Result<()> {
        let name = name.into();
        let stop = self.stop.clone();
        let (alive, ended) = crossbeam_channel::bounded::<()>(0);
        let thread_name = name.clone();
        let handle = std::thread::Builder::new().name(name.clone()).spawn(move || {
            let _alive = alive;
            if catch_unwind(AssertUnwindSafe(|| work(&stop))).is_err() {
                tracing::error!(thread = thread_name, "the thread panicked and has ended");
            }
        })?;
        let member = Member { name, handle, ended };
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread that takes the place of an ended one takes its place in the list too.
        members.retain(|other| other.name != member.name || !other.handle.is_finished());
        members.push(member);
        Ok(())
    }

    /// Starts a thread that runs `work` until it returns without panicking or the crew stops.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn spawn_restarting(
        &self,
        name: impl Into<String>,
        mut work: impl FnMut(&StopToken) + Send + 'static,
    ) -> std::io::Result<()> {
        self.spawn(name, move |stop| {
            while catch_unwind(AssertUnwindSafe(|| work(stop))).is_err() {
                tracing::error!("the thread panicked; it is started again");
                if stop.wait(RESTART_PAUSE) {
                    return;
                }
            }
        })
    }

    /// The names of all threads that were ever started, in that order; of those that had the same
    /// name only the last and those that still run.
    pub fn started(&self) -> Vec<String> {
        self.named(|_| true)
    }

    /// The names of the threads that haven't ended.
    pub fn running(&self) -> Vec<String> {
        self.named(|member| !member.handle.is_finished())
    }

    fn named(&self, wanted: impl Fn(&Member) -> bool) -> Vec<String> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.iter().filter(|member| wanted(member)).map(|member| member.name.clone()).collect()
    }

    /// Stops the crew and joins every member, all together within `wait_max`. Returns the names of
    /// those that didn't end in time. They stay members: a later call joins them if they have
    /// ended.
    pub fn stop_and_join(&self, wait_max: Duration) -> Vec<String> {
        self.stop.stop();
        let members =
            std::mem::take(&mut *self.members.lock().unwrap_or_else(PoisonError::into_inner));
        let deadline = crossbeam_channel::after(wait_max);
        let mut late = Vec::new();
        let mut expired = false;
        for member in members {
            if !expired && !member.handle.is_finished() {
                crossbeam_channel::select! {
                    recv(member.ended) -> _ => {}
                    recv(deadline) -> _ => expired = true,
                }
            }
            if expired && !member.handle.is_finished() {
                late.push(member);
            } else {
                // A panic is caught and logged where it happens.
                let _ = member.handle.join();
            }
        }
        let names = late.iter().map(|member| member.name.clone()).collect();
        self.members.lock().unwrap_or_else(PoisonError::into_inner).extend(late);
        names
    }
}
