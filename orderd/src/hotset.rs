//! The ids of the cached orders, most recently used first, kept in a file over a restart.
//!
//! Only ids are kept: bytes might be old by the next start, and orders hold personal data. The ids
//! are warmed first, from the store, so what is warmed is always what is stored, and an order that
//! is gone is just not found.
//!
//! Invariants:
//! * The file is replaced as a whole, and is on the disk before its name is: a crash leaves the
//!   former one.
//! * It isn't written before the warm-up of this start has ended, since a daemon that never reached
//!   its store would replace a good file by an empty one.
//! * Whatever is in the file, the daemon starts: what can't be read is logged and left out.

use crate::catalog::Catalog;
use crate::order::OrderUid;
use crate::supervise::Crew;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufWriter;
use std::io::Read as _;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many ids are kept. At 20 ids a statement and 30 µs an order they are warmed in seconds.
pub const IDS_MAX: usize = 100_000;

/// The first line of the file: what it is, and in which form.
const HEADER: &str = "orderd hot set 1";

/// An id has up to 64 bytes, and a line feed.
const FILE_BYTES_MAX: u64 = (IDS_MAX as u64 + 1) * 65;

/// How often the file is written while the daemon runs.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// The file of a daemon's hot set, or none.
#[derive(Clone, Debug, Default)]
pub struct HotSet(Option<Arc<Kept>>);

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    is_warmed: AtomicBool,
}

impl HotSet {
    /// The hot set in this file. Without one nothing is read or written.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self(path.map(|path| Arc::new(Kept { path, is_warmed: AtomicBool::new(false) })))
    }

    /// The ids of the last run, most recently used first. Empty if there is no file, or none that
    /// can be read, which is logged.
    pub fn read(&self) -> Vec<OrderUid> {
        let Some(kept) = &self.0 else { return Vec::new() };
        match read(&kept.path) {
            Ok(uids) => uids,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                let path = kept.path.display();
                tracing::warn!(%path, %error, "the hot set can't be read, and is left out");
                Vec::new()
            }
        }
    }

    /// The warm-up has ended, so that the cache may replace what the file holds.
    pub fn warmed(&self) {
        if let Some(kept) = &self.0 {
            kept.is_warmed.store(true, Ordering::Release);
        }
    }

    /// Starts the thread that writes the file every five minutes and once when `crew` stops.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(&self, crew: &Crew, catalog: &Arc<Catalog>) -> io::Result<()> {
        let Some(kept) = self.0.clone() else { return Ok(()) };
        let catalog = Arc::clone(catalog);
        crew.spawn_restarting("hot-set", move |stop| {
            loop {
                let is_last = stop.wait(SAVE_EVERY);
                kept.save(&catalog);
                if is_last {
                    return;
                }
            }
        })
    }
}

impl Kept {
    fn save(&self, catalog: &Catalog) {
        if !self.is_warmed.load(Ordering::Acquire) {
            return;
        }
        let mut uids = catalog.uids_by_recency();
        uids.truncate(IDS_MAX);
        if let Err(error) = replace(&self.path, &uids) {
            tracing::warn!(path = %self.path.display(), %error, "the hot set can't be saved");
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<OrderUid>> {
    let mut text = String::new();
    let bytes = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if bytes as u64 > FILE_BYTES_MAX {
        return Err(foreign("it is too large"));
    }
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(foreign("its first line is another"));
    }
    lines
        .map(|line| OrderUid::parse(line).map_err(|_| foreign("it holds something else")))
        .collect()
}

fn foreign(reason: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("this is no hot set of this orderd: {reason}"),
    )
}

fn replace(path: &Path, uids: &[OrderUid]) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&fresh)?;
    let mut file = BufWriter::new(file);
    writeln!(file, "{HEADER}")?;
    for uid in uids {
        writeln!(file, "{uid}")?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(&fresh, path)?;
    // The folder has to be on the disk too, or the former name may come back.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if cfg!(unix) { File::open(folder.unwrap_or(Path::new(".")))?.sync_all() } else { Ok(()) }
}
