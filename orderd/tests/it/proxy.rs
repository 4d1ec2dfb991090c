//! A way to a server that a test can freeze: connections stay open, and nothing comes through.

use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Forwards connections to one server. Its threads end with the test's process.
pub(crate) struct Proxy {
    address: SocketAddr,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    frozen: Mutex<bool>,
    thawed: Condvar,
    held: AtomicUsize,
}

impl Gate {
    fn pass(&self) {
        let frozen = self.frozen.lock().unwrap();
        self.held.fetch_add(1, Ordering::SeqCst);
        drop(self.thawed.wait_while(frozen, |frozen| *frozen).unwrap());
        self.held.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Proxy {
    /// A proxy in front of `server`.
    pub(crate) fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::new(Gate::default());
        let shared = Arc::clone(&gate);
        thread(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let pairs =
                    [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)];
                for (from, to) in pairs {
                    let gate = Arc::clone(&shared);
                    thread(move || forward(from, to, &gate));
                }
            }
        });
        Self { address, gate }
    }

    /// Where the proxy listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets nothing through any more.
    pub(crate) fn freeze(&self) {
        *self.gate.frozen.lock().unwrap() = true;
    }

    /// How many connections have something that is held back, each direction by itself.
    pub(crate) fn held(&self) -> usize {
        self.gate.held.load(Ordering::SeqCst)
    }

    /// Lets everything through again, what was held back first.
    pub(crate) fn thaw(&self) {
        *self.gate.frozen.lock().unwrap() = false;
        self.gate.thawed.notify_all();
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, gate: &Gate) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        gate.pass();
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Either side's end is the other's, as without a proxy.
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}

#[expect(clippy::disallowed_methods, reason = "these threads are the network, not the daemon")]
fn thread(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

/// The proxy itself: a frozen one holds back, a thawed one delivers what it held.
#[test]
fn a_frozen_proxy_holds_back_and_a_thawed_one_delivers() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::to(server.local_addr().unwrap().to_string());
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    let (mut served, _) = server.accept().unwrap();
    proxy.freeze();
    client.write_all(b"x").unwrap();
    served.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(served.read(&mut [0]).is_err());
    proxy.thaw();
    served.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(served.read(&mut [0]).unwrap(), 1);
}
