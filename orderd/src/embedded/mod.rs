//! The embedded database: one file in the data folder that holds a store and a topic.
//!
//! It is what `orderd` runs on when it is given no PostgreSQL and no Kafka, so that one command
//! shows the whole way of an order. Store and topic are apart although they share the file: either
//! one works with the other kind of its counterpart, and positions are only ever kept by a store.
//!
//! Invariants:
//! * Every change is one transaction, on the disk before it is acknowledged.
//! * One process at a time has the file open.
//! * After an error of the disk the file is opened again before it is used again, since the
//!   database refuses everything after one.

mod letter_row;
mod letters;
mod store;
#[cfg(test)]
mod tests;
mod topic;

use crate::store::StoreError;
use redb::Database;
use redb::DatabaseError;
use redb::ReadTransaction;
use redb::ReadableDatabase;
use redb::ReadableTable;
use redb::StorageError;
use redb::TableDefinition;
use redb::WriteTransaction;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use topic::Progress;

pub use topic::EmbeddedTopic;

/// The database's file within the data folder.
const FILE_NAME: &str = "orderd.redb";

/// How the setting of the data folder is called, in the sentences for people.
const SETTING: &str = "--data-dir (ORDERD_DATA_DIR)";

/// The layout of the tables below. A file with a higher version was written by a later `orderd`.
const SCHEMA_VERSION: u64 = 2;

/// The library's own cache is 1 GiB unless told otherwise; orders are cached by the catalog, and
/// the operating system caches the file.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Facts about the file itself: `schema`.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The embedded database of one data folder. Cloning it gives the same one.
#[derive(Clone)]
pub struct Embedded(Arc<Shared>);

struct Shared {
    path: PathBuf,
    /// `None` only while, or after, opening it again has failed.
    database: RwLock<Option<Database>>,
    /// The disk failed, so the library refuses everything until the file is opened again.
    broken: AtomicBool,
    progress: Progress,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Embedded").field(&self.0.path).finish()
    }
}

impl Embedded {
    /// Opens the database in `data_dir`, and makes both if they are missing. After a crash this
    /// brings the file back to its last commit, which reads the whole file.
    ///
    /// # Errors
    /// [`StoreError::Configuration`], with one sentence that names the folder and its setting: if
    /// the folder can't be made or written, another process has it open, the file is no database,
    /// or a later `orderd` wrote it.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(data_dir).map_err(|error| unusable(data_dir, &error))?;
        let path = data_dir.join(FILE_NAME);
        let database = open_file(&path).map_err(|error| refusal(data_dir, &path, error))?;
        prepare(&database).map_err(|error| unusable(data_dir, &error))?;
        check_version(&database, data_dir)?;
        sync_folder(data_dir).map_err(|error| unusable(data_dir, &error))?;
        Ok(Self(Arc::new(Shared {
            path,
            database: RwLock::new(Some(database)),
            broken: AtomicBool::new(false),
            progress: Progress::default(),
        })))
    }

    /// As [`Embedded::open`], for commands that look into a database and shouldn't make one.
    ///
    /// # Errors
    /// As [`Embedded::open`], and if the folder holds no database.
    pub fn open_existing(data_dir: &Path) -> Result<Self, StoreError> {
        if data_dir.join(FILE_NAME).exists() {
            return Self::open(data_dir);
        }
        let folder = data_dir.display();
        Err(StoreError::Configuration(format!(
            "the folder {folder} holds no database of orderd: name another with {SETTING}"
        )))
    }

    /// The topic `name` in this database, with `partitions` partitions, or as many as it has
    /// already if these are more. The topic is made when its first source or sink is opened.
    pub fn topic(&self, name: &str, partitions: u16) -> EmbeddedTopic {
        EmbeddedTopic::new(self.clone(), name, partitions)
    }

    fn name(&self) -> String {
        format!("embedded:{}", self.0.path.display())
    }

    fn begin_read(&self) -> Result<ReadTransaction, redb::Error> {
        let database = self.0.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(database.as_ref().ok_or(redb::Error::DatabaseClosed)?.begin_read()?)
    }

    /// Waits for the writer before it, which is one commit at most: each holds its transaction
    /// while it writes what it has in hand, and nothing else.
    fn begin_write(&self) -> Result<WriteTransaction, redb::Error> {
        let database = self.0.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(database.as_ref().ok_or(redb::Error::DatabaseClosed)?.begin_write()?)
    }

    /// Remembers an error after which the file has to be opened again.
    fn note(&self, error: &redb::Error) {
        let fatal = matches!(
            error,
            redb::Error::Io(_)
                | redb::Error::PreviousIo
                | redb::Error::DatabaseClosed
                | redb::Error::LockPoisoned(_)
        );
        if fatal {
            self.0.broken.store(true, Ordering::Release);
        }
    }

    /// Opens the file again if the disk has failed since.
    fn revive(&self) -> Result<(), redb::Error> {
        if !self.0.broken.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut database = self.0.database.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been here first.
        if self.0.broken.load(Ordering::Acquire) {
            // Closed first: the file is locked against a second opening.
            *database = None;
            *database = Some(open_file(&self.0.path)?);
            self.0.broken.store(false, Ordering::Release);
        }
        Ok(())
    }
}

