//! A switch before the store of a site, which takes the store away or makes its reads stall.

use crate::http::site::PATIENCE;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::unbounded;
use orderd::embedded::Embedded;
use orderd::order::OrderUid;
use orderd::store::Batch;
use orderd::store::Connect;
use orderd::store::Counts;
use orderd::store::DeadLetter;
use orderd::store::Saved;
use orderd::store::Store;
use orderd::store::StoreError;
use orderd::store::StoredOrder;
use orderd::store::letters::Letters;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;

/// What the store does when it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Answers = 0,
    IsAway = 1,
    Stalls = 2,
}

/// The test's end. Without it a read that stalls is never let go on, and fails.
pub(super) struct Switch {
    passage: Arc<Passage>,
    stalls: Receiver<()>,
    release: Sender<()>,
}

/// The end of the store, which each read goes through.
struct Passage {
    mode: AtomicU8,
    stalled: Sender<()>,
    released: Receiver<()>,
}

struct Switched<T> {
    inner: T,
    passage: Arc<Passage>,
}

impl Switch {
    /// A switch that lets every read through.
    pub(super) fn new() -> Self {
        let (stalled, stalls) = unbounded();
        let (release, released) = unbounded();
        let mode = AtomicU8::new(Mode::Answers as u8);
        let passage = Arc::new(Passage { mode, stalled, released });
        Self { passage, stalls, release }
    }

    /// The store behind the switch.
    pub(super) fn before(&self, embedded: &Embedded) -> Arc<dyn Connect> {
        Arc::new(Switched { inner: embedded.clone(), passage: Arc::clone(&self.passage) })
    }

    pub(super) fn set(&self, mode: Mode) {
        self.passage.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// Waits until a read of the store has stalled.
    pub(super) fn wait_stalled(&self) {
        self.stalls.recv_timeout(PATIENCE).unwrap();
    }

    /// Lets every read that stalls or will stall go on.
    pub(super) fn release(&self) {
        self.set(Mode::Answers);
        for _ in 0..1000 {
            self.release.send(()).unwrap();
        }
    }
}

impl Passage {
    fn pass(&self) -> Result<(), StoreError> {
        match self.mode.load(Ordering::SeqCst) {
            1 => {
                let source = std::io::Error::other("switched off by a test").into();
                Err(StoreError::Outage { what: "test".to_owned(), source })
            }
            2 => {
                self.stalled.send(()).unwrap();
                self.released.recv_timeout(PATIENCE).unwrap();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Connect for Switched<Embedded> {
    fn connect(&self) -> Result<Box<dyn Store>, StoreError> {
        let inner = self.inner.connect()?;
        Ok(Box::new(Switched { inner, passage: Arc::clone(&self.passage) }))
    }

    fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.inner.migrate()
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}

impl Store for Switched<Box<dyn Store>> {
    fn assign(
        &mut self,
        group: &str,
        topic: &str,
        starts: &[(i32, i64)],
    ) -> Result<Vec<(i32, i64)>, StoreError> {
        self.inner.assign(group, topic, starts)
    }

    fn save(&mut self, batch: &Batch) -> Result<Saved, StoreError> {
        self.inner.save(batch)
    }

    fn load(&mut self, uids: &[OrderUid]) -> Result<Vec<StoredOrder>, StoreError> {
        self.passage.pass()?;
        self.inner.load(uids)
    }

    fn page(&mut self, before: Option<i64>, limit: usize) -> Result<Vec<StoredOrder>, StoreError> {
        self.passage.pass()?;
        self.inner.page(before, limit)
    }

    fn newest(&mut self, limit: usize) -> Result<Vec<OrderUid>, StoreError> {
        self.inner.newest(limit)
    }

    fn counts(&mut self) -> Result<Counts, StoreError> {
        self.inner.counts()
    }

    fn dead_letters(&mut self, topic: &str, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.dead_letters(topic, limit)
    }

    fn letters(&mut self) -> &mut dyn Letters {
        self.inner.letters()
    }
}
