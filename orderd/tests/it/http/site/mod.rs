//! A whole site for a test: the real handlers on a real server, over the real embedded store and
//! topic, behind a switch that takes the store away or makes it stall; and a client that sends
//! exactly the bytes that it is told.

mod answer;
mod switch;

use crate::http::site::switch::Switch;
use bytes::Bytes;
use orderd::catalog::Capacity;
use orderd::catalog::Catalog;
use orderd::clock::Clock;
use orderd::embedded::Embedded;
use orderd::http;
use orderd::http::Limits;
use orderd::http::Writes;
use orderd::metrics::Metrics;
use orderd::order::Order;
use orderd::order::decode::decode;
use orderd::order::validate::Profile;
use orderd::produce;
use orderd::series::Series;
use orderd::store::Advance;
use orderd::store::Batch;
use orderd::store::Connect;
use orderd::store::DeadLetter;
use orderd::store::Incoming;
use orderd::store::Origin;
use orderd::store::database::Database;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::supervise::readiness::Readiness;
use orderd::topic::OpenSource as _;
use orderd::topic::appender::Appender;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use crate::http::site::answer::Answer;
pub(crate) use crate::http::site::answer::problem;
pub(crate) use crate::http::site::switch::Mode;

/// Long enough for any machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Both servers, for the tests that hold on either.
pub(crate) const SERVERS: [Server; 2] = [Server::Axum, Server::TinyHttp];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Axum,
    TinyHttp,
}

pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) series: Arc<Series>,
    pub(crate) address: SocketAddr,
    pub(crate) crew: Crew,
    embedded: Embedded,
    switch: Switch,
    _folder: tempfile::TempDir,
}

impl Site {
    /// A site that reads only.
    pub(crate) fn start(server: Server) -> Self {
        Self::with(server, Writes::Off, PATIENCE)
    }

    pub(crate) fn with(server: Server, writes: Writes, read_wait_max: Duration) -> Self {
        Self::limited(server, writes, read_wait_max, Limits::default())
    }

    /// A site that pages of this origin may read.
    pub(crate) fn shared_with(server: Server, origin: &str) -> Self {
        let origins = vec![origin.to_owned()];
        Self::built(server, Writes::Demo, PATIENCE, Limits::default(), origins)
    }

    /// A site whose clients may cost so much.
    pub(crate) fn limited(
        server: Server,
        writes: Writes,
        read_wait_max: Duration,
        limits: Limits,
    ) -> Self {
        Self::built(server, writes, read_wait_max, limits, Vec::new())
    }

    fn built(
        server: Server,
        writes: Writes,
        read_wait_max: Duration,
        limits: Limits,
        cors_origins: Vec<String>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let embedded = Embedded::open(folder.path()).unwrap();
        embedded.migrate().unwrap();
        let switch = Switch::new();
        let connect = switch.before(&embedded);
        let crew = Crew::new(StopToken::new());
        let clock = Clock::system();
        let database = Database::start(&crew, &connect, &clock, 2).unwrap();
        let capacity = Capacity { entries: 1000, bytes: Some(2_000_000) };
        let catalog = Catalog::new(capacity, database, clock.clone());
        let metrics = Arc::<Metrics>::default();
        let series = Series::new(Arc::clone(&catalog), Arc::clone(&metrics), clock.clone());
        let series = Arc::new(series);
        let topic = Arc::new(embedded.topic("orders", 1));
        let readiness = Arc::new(Readiness::new());
        let service = Arc::new(http::Service::new(http::Parts {
            catalog,
            appender: Appender::start(&crew, topic).unwrap(),
            readiness: Arc::clone(&readiness),
            random: Some(http::Random::new({
                let clock = clock.clone();
                move |count| produce::random(count, &clock)
            })),
            writes,
            profile: Profile::Lenient,
            clock,
            series: Arc::clone(&series),
            public_hosts: vec!["orders.example.com".to_owned()],
            cors_origins,
            read_wait_max,
            metrics,
        }));
        let listener = http::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        match server {
            Server::Axum => http::serve_axum(&crew, listener, service, limits, PATIENCE).unwrap(),
            Server::TinyHttp => http::serve_tiny(&crew, listener, service, limits).unwrap(),
        }
        let _folder = folder;
        Self { server, readiness, series, address, crew, embedded, switch, _folder }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.switch.set(mode);
    }

