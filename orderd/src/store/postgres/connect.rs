//! From a URL to a session, in bounded time and with one sentence when it can't be.
//!
//! The client library hangs for more than 40 s on a server that accepts a connection and then says
//! nothing (measured 2026-11-20), whatever its timeouts are. So every server is first asked over a
//! plain socket, with a deadline, whether it speaks at all.

use crate::store::StoreError;
use crate::store::postgres::SETTING;
use crate::store::postgres::in_full;
use crate::store::postgres::outage;
use postgres::Client;
use postgres::NoTls;
use postgres::config::Host;
use postgres::config::SslMode;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::time::Duration;
use tokio_postgres::Config;

const PORT_DEFAULT: u16 = 5432;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long sent bytes may stay unacknowledged by a machine that vanished.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;

/// In milliseconds; waiting for a lock ends before its statement does, so that the error tells
/// which it was. A session that hangs in a transaction must not hold its locks for ever.
const SERVER_OPTIONS: &str = "-c statement_timeout=5000 -c lock_timeout=4000 \
     -c idle_in_transaction_session_timeout=10000";

/// The first packet of a client that would like TLS: its length, and the number that means so. A
/// server answers with one byte, whether it has TLS or not, and no server logs it.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// One of the servers that a URL names.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Everything but the address that it is reached at.
    config: Config,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Tcp {
        host: String,
        port: u16,
    },
    /// No probe: who listens there is on this machine, and the kernel tells when it dies.
    Unix,
}

/// The servers that `url` names, at least one.
pub(super) fn servers(url: &str) -> Result<Vec<Server>, StoreError> {
    // The parser's own reason isn't shown: it may quote a part of the password.
    let parsed: Config = url.parse().map_err(|_| malformed())?;
    if parsed.get_ssl_mode() == SslMode::Require {
        return Err(StoreError::Configuration(format!(
            "{SETTING} asks for TLS (sslmode=require), which orderd doesn't speak to PostgreSQL"
        )));
    }
    let (hosts, addresses) = (parsed.get_hosts(), parsed.get_hostaddrs());
    let count = hosts.len().max(addresses.len());
    let ports = parsed.get_ports();
    let balanced = hosts.is_empty() || addresses.is_empty() || hosts.len() == addresses.len();
    if count == 0 || !balanced || (ports.len() > 1 && ports.len() != count) {
        return Err(malformed());
    }
    let servers = (0..count).map(|index| {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(PORT_DEFAULT);
        server(&parsed, hosts.get(index), addresses.get(index), port)
    });
    Ok(servers.collect())
}

fn malformed() -> StoreError {
    StoreError::Configuration(format!(
        "{SETTING} is no PostgreSQL URL: it has the form \
         postgresql://user:password@host:5432/database"
    ))
}

fn server(parsed: &Config, host: Option<&Host>, address: Option<&IpAddr>, port: u16) -> Server {
    let mut config = Config::new();
    if let Some(user) = parsed.get_user() {
        config.user(user);
    }
    if let Some(password) = parsed.get_password() {
        config.password(password);
    }
    if let Some(database) = parsed.get_dbname() {
        config.dbname(database);
    }
    // The URL's own options come last and win.
    config.options(format!("{SERVER_OPTIONS} {}", parsed.get_options().unwrap_or_default()));
    config
        .application_name(parsed.get_application_name().unwrap_or("orderd"))
        .ssl_mode(SslMode::Disable)
        .target_session_attrs(parsed.get_target_session_attrs())
        .port(port)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(TCP_USER_TIMEOUT)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES);
    let place = match (host, address) {
        (_, Some(address)) => Place::Tcp { host: address.to_string(), port },
        (Some(Host::Tcp(host)), None) => Place::Tcp { host: host.clone(), port },
        #[cfg(unix)]
        (Some(Host::Unix(folder)), None) => {
            config.host_path(folder);
            Place::Unix
        }
        (None, None) => Place::Tcp { host: "localhost".to_owned(), port },
    };
    Server { config, place }
}

