//! The daemon's word to systemd, in units with `Type=notify`.
//!
//! Ready means here what `/readyz` means. A daemon that waits for its servers isn't ready and isn't
//! broken either: so it asks for more time again and again, and its status line says what it waits
//! for. Once it was ready it stays so for systemd, since a restart heals no server; the status line
//! goes on telling. The watchdog's ping says that the process runs and its threads can take the
//! lock of their state, and no more than that.
//!
//! `NOTIFY_SOCKET` and `WATCHDOG_USEC` are the protocol's own variables and no settings; they are
//! read here alone. Without them nothing is started.

use crate::clock::Clock;
use crate::supervise::Crew;
use crate::supervise::readiness::Readiness;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;

/// How often the state is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How much more time a start asks for at each look.
const MORE_TIME_US: u32 = 30_000_000;

/// Starts the thread that tells, as a member of `crew`, if systemd wants to be told.
///
/// # Errors
/// If the system has no thread left.
pub fn start(crew: &Crew, readiness: &Arc<Readiness>, clock: &Clock) -> std::io::Result<()> {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return Ok(());
    }
    let (readiness, clock) = (Arc::clone(readiness), clock.clone());
    // Twice as often as systemd wants it, as its manual recommends.
    let ping_every = sd_notify::watchdog_enabled().map(|wanted| wanted / 2);
    let look_every = ping_every.map_or(LOOK_EVERY, |ping| ping.min(LOOK_EVERY));
    crew.spawn_restarting("systemd", move |stop| {
        let mut was_ready = false;
        let mut told = String::new();
        loop {
            let status = status(&readiness, &clock);
            let is_ready = status == READY;
            let mut states = Vec::new();
            if is_ready && !was_ready {
                states.push(NotifyState::Ready);
            } else if !was_ready {
                states.push(NotifyState::ExtendTimeoutUsec(MORE_TIME_US));
            }
            if status != told {
                states.push(NotifyState::Status(&status));
            }
            if ping_every.is_some() {
                states.push(NotifyState::Watchdog);
            }
            tell(&states);
            was_ready |= is_ready;
            told = status;
            if stop.wait(look_every) {
                return;
            }
        }
    })
}

/// Says that the daemon is on its way out.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

const READY: &str = "ready";

fn status(readiness: &Readiness, clock: &Clock) -> String {
    let missing: Vec<String> = readiness
        .snapshot(clock.now())
        .into_iter()
        .filter_map(|(part, missing)| Some(format!("{}: {}", part.as_str(), missing?)))
        .collect();
    if missing.is_empty() { READY.to_owned() } else { missing.join("; ").replace('\n', " ") }
}

fn tell(states: &[NotifyState<'_>]) {
    if states.is_empty() {
        return;
    }
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd can't be told");
    }
}