    /// Waits until a read of the store has stalled.
    pub(crate) fn wait_stalled(&self) {
        self.switch.wait_stalled();
    }

    /// Lets every read that stalls or will stall go on.
    pub(crate) fn release(&self) {
        self.switch.release();
    }

    /// Saves orders, as ingest would, without telling the catalog.
    pub(crate) fn save(&self, orders: &[Order]) {
        let mut store = self.embedded.connect().unwrap();
        let from = store.assign("site", "orders", &[(0, 0)]).unwrap()[0].1;
        let to = from + i64::try_from(orders.len()).unwrap();
        let incoming = (from..).zip(orders).map(|(offset, order)| Incoming {
            order: order.clone(),
            origin: Origin { partition: 0, offset, element: 0 },
            payload: order.body().clone(),
        });
        let batch = Batch {
            group: "site".to_owned(),
            topic: "orders".to_owned(),
            advances: vec![Advance { partition: 0, from, to }],
            orders: incoming.collect(),
            dead_letters: Vec::new(),
        };
        store.save(&batch).unwrap();
    }

    /// Saves dead letters, as ingest would; their messages lie at the offsets from 0 on.
    pub(crate) fn save_letters(&self, letters: &[DeadLetter]) {
        let mut store = self.embedded.connect().unwrap();
        let from = store.assign("site", "orders", &[(0, 0)]).unwrap()[0].1;
        let to = from + i64::try_from(letters.len()).unwrap();
        let batch = Batch {
            group: "site".to_owned(),
            topic: "orders".to_owned(),
            advances: vec![Advance { partition: 0, from, to }],
            orders: Vec::new(),
            dead_letters: letters.to_vec(),
        };
        store.save(&batch).unwrap();
    }

    /// The keys and values of all messages of the topic.
    pub(crate) fn messages(&self) -> Vec<(String, String)> {
        let mut source = self.embedded.topic("orders", 1).open().unwrap();
        source.seek(&[(0, 0)]);
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let messages = source.fetch(Duration::ZERO).unwrap();
        messages.iter().map(|message| (text(&message.key), text(&message.value))).collect()
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[], b"")
    }

    pub(crate) fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", target, headers, b"")
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        let named = |name: &str| headers.iter().any(|(sent, _)| sent.eq_ignore_ascii_case(name));
        if !named("host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        if !body.is_empty() && !named("content-length") && !named("transfer-encoding") {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes)
    }

    /// Sends these bytes and reads the answer until the server closes the connection.
    pub(crate) fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server may answer and close before it has read everything.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Answer::parse(&answer).unwrap_or_else(|| {
            let sent = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
            panic!("{:?} doesn't answer {sent:?}", self.server)
        })
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// An order with this id whose buyer has this name.
pub(crate) fn order(uid: &str, name: &str) -> Order {
    let document = serde_json::json!({
        "order_uid": uid,
        "date_created": "2021-11-26T06:22:19.25Z",
        "delivery": { "name": name, "city": "Kiryat Mozkin" },
        "payment": { "amount": 1817, "currency": "USD", "payment_dt": 1_637_907_727 },
        "items": [{ "name": "Mascaras", "brand": "Vivienne Sabo", "price": 453 }],
    });
    let message = Bytes::from(document.to_string());
    let mut elements = decode(&message, Profile::Lenient, jiff::Timestamp::UNIX_EPOCH);
    elements.remove(0).order.unwrap()
}
