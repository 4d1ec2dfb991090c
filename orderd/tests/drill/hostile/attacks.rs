//! What hostile clients do, each from real sockets of this process.

use crate::Form;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

const SHORT_WAIT: Duration = Duration::from_millis(200);

/// One thing that hostile clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    HalfOpen,
    Idle,
    SlowReaders,
    HugeHeads,
    OddLengths,
    SentAhead,
    SlowBodies,
    FewDescriptors,
    NoDescriptors,
    SilentDatabase,
    AbsurdLength,
}

impl Attack {
    pub(super) const ALL: [Self; 11] = [
        Self::HalfOpen,
        Self::Idle,
        Self::SlowReaders,
        Self::HugeHeads,
        Self::OddLengths,
        Self::SentAhead,
        Self::SlowBodies,
        Self::FewDescriptors,
        Self::NoDescriptors,
        Self::SilentDatabase,
        Self::AbsurdLength,
    ];

    pub(super) fn title(self, form: Form) -> String {
        match self {
            Self::HalfOpen => format!("{} heads begun and never ended", form.of(200, 2000)),
            Self::Idle => format!("{} idle connections", form.of(500, 9000)),
            Self::SlowReaders => {
                format!("{} slow readers: a byte each 0.1 s", form.of(20, 200))
            }
            Self::HugeHeads => format!("8 heads of {} MB", form.of(20, 200)),
            Self::OddLengths => "conflicting lengths and codings".to_owned(),
            Self::SentAhead => {
                format!("{} clients send requests ahead and read nothing", form.of(8, 50))
            }
            Self::SlowBodies => format!("{} bodies that never end", form.of(100, 2000)),
            Self::FewDescriptors => {
                format!("256 descriptors, {} connections", form.of(600, 2000))
            }
            Self::NoDescriptors => "descriptors taken away while it runs".to_owned(),
            Self::SilentDatabase => {
                format!("a silent database, {} misses", form.of(400, 3000))
            }
            Self::AbsurdLength => "`Content-Length: 99999999999999`".to_owned(),
        }
    }
}

/// An attack that goes on until it is dropped.
#[derive(Default)]
pub(super) struct Going {
    sockets: Vec<TcpStream>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Going {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.sockets.clear();
        for thread in self.threads.drain(..) {
            // A thread of an attack that failed has said why.
            let _ = thread.join();
        }
    }
}

impl Going {
    /// How many of its connections the server has ended.
    pub(super) fn ended(&self) -> usize {
        let is_ended = |mut socket: &TcpStream| {
            socket.set_nonblocking(true).unwrap();
            let mut chunk = [0; 16 * 1024];
            loop {
                match socket.read(&mut chunk) {
                    Ok(0) => return true,
                    Ok(_) => {}
                    Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
                }
            }
        };
        self.sockets.iter().filter(|socket| is_ended(socket)).count()
    }

    #[expect(clippy::disallowed_methods, reason = "an attacker is no thread of the daemon")]
    fn thread(&mut self, work: impl FnOnce(&AtomicBool) + Send + 'static) {
        let stop = Arc::clone(&self.stop);
        self.threads.push(std::thread::spawn(move || work(&stop)));
    }

    /// Opens so many connections, each with these bytes sent. One that is refused is left out.
    fn open(&mut self, address: SocketAddr, count: usize, bytes: impl Fn(usize) -> Vec<u8>) {
        for number in 0..count {
            let Ok(mut socket) = TcpStream::connect_timeout(&address, SHORT_WAIT * 5) else {
                continue;
            };
            socket.set_write_timeout(Some(SHORT_WAIT)).unwrap();
            socket.set_read_timeout(Some(SHORT_WAIT)).unwrap();
            // A server that has cut this one already is just what is looked for.
            let _ = socket.write_all(&bytes(number));
            self.sockets.push(socket);
        }
    }