/// The servers and their database for people.
pub(super) fn name(servers: &[Server]) -> String {
    let addresses: Vec<String> = servers.iter().map(Server::address).collect();
    let database = servers.first().map(Server::database).unwrap_or_default();
    format!("postgresql://{}/{database}", addresses.join(","))
}

impl Server {
    fn address(&self) -> String {
        match &self.place {
            Place::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp { host, port } => format!("{host}:{port}"),
            Place::Unix => "local".to_owned(),
        }
    }

    /// Without a name in the URL the server takes the user's.
    fn database(&self) -> &str {
        self.config.get_dbname().or(self.config.get_user()).unwrap_or_default()
    }

    fn connect(&self, what: &str) -> Result<Client, StoreError> {
        let config = postgres::Config::from(self.reached(what)?);
        config.connect(NoTls).map_err(|error| self.refusal(what, error))
    }

    /// How to connect to an address at which the server has just answered.
    pub(super) fn reached(&self, what: &str) -> Result<Config, StoreError> {
        let mut config = self.config.clone();
        if let Place::Tcp { host, port } = &self.place {
            // Only the address that answered: the others behind the same name may be silent.
            let address = probe(host, *port).map_err(|error| outage(what, error))?;
            config.hostaddr(address.ip());
        }
        Ok(config)
    }

    /// What an error while connecting means: some never go away by waiting.
    pub(super) fn refusal(&self, what: &str, error: postgres::Error) -> StoreError {
        let user = self.config.get_user().unwrap_or_default();
        let (address, database) = (self.address(), self.database());
        // Only the server's own message: it never holds the password.
        let told = error.as_db_error().map(|error| error.message().to_owned()).unwrap_or_default();
        let sentence = match error.code().map(|state| state.code()) {
            Some("28P01" | "28000") => format!(
                "PostgreSQL at {address} refuses the user {user:?} for the database {database:?} \
                 ({told}): check user and password in {SETTING}"
            ),
            Some("3D000") => format!(
                "PostgreSQL at {address} has no database {database:?} for the user {user:?}: \
                 create it, or name another in {SETTING}"
            ),
            Some("42501") => format!(
                "PostgreSQL at {address} doesn't let the user {user:?} into the database \
                 {database:?} ({told}): grant it, or name others in {SETTING}"
            ),
            // The library has no code for this one.
            None if in_full(&error).ends_with("password missing") => format!(
                "PostgreSQL at {address} asks the user {user:?} for a password, and {SETTING} \
                 holds none"
            ),
            _ => return outage(what, error),
        };
        StoreError::Configuration(sentence)
    }
}

/// A session with the first server that gives one.
pub(super) fn client(servers: &[Server], what: &str) -> Result<Client, StoreError> {
    first(servers, |server| server.connect(what))
}

/// What the first server gives that gives anything.
pub(super) fn first<T>(
    servers: &[Server],
    open: impl Fn(&Server) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut last = malformed();
    for server in servers {
        match open(server) {
            Ok(opened) => return Ok(opened),
            Err(error @ StoreError::Configuration(_)) => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The first address of a host at which a server answers, in bounded time.
fn probe(host: &str, port: u16) -> io::Result<SocketAddr> {
    let mut last = io::Error::other(format!("{host} has no address"));
    for address in (host, port).to_socket_addrs()? {
        match ask(address) {
            Ok(()) => return Ok(address),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn ask(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    stream.set_write_timeout(Some(PROBE_TIMEOUT))?;
    stream.write_all(&SSL_REQUEST)?;
    stream.read_exact(&mut [0]).map_err(|error| {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            let text = format!("{address} accepts connections and doesn't answer");
            io::Error::new(io::ErrorKind::TimedOut, text)
        } else {
            error
        }
    })
}