fn open_file(path: &Path) -> Result<Database, DatabaseError> {
    Database::builder().set_cache_size(CACHE_BYTES).create(path)
}

/// Makes all tables, so that no reader meets a missing one, and writes a fresh file's version. A
/// file of the first version gets what the second one added.
fn prepare(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    let version = {
        let mut meta = transaction.open_table(META)?;
        let version = meta.get("schema")?.map(|version| version.value());
        if version.is_none_or(|version| version == 1) {
            meta.insert("schema", SCHEMA_VERSION)?;
        }
        version
    };
    match version {
        None => {
            store::create_tables(&transaction)?;
            topic::create_tables(&transaction)?;
        }
        Some(1) => letters::upgrade(&transaction)?,
        Some(_) => {
            transaction.abort()?;
            return Ok(());
        }
    }
    transaction.commit()?;
    Ok(())
}

fn check_version(database: &Database, data_dir: &Path) -> Result<(), StoreError> {
    let stored = || -> Result<u64, redb::Error> {
        let meta = database.begin_read()?.open_table(META)?;
        Ok(meta.get("schema")?.map_or(0, |version| version.value()))
    };
    let version = stored().map_err(|error| unusable(data_dir, &error))?;
    if version == SCHEMA_VERSION {
        return Ok(());
    }
    Err(StoreError::Configuration(format!(
        "the data folder {} holds data of schema version {version}, but this orderd knows \
         version {SCHEMA_VERSION}: run the orderd that wrote it, or give another folder with \
         {SETTING}",
        data_dir.display()
    )))
}

/// Brings a fresh file's name to the disk: the database syncs what is in the file and not the
/// folder that names it.
fn sync_folder(data_dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(data_dir)?.sync_all() } else { Ok(()) }
}

fn refusal(data_dir: &Path, path: &Path, error: DatabaseError) -> StoreError {
    let folder = data_dir.display();
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::Configuration(format!(
            "the data folder {folder} is in use by another process: stop that one, or give \
             another folder with {SETTING}"
        )),
        DatabaseError::Storage(StorageError::Corrupted(detail)) => foreign(path, &detail),
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == io::ErrorKind::InvalidData =>
        {
            foreign(path, &error.to_string())
        }
        other => unusable(data_dir, &other),
    }
}

fn foreign(path: &Path, detail: &str) -> StoreError {
    StoreError::Configuration(format!(
        "the file {} is no orderd database ({detail}): move it away, or give another folder \
         with {SETTING}",
        path.display()
    ))
}

fn unusable(data_dir: &Path, error: &dyn std::error::Error) -> StoreError {
    StoreError::Configuration(format!(
        "the data folder {} can't be used ({error}): give one that can be written with {SETTING}",
        data_dir.display()
    ))
}
