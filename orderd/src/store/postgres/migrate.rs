//! The schema's migrations, built into the binary and applied under a lock of the database.

use crate::store::StoreError;
use crate::store::postgres::SETTING;
use crate::store::postgres::in_full;
use crate::store::postgres::line::Line;
use crate::store::postgres::outage;
use postgres::Client;
use refinery::error::Kind;
use std::time::Duration;

mod embedded {
    refinery::embed_migrations!("../migrations");
}

/// The advisory lock that migrating instances take in turn: `orderd` as eight bytes.
const LOCK_KEY: i64 = i64::from_be_bytes(*b"\0\0orderd");

/// A migration may take its time; waiting for a lock, this one's or a table's, is bounded.
const SESSION: &str = "set statement_timeout = 0; set lock_timeout = '30s'; \
     set idle_in_transaction_session_timeout = 0";

/// How long a server may be silent meanwhile: it waits for a lock, or rewrites a table.
const SILENT_MAX: Duration = Duration::from_secs(600);

/// Applies what is missing, all of it in one transaction, and returns the names of that.
///
/// Grouped, because the library otherwise commits a migration before it notes that it was applied:
/// a crash in between would leave a schema that can neither be used nor migrated.
pub(super) fn run(client: &mut Client, line: &Line, what: &str) -> Result<Vec<String>, StoreError> {
    client.batch_execute(SESSION).map_err(|error| outage(what, error))?;
    check_encoding(client, what)?;
    line.set_patience(SILENT_MAX);
    // Released when the session ends, which it does with this migration, however that goes.
    client
        .execute("select pg_advisory_lock($1)", &[&LOCK_KEY])
        .map_err(|error| lock_failure(what, error))?;
    let report = embedded::migrations::runner()
        .set_grouped(true)
        .run(client)
        .map_err(|error| failure(what, &error))?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// In another encoding some orders couldn't be kept, and would become dead letters one by one.
fn check_encoding(client: &mut Client, what: &str) -> Result<(), StoreError> {
    let encoding: String = client
        .query_one("select current_setting('server_encoding')", &[])
        .and_then(|row| row.try_get(0))
        .map_err(|error| outage(what, error))?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(StoreError::Configuration(format!(
        "the database {what} has the encoding {encoding}, which can't hold every order: name one \
         with the encoding UTF8 in {SETTING}"
    )))
}

fn lock_failure(what: &str, error: postgres::Error) -> StoreError {
    if error.code() == Some(&postgres::error::SqlState::LOCK_NOT_AVAILABLE) {
        outage(what, "another instance has been migrating for longer than 30 seconds")
    } else {
        outage(what, error)
    }
}

fn failure(what: &str, error: &refinery::Error) -> StoreError {
    let Kind::Connection(_, source) = error.kind() else {
        return StoreError::Configuration(format!(
            "the schema of {what} doesn't fit this orderd ({error}): run the orderd that migrated \
             it, or name another database in {SETTING}"
        ));
    };
    let text = in_full(source.as_ref());
    let code = source.downcast_ref::<postgres::Error>().and_then(postgres::Error::code);
    // Class 42 is what no waiting mends: a missing right, or tables that are somebody else's.
    if code.is_some_and(|state| state.code().starts_with("42")) {
        return StoreError::Configuration(format!(
            "the schema of {what} can't be migrated ({text}): grant what is missing, or name \
             another database in {SETTING}"
        ));
    }
    outage(what, text)
}
