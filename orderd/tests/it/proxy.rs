//! A way to a server on which tests break things: connections that are cut, that stay open while
//! nothing comes through, and a server that seems to be gone. Either all connections, or those on
//! which the client has said something particular, such as `listen`.

use std::io::Read as _;
use std::io::Write as _;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How much of what a client says first is remembered.
const SAID_BYTES_MAX: usize = 16 * 1024;

/// Forwards connections to one server. Its threads end with the test's process.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    gate: Gate,
    refusing: Mutex<bool>,
    connections: Mutex<Vec<Arc<Connection>>>,
}

/// One connection, with both of its ends.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    gate: Gate,
    /// The first bytes that the client sent.
    said: Mutex<Vec<u8>>,
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

    fn set(&self, frozen: bool) {
        *self.frozen.lock().unwrap() = frozen;
        self.thawed.notify_all();
    }
}

impl Connection {
    fn has_said(&self, words: &str) -> bool {
        let said = self.said.lock().unwrap();
        words.is_empty() || said.windows(words.len()).any(|part| part == words.as_bytes())
    }

    fn cut(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
        self.gate.set(false);
    }
}

impl Proxy {
    /// A proxy in front of `server`.
    pub(crate) fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread(move || {
            while let Ok((client, _)) = listener.accept() {
                if *accepting.refusing.lock().unwrap() {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server) else { continue };
                accept(&accepting, client, server);
            }
        });
        Self { address, shared }
    }

    /// A proxy in front of the server of a URL, and the URL that leads through it.
    pub(crate) fn to_url(url: &str) -> (Self, String) {
        let mut url = url::Url::parse(url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let proxy = Self::to(server);
        url.set_port(Some(proxy.address().port())).unwrap();
        (proxy, url.into())
    }

    /// Where the proxy listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets nothing through any more, on connections that are open and on those to come: they are
    /// accepted and silent.
    pub(crate) fn freeze(&self) {
        self.shared.gate.set(true);
    }

    /// How many connections have something that is held back, each direction by itself.
    pub(crate) fn held(&self) -> usize {
        self.shared.gate.held.load(Ordering::SeqCst)
    }

    /// Lets everything through again, what was held back first.
    pub(crate) fn thaw(&self) {
        self.shared.gate.set(false);
        for connection in self.open() {
            connection.gate.set(false);
        }
    }

    /// Lets nothing through any more on the open connections on which the client has said `words`.
    /// Returns how many these are.
    pub(crate) fn freeze_those_that_said(&self, words: &str) -> usize {
        let found = self.that_said(words);
        found.iter().for_each(|connection| connection.gate.set(true));
        found.len()
    }

    /// Closes the open connections on which the client has said `words`; the empty text is said on
    /// every one. Returns how many these were.
    pub(crate) fn cut_those_that_said(&self, words: &str) -> usize {
        let found = self.that_said(words);
        found.iter().for_each(|connection| connection.cut());
        found.len()
    }

    /// The ports from which the server sees the open connections on which the client has said
    /// `words`.
    pub(crate) fn ports_of_those_that_said(&self, words: &str) -> Vec<u16> {
        let port = |connection: Arc<Connection>| connection.server.local_addr().unwrap().port();
        self.that_said(words).into_iter().map(port).collect()
    }

    /// Closes every connection, and each new one at once, until [`Proxy::admit`].
    pub(crate) fn refuse(&self) {
        *self.shared.refusing.lock().unwrap() = true;
        self.open().iter().for_each(|connection| connection.cut());
    }

    /// Takes connections again.
    pub(crate) fn admit(&self) {
        *self.shared.refusing.lock().unwrap() = false;
    }

    fn open(&self) -> Vec<Arc<Connection>> {
        self.shared.connections.lock().unwrap().clone()
    }

    fn that_said(&self, words: &str) -> Vec<Arc<Connection>> {
        self.open().into_iter().filter(|connection| connection.has_said(words)).collect()
    }
}

