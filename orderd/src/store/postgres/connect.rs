//! From a URL to a session, in bounded time and with one sentence when it can't be.
//!
//! Every address behind a name is tried by itself, so that a silent one doesn't hide the next.

use crate::store::StoreError;
use crate::store::postgres::SETTING;
use crate::store::postgres::in_full;
use crate::store::postgres::line::Line;
use crate::store::postgres::outage;
use crate::supervise::StopToken;
use postgres::Client;
use postgres::Config;
use postgres::NoTls;
use postgres::config::Host;
use postgres::config::SslMode;
use postgres::config::SslNegotiation;
use std::io;
use std::net::IpAddr;
use std::net::ToSocketAddrs;
use std::time::Duration;

const PORT_DEFAULT: u16 = 5432;

/// How long a server may take to accept, and then how long it may be silent until the session is
/// there. Shorter than a request waits, which so hears that the store is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a session may bring no byte while it is asked something. A server that is well ends a
/// statement after five seconds by itself.
const SILENT_MAX: Duration = Duration::from_secs(6);

/// How long sent bytes may stay unacknowledged by a machine that vanished.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;

/// In milliseconds; waiting for a lock ends before its statement does, so that the error tells
/// which it was. A session that hangs in a transaction must not hold its locks for ever.
const SERVER_OPTIONS: &str = "-c statement_timeout=5000 -c lock_timeout=4000 \
     -c idle_in_transaction_session_timeout=10000";

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
    /// Without a [`Line`]: who listens there is on this machine, and the kernel tells when it dies.
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
    config.options(&format!("{SERVER_OPTIONS} {}", parsed.get_options().unwrap_or_default()));
    config
        .application_name(parsed.get_application_name().unwrap_or("orderd"))
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

    fn connect(&self, what: &str, cut: &StopToken) -> Result<Session, StoreError> {
        let line = Line::new(CONNECT_TIMEOUT, cut.clone());
        let Place::Tcp { host, port } = &self.place else {
            let mut config = self.config.clone();
            config.ssl_mode(SslMode::Disable);
            let client = config.connect(NoTls).map_err(|error| self.refusal(what, error))?;
            return Ok(Session { client, line });
        };
        let addresses = (host.as_str(), *port).to_socket_addrs();
        let mut last = outage(what, io::Error::other(format!("{host} has no address")));
        for address in addresses.map_err(|error| outage(what, error))? {
            let mut config = self.config.clone();
            // What the library takes for TLS is the line, which begins without a question.
            config
                .host(host)
                .hostaddr(address.ip())
                .ssl_mode(SslMode::Require)
                .ssl_negotiation(SslNegotiation::Direct);
            match config.connect(line.plain()).map_err(|error| self.refusal(what, error)) {
                Ok(client) => {
                    line.set_patience(SILENT_MAX);
                    return Ok(Session { client, line });
                }
                Err(error @ StoreError::Configuration(_)) => return Err(error),
                Err(error) => last = error,
            }
            if cut.is_stopped() {
                break;
            }
        }
        Err(last)
    }

    /// What an error while connecting means: some never go away by waiting.
    fn refusal(&self, what: &str, error: postgres::Error) -> StoreError {
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

/// A session, and the line that it is on.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) line: Line,
}

/// A session with the first server that gives one.
pub(super) fn session(
    servers: &[Server],
    what: &str,
    cut: &StopToken,
) -> Result<Session, StoreError> {
    let mut last = malformed();
    for server in servers {
        match server.connect(what, cut) {
            Ok(session) => return Ok(session),
            Err(error @ StoreError::Configuration(_)) => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}
