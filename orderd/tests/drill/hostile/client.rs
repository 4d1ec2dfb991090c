//! The client that means no harm: asks for one cached order again and again, and keeps the times.

use crate::daemon::now;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

/// An answer that takes longer is none.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// Between two requests, as of somebody who has other things to do.
const PAUSE: Duration = Duration::from_millis(2);

/// What one client saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    times: Vec<Duration>,
    pub(super) failed: usize,
}

impl Seen {
    pub(super) fn answered(&self) -> usize {
        self.times.len()
    }

    /// The time below which this share of the answers lies; a failure counts as the longest.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let mut times = self.times.clone();
        times.extend(std::iter::repeat_n(ANSWER_WAIT_MAX, self.failed));
        times.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of some thousands"
        )]
        let index = (times.len() as f64 * share) as usize;
        times.get(index.min(times.len().saturating_sub(1))).copied().unwrap_or(ANSWER_WAIT_MAX)
    }
}

/// A client that goes on until it is stopped.
pub(super) struct Client {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Client {
    /// Asks for `path`, whose answer must be `expected`.
    #[expect(clippy::disallowed_methods, reason = "a client is no thread of the daemon")]
    pub(super) fn start(address: SocketAddr, path: &str, expected: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, path) = (Arc::clone(&stop), path.to_owned());
        let thread = std::thread::spawn(move || {
            let (mut seen, mut open) = (Seen::default(), None);
            while !stopped.load(Ordering::Relaxed) {
                let started = now();
                if ask(address, &path, &expected, &mut open, started) {
                    seen.times.push(started.elapsed());
                } else {
                    seen.failed += 1;
                }
                std::thread::sleep(PAUSE);
            }
            seen
        });
        Self { stop, thread }
    }

    pub(super) fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// One request, on the open connection if there is one. An idle connection may be closed at any
/// time, so a request that finds it so is sent again on another, as every client does.
fn ask(
    address: SocketAddr,
    path: &str,
    expected: &str,
    open: &mut Option<TcpStream>,
    started: Instant,
) -> bool {
    while started.elapsed() < ANSWER_WAIT_MAX {
        let connected = open.take().or_else(|| {
            let stream = TcpStream::connect_timeout(&address, ANSWER_WAIT_MAX).ok()?;
            stream.set_read_timeout(Some(ANSWER_WAIT_MAX)).ok()?;
            stream.set_nodelay(true).ok()?;
            Some(stream)
        });
        let Some(mut stream) = connected else { continue };
        match exchange(&mut stream, path) {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") && answer.ends_with(expected) => {
                *open = Some(stream);
                return true;
            }
            Ok(answer) if !answer.is_empty() => return false,
            _ => {}
        }
    }
    false
}

fn exchange(stream: &mut TcpStream, path: &str) -> std::io::Result<String> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk)?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes);
        if read == 0 || is_whole(&text) {
            return Ok(text.into_owned());
        }
    }
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
    });
    length.is_some_and(|length| body.len() >= length)
}