fn accept(shared: &Arc<Shared>, client: TcpStream, server: TcpStream) {
    let connection = Arc::new(Connection {
        client: client.try_clone().unwrap(),
        server: server.try_clone().unwrap(),
        gate: Gate::default(),
        said: Mutex::default(),
    });
    shared.connections.lock().unwrap().push(Arc::clone(&connection));
    let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let directions = [(client, server, true), (back.0, back.1, false)];
    for (from, to, is_from_client) in directions {
        let (shared, connection) = (Arc::clone(shared), Arc::clone(&connection));
        thread(move || {
            let hear = |bytes: &[u8]| {
                let mut said = connection.said.lock().unwrap();
                let room = SAID_BYTES_MAX - said.len().min(SAID_BYTES_MAX);
                said.extend_from_slice(&bytes[..bytes.len().min(room)]);
            };
            forward(from, to, |bytes| {
                if is_from_client {
                    hear(bytes);
                }
                shared.gate.pass();
                connection.gate.pass();
            });
            let is_other = |other: &Arc<Connection>| !Arc::ptr_eq(other, &connection);
            shared.connections.lock().unwrap().retain(is_other);
        });
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, mut before: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        before(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Either side's end is the other's, as without a proxy.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

#[expect(clippy::disallowed_methods, reason = "these threads are the network, not the daemon")]
fn thread(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

/// A proxy, a server behind it, and a way to connect through the one to the other.
struct Line {
    proxy: Proxy,
    server: TcpListener,
}

impl Line {
    fn new() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::to(server.local_addr().unwrap().to_string());
        Self { proxy, server }
    }

    /// Both ends of a connection on which the client has said `words`.
    fn connected(&self, words: &str) -> (TcpStream, TcpStream) {
        let mut client = TcpStream::connect(self.proxy.address()).unwrap();
        let (mut served, _) = self.server.accept().unwrap();
        client.write_all(words.as_bytes()).unwrap();
        served.read_exact(&mut vec![0; words.len()]).unwrap();
        for stream in [&client, &served] {
            stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        }
        (client, served)
    }
}

/// The proxy itself: a frozen one holds back, a thawed one delivers what it held.
#[test]
fn a_frozen_proxy_holds_back_and_a_thawed_one_delivers() {
    let line = Line::new();
    let (mut client, mut served) = line.connected("");
    line.proxy.freeze();
    client.write_all(b"x").unwrap();
    assert!(served.read(&mut [0]).is_err());
    line.proxy.thaw();
    served.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(served.read(&mut [0]).unwrap(), 1);
}

/// The proxy itself: what was said chooses the connections that break, and no others.
#[test]
fn a_proxy_freezes_and_cuts_the_connections_that_are_meant() {
    let line = Line::new();
    let (mut frozen, mut frozen_served) = line.connected("listen a");
    let (mut other, mut other_served) = line.connected("select b");
    assert_eq!(line.proxy.freeze_those_that_said("listen"), 1);
    frozen.write_all(b"x").unwrap();
    other.write_all(b"x").unwrap();
    assert_eq!(other_served.read(&mut [0]).unwrap(), 1);
    assert!(frozen_served.read(&mut [0]).is_err());
    assert_eq!(line.proxy.cut_those_that_said("select"), 1);
    assert_eq!(other.read(&mut [0]).unwrap(), 0, "the client sees the end");
    line.proxy.thaw();
    assert_eq!(frozen_served.read(&mut [0]).unwrap(), 1);
    line.proxy.refuse();
    assert_eq!(frozen.read(&mut [0]).unwrap(), 0);
    let mut refused = TcpStream::connect(line.proxy.address()).unwrap();
    refused.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(refused.read(&mut [0]).unwrap(), 0);
    line.proxy.admit();
    let (mut client, mut served) = line.connected("again");
    client.write_all(b"x").unwrap();
    assert_eq!(served.read(&mut [0]).unwrap(), 1);
}

/// The proxy itself: the empty text is said on every connection, also by a client that is silent.
#[test]
fn a_proxy_cuts_every_connection() {
    let line = Line::new();
    let (mut silent, _served) = line.connected("");
    let (mut other, _other_served) = line.connected("select b");
    assert_eq!(line.proxy.cut_those_that_said(""), 2);
    for client in [&mut silent, &mut other] {
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "the client sees the end");
    }
}
