//! A deadline for tests that would hang if they failed.

use std::panic;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Long beyond anything that a test does.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Runs `case` on a thread of its own; a panic there goes on here, and a hang becomes one.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "the watchdog needs a thread that may hang")]
pub(crate) fn watched(name: &str, case: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel::<()>();
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // Dropped when the case is over, by a panic as well.
            let _done = done;
            case();
        })
        .unwrap();
    let ended = is_done.recv_timeout(WAIT_MAX);
    assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected), "{name} hangs");
    if let Err(payload) = thread.join() {
        panic::resume_unwind(payload);
    }
}