    fn slow_readers(&mut self, address: SocketAddr, count: usize, path: &str) {
        let request = get(path).repeat(2000);
        self.open(address, count, |_| request.clone());
        let readers: Vec<_> =
            self.sockets.iter().map(|socket| socket.try_clone().unwrap()).collect();
        self.thread(move |stop| {
            while !stop.load(Ordering::Relaxed) {
                for mut reader in &readers {
                    reader.set_nonblocking(true).unwrap();
                    // Nothing may be there yet, or nothing any more.
                    let _ = reader.read(&mut [0; 1]);
                }
                pause(Duration::from_millis(100));
            }
        });
    }

    fn huge_heads(&mut self, address: SocketAddr, bytes: usize) {
        for _ in 0..8 {
            self.thread(move |stop| {
                let Ok(mut socket) = TcpStream::connect(address) else { return };
                socket.set_write_timeout(Some(SHORT_WAIT)).unwrap();
                let _ = socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
                let chunk = vec![b'x'; 64 * 1024];
                for _ in 0..bytes / chunk.len() {
                    if stop.load(Ordering::Relaxed) || socket.write_all(&chunk).is_err() {
                        return;
                    }
                }
            });
        }
    }

    /// Sends requests until the server takes no more, at most 4 MB a client, since a server without
    /// a bound would take all memory of the machine.
    fn sent_ahead(&mut self, address: SocketAddr, count: usize, path: &str) {
        let request = get(path).repeat(4 * 1024 * 1024 / 60);
        self.open(address, count, |_| request.clone());
    }

    fn odd_lengths(&mut self, address: SocketAddr) {
        self.thread(move |stop| {
            while !stop.load(Ordering::Relaxed) {
                for fields in ODD_LENGTHS {
                    let Ok(mut socket) = TcpStream::connect(address) else { continue };
                    socket.set_read_timeout(Some(SHORT_WAIT)).unwrap();
                    let head = format!("POST /orders HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
                    let _ = socket.write_all(head.as_bytes());
                    let _ = socket.write_all(b"0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n");
                    let _ = socket.read(&mut [0; 1024]);
                }
                pause(Duration::from_millis(5));
            }
        });
    }
}

/// Lengths and codings that no request may have, without the one that ends `tiny_http`.
pub(super) const ODD_LENGTHS: [&str; 6] = [
    "Content-Length: 5\r\nContent-Length: 6\r\n",
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Content-Length: -5\r\n",
    "Content-Length: 5, 6\r\n",
];

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// Begins an attack. `path` is that of a cached order.
pub(super) fn begin(attack: Attack, form: Form, address: SocketAddr, path: &str) -> Going {
    let mut going = Going::default();
    let half = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half".to_vec();
    let body = "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
        Content-Length: 1000000\r\n\r\n{";
    match attack {
        Attack::HalfOpen => going.open(address, form.of(200, 2000), |_| half.clone()),
        Attack::Idle => {
            // Every second one has asked before.
            let used =
                |number: usize| if number.is_multiple_of(2) { get(path) } else { Vec::new() };
            going.open(address, form.of(500, 9000), used);
        }
        Attack::SlowReaders => going.slow_readers(address, form.of(20, 200), path),
        Attack::HugeHeads => going.huge_heads(address, form.of(20, 200) * 1_000_000),
        Attack::OddLengths => going.odd_lengths(address),
        Attack::SentAhead => going.sent_ahead(address, form.of(8, 50), path),
        Attack::SlowBodies => going.open(address, form.of(100, 2000), |_| body.into()),
        Attack::FewDescriptors => going.open(address, form.of(600, 2000), |_| half.clone()),
        Attack::NoDescriptors => going.open(address, 200, |_| half.clone()),
        Attack::SilentDatabase => {
            let unknown = |number| get(&format!("/orders/nobody-{number}"));
            going.open(address, form.of(400, 3000), unknown);
        }
        Attack::AbsurdLength => {
            let absurd = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999\r\n\r\n";
            going.open(address, 20, |_| absurd.into());
        }
    }
    going
}

#[expect(clippy::disallowed_methods, reason = "an attack has no thread of the daemon")]
pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}
