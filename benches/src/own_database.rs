//! A database that a run creates for itself on a server, and drops in the end.
//!
//! It is all that a run touches there: whatever else the server holds stays as it is. It is dropped
//! when the value is, and on Ctrl-C and SIGTERM; only after SIGKILL does it stay, under a name that
//! begins with `orderd_bench_`.

use orderd::clock::Clock;
use orderd::store::Connect;
use orderd::store::database::Chain;
use orderd::store::postgres::Postgres;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use postgres::Client;
use postgres::NoTls;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Handle;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::error::Error;
use std::time::Duration;
use url::Url;

/// How long dropping the value waits for its thread.
const JOIN_WAIT_MAX: Duration = Duration::from_secs(5);

/// An empty database with orderd's schema.
#[derive(Debug)]
pub struct OwnDatabase {
    server: Server,
    url: String,
    signals: Handle,
    crew: Crew,
}

/// Where the database is, and its name.
#[derive(Clone, Debug)]
struct Server {
    url: String,
    name: String,
}

impl OwnDatabase {
    /// Creates it on the server of `server_url`, whose user may create databases.
    ///
    /// # Errors
    /// One sentence about what the server refused.
    pub fn create(server_url: &str) -> Result<Self, Box<dyn Error>> {
        let stamp = Clock::system().wall().as_nanosecond();
        let name = format!("orderd_bench_{}_{stamp}", std::process::id());
        let mut url = Url::parse(server_url)
            .map_err(|error| format!("the URL of the PostgreSQL server is none: {error}"))?;
        url.set_path(&name);
        let server = Server { url: server_url.to_owned(), name };
        // From here on a signal drops the database, so the handler comes first.
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let handle = signals.handle();
        let crew = Crew::new(StopToken::new());
        let on_signal = server.clone();
        crew.spawn("signals", move |_| {
            if let Some(signal) = signals.forever().next() {
                on_signal.drop_database();
                // Ends the process, as the signal would have done by itself.
                let _ = emulate_default_handler(signal);
            }
        })?;
        let database = Self { server, url: url.into(), signals: handle, crew };
        database.server.run(&format!("create database {}", database.server.name))?;
        Postgres::new(&database.url)?.migrate()?;
        Ok(database)
    }

    /// Connections to it, the way the daemon makes them.
    ///
    /// # Errors
    /// If orderd doesn't take the URL.
    pub fn connect(&self) -> Result<Postgres, Box<dyn Error>> {
        Ok(Postgres::new(&self.url)?)
    }

    /// Has the server count what was saved, as it would by itself in the course of a minute: only
    /// then does it plan its reads as it will from then on.
    ///
    /// # Errors
    /// What the server said.
    pub fn analyze(&self) -> Result<(), Box<dyn Error>> {
        Ok(Client::connect(&self.url, NoTls)?.batch_execute("vacuum analyze")?)
    }

    /// The server for people: its version, its address, and whether it writes through to the disk.
    ///
    /// # Errors
    /// What the server said.
    pub fn describe(&self) -> Result<String, Box<dyn Error>> {
        let mut client = Client::connect(&self.url, NoTls)?;
        let mut show = |setting: &str| -> Result<String, postgres::Error> {
            Ok(client.query_one(&format!("show {setting}"), &[])?.get(0))
        };
        let (version, fsync) = (show("server_version")?, show("fsync")?);
        Ok(format!("PostgreSQL {version}, {}, fsync {fsync}", self.connect()?.name()))
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        self.server.drop_database();
        self.signals.close();
        self.crew.stop_and_join(JOIN_WAIT_MAX);
    }
}

impl Server {
    fn run(&self, sql: &str) -> Result<(), Box<dyn Error>> {
        let refused = |error: postgres::Error| match error.as_db_error() {
            Some(told) => format!("PostgreSQL refuses to {sql}: {}", told.message()),
            None => format!("PostgreSQL can't be reached to {sql}: {}", Chain(&error)),
        };
        let mut client = Client::connect(&self.url, NoTls).map_err(refused)?;
        Ok(client.batch_execute(sql).map_err(refused)?)
    }

    /// Ends the sessions that are still open. The server may be gone, and with it the database.
    fn drop_database(&self) {
        let _ = self.run(&format!("drop database if exists {} with (force)", self.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::test_url;

    fn exists(name: &str) -> bool {
        let mut client = Client::connect(&test_url(), NoTls).unwrap();
        let sql = "select count(*) from pg_database where datname = $1";
        client.query_one(sql, &[&name]).unwrap().get::<_, i64>(0) == 1
    }

    /// The benchmark leaves a user's server as it was.
    #[test]
    fn the_database_is_there_as_long_as_its_value() {
        let database = OwnDatabase::create(&test_url()).unwrap();
        let name = database.server.name.clone();
        assert!(exists(&name));
        assert!(database.describe().unwrap().starts_with("PostgreSQL "));
        let open = database.connect().unwrap().connect().unwrap();
        drop(database);
        assert!(!exists(&name));
        drop(open);
    }

    /// What can't be reached or isn't a URL is told in a sentence.
    #[test]
    fn a_server_that_does_not_answer_is_told() {
        let error = OwnDatabase::create("postgresql://u@127.0.0.1:1/x").unwrap_err().to_string();
        assert!(error.starts_with("PostgreSQL can't be reached to create database"), "{error}");
        let error = OwnDatabase::create("no url").unwrap_err().to_string();
        assert!(error.starts_with("the URL of the PostgreSQL server is none"), "{error}");
    }
}
