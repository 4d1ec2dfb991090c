//! How long tests take: a deadline for those that would hang if they failed, and few turns where
//! each takes long.

use std::panic;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Long beyond anything that a test does, and it may run in an interpreter.
const WAIT_MAX: Duration = Duration::from_secs(if cfg!(miri) { 1_200 } else { 60 });

/// How many turns a test takes that should take `count`: fewer in an interpreter, which is slow,
/// but looks at each access to memory and interrupts threads where it likes.
pub(crate) const fn turns(count: u32) -> u32 {
    if cfg!(miri) { count / 20 } else { count }
}

/// Runs `case` on a thread of its own, and returns what it does; a panic there goes on here, and a
/// hang becomes one.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "the watchdog needs a thread that may hang")]
pub(crate) fn watched<R: Send + 'static>(
    name: &str,
    case: impl FnOnce() -> R + Send + 'static,
) -> R {
    let (done, is_done) = mpsc::channel::<()>();
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // Dropped when the case is over, by a panic as well.
            let _done = done;
            case()
        })
        .unwrap();
    let ended = is_done.recv_timeout(WAIT_MAX);
    assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected), "{name} hangs");
    thread.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
}
