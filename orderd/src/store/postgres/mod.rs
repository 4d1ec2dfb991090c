//! The store in PostgreSQL: four normalised tables, written in batches and read by one statement.
//!
//! The client is the blocking one and there is no pool: every database thread owns a connection
//! with its prepared statements, and makes another after an outage. The number of connections is
//! the number of threads that can use one.
//!
//! Invariants:
//! * The JSON form is never made by the database: rows are read as fields and written by
//!   [`crate::order::document::Document::canonical`], and the digest says whether that is what was
//!   saved.
//! * No statement waits longer than its timeout, except for migrations; and no call waits longer
//!   for a silent server than [`line`] lets it.
//! * No message holds the password.
//! * Whoever saves through a [`Postgres`] that listens announces the orders to the catalog that it
//!   listens for, before the COMMIT: what this instance replaced is heard as its own.

mod connect;
mod letters;
mod line;
mod listen;
mod migrate;
mod notify;
mod positions;
mod read;
mod save;
mod write;

use crate::order::OrderUid;
use crate::store::Batch;
use crate::store::Connect;
use crate::store::Counts;
use crate::store::DeadLetter;
use crate::store::Saved;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::StoredOrder;
use crate::store::letters::Letters;
use crate::store::listen::Listen;
use crate::store::listen::Listening;
use crate::store::postgres::connect::Server;
use crate::store::postgres::connect::Session;
use crate::store::postgres::listen::ListeningSession;
use crate::store::postgres::notify::Instance;
use crate::supervise::StopToken;
use postgres::Client;
use postgres::GenericClient;
use postgres::Statement;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

/// How the setting of the database is called, in the sentences for people.
const SETTING: &str = "--database-url (DATABASE_URL)";

/// A PostgreSQL database: connects to it and migrates it.
#[derive(Debug)]
pub struct Postgres {
    /// Tried in the order of the URL.
    servers: Vec<Server>,
    name: Arc<str>,
    cut: StopToken,
    instance: Instance,
}

impl Postgres {
    /// Takes a URL such as `postgresql://user:password@host:5432/orders`. Connects to nothing.
    ///
    /// # Errors
    /// [`StoreError::Configuration`], with one sentence that names the setting: if the URL is
    /// malformed, names no host, or asks for TLS.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let servers = connect::servers(url)?;
        let name = connect::name(&servers).into();
        Ok(Self { servers, name, cut: StopToken::new(), instance: Instance::draw() })
    }

    /// The same, whose calls all fail at once when `cut` is given: those that are waiting for the
    /// database, and those that come after.
    #[must_use]
    pub fn cut_by(mut self, cut: StopToken) -> Self {
        self.cut = cut;
        self
    }

    fn session(&self) -> Result<Session, StoreError> {
        connect::session(&self.servers, &self.name, &self.cut)
    }

    fn client(&self) -> Result<Client, StoreError> {
        self.session().map(|session| session.client)
    }
}

impl Connect for Postgres {
    fn connect(&self) -> Result<Box<dyn Store>, StoreError> {
        let client = self.client()?;
        let what = Arc::clone(&self.name);
        let (prepared, instance) = (Prepared::default(), self.instance);
        Ok(Box::new(Connection { client, prepared, what, instance }))
    }

    fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let Session { mut client, line } = self.session()?;
        migrate::run(&mut client, &line, &self.name)
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

impl Listen for Postgres {
    fn listen(&self) -> Result<Box<dyn Listening>, StoreError> {
        let session = ListeningSession::begin(self.session()?, &self.name, self.instance)?;
        Ok(Box::new(session))
    }
}

/// One session with its prepared statements.
struct Connection {
    client: Client,
    prepared: Prepared,
    what: Arc<str>,
    /// Who is named as the one who replaced what it saves.
    instance: Instance,
}

/// The statements that a connection has prepared, by their text; each at its first use.
///
/// An unprepared statement costs two round trips more: one order read so takes 52 µs, a prepared
/// one 21 µs (2026-11-20, one machine).
#[derive(Default)]
struct Prepared(HashMap<&'static str, Statement>);

impl Prepared {
    fn statement(
        &mut self,
        client: &mut impl GenericClient,
        sql: &'static str,
    ) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.0.get(sql) {
            return Ok(statement.clone());
        }
        let statement = client.prepare(sql)?;
        self.0.insert(sql, statement.clone());
        Ok(statement)
    }
}

impl Store for Connection {
    fn assign(
        &mut self,
        group: &str,
        topic: &str,
        starts: &[(i32, i64)],
    ) -> Result<Vec<(i32, i64)>, StoreError> {
        self.assign_positions(group, topic, starts).map_err(|error| failure(&self.what, error))
    }

    fn save(&mut self, batch: &Batch) -> Result<Saved, StoreError> {
        self.save_batch(batch)
    }

    fn load(&mut self, uids: &[OrderUid]) -> Result<Vec<StoredOrder>, StoreError> {
        self.load_orders(uids)
    }

    fn page(&mut self, before: Option<i64>, limit: usize) -> Result<Vec<StoredOrder>, StoreError> {
        self.load_page(before, limit)
    }

    fn newest(&mut self, limit: usize) -> Result<Vec<OrderUid>, StoreError> {
        self.newest_uids(limit)
    }

    fn counts(&mut self) -> Result<Counts, StoreError> {
        self.count()
    }

    fn dead_letters(&mut self, topic: &str, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.load_dead_letters(topic, limit)
    }

    fn letters(&mut self) -> &mut dyn Letters {
        self
    }
}

/// What an error of a statement means.
fn failure(what: &str, error: postgres::Error) -> StoreError {
    match error.code().map(|state| state.code()) {
        // The statement's own timeout, or the one for waiting on a lock.
        Some("57014" | "55P03") => StoreError::TooSlow { what: what.to_owned() },
        // A missing table or column, which a command meets that no daemon has migrated for.
        Some("42P01" | "42703") => StoreError::Configuration(format!(
            "the database {what} lacks the schema of this orderd: bring it by `orderd migrate`, or \
             name another database in {SETTING}"
        )),
        _ => outage(what, error),
    }
}

fn outage(what: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Outage { what: what.to_owned(), source: source.into() }
}

/// An error with its sources in one line: the library's own sentence is only "db error".
fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// A limit as PostgreSQL takes it.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
