//! A real store that fails at chosen calls, in every way that a store can fail, some of them after
//! the commit has really happened.

use orderd::catalog::Catalog;
use orderd::catalog::Lookup;
use orderd::clock::Clock;
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
use orderd::supervise::readiness::Part;
use orderd::supervise::readiness::Readiness;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

/// What a call of `save` does instead of answering with what the store answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    OutageBefore,
    TooSlow,
    UnknownCommitted,
    UnknownCommittedLate,
    UnknownRolledBack,
    MovedByAnother,
    Panic,
}

pub(crate) const FAULTS: [Fault; 7] = [
    Fault::OutageBefore,
    Fault::TooSlow,
    Fault::UnknownCommitted,
    Fault::UnknownCommittedLate,
    Fault::UnknownRolledBack,
    Fault::MovedByAnother,
    Fault::Panic,
];

/// A real store, and what its calls do instead.
#[derive(Clone)]
pub(crate) struct Faulty {
    pub(crate) inner: Arc<dyn Connect>,
    /// The next faults; a call without one passes.
    pub(crate) faults: Arc<Mutex<VecDeque<Option<Fault>>>>,
    /// How many messages each call of `save` advanced over.
    pub(crate) sizes: Arc<Mutex<Vec<i64>>>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) catalog: Arc<Catalog>,
    /// A batch whose COMMIT takes effect when the positions are asked for.
    pub(crate) late: Arc<Mutex<Option<Batch>>>,
    /// Whether the topic was ready at each call of `save`.
    pub(crate) ready: Arc<Mutex<Vec<bool>>>,
}

struct FaultyStore {
    inner: Box<dyn Store>,
    shared: Faulty,
}

impl Connect for Faulty {
    fn connect(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(FaultyStore { inner: self.inner.connect()?, shared: self.clone() }))
    }

    fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.inner.migrate()
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}

#[expect(clippy::panic_in_result_fn, reason = "a panic is one of the faults")]
impl Store for FaultyStore {
    fn assign(
        &mut self,
        group: &str,
        topic: &str,
        starts: &[(i32, i64)],
    ) -> Result<Vec<(i32, i64)>, StoreError> {
        if let Some(batch) = self.shared.late.lock().unwrap().take() {
            // Readers come before the COMMIT, which nobody waits for any more, takes effect.
            for incoming in &batch.orders {
                if let Ok(Lookup::Pending(order)) = self.shared.catalog.lookup(incoming.order.uid())
                {
                    order.wait(Duration::from_secs(20)).unwrap();
                }
            }
            self.inner.save(&batch)?;
        }
        self.inner.assign(group, topic, starts)
    }

    fn save(&mut self, batch: &Batch) -> Result<Saved, StoreError> {
        let moved = batch.advances.iter().map(|advance| advance.to - advance.from).sum();
        self.shared.sizes.lock().unwrap().push(moved);
        let ready = topic_missing(&self.shared.readiness).is_none();
        self.shared.ready.lock().unwrap().push(ready);
        let fault = self.shared.faults.lock().unwrap().pop_front().flatten();
        let what = "the test's".to_owned();
        let source = || Box::new(std::io::Error::other("a fault of the test"));
        match fault {
            None => self.inner.save(batch),
            Some(Fault::OutageBefore) => Err(StoreError::Outage { what, source: source() }),
            Some(Fault::TooSlow) => Err(StoreError::TooSlow { what }),
            Some(Fault::UnknownCommitted) => {
                self.inner.save(batch)?;
                Err(StoreError::CommitUnknown { what, source: source() })
            }
            Some(Fault::UnknownCommittedLate) => {
                *self.shared.late.lock().unwrap() = Some(batch.clone());
                Err(StoreError::CommitUnknown { what, source: source() })
            }
            Some(Fault::UnknownRolledBack) => {
                Err(StoreError::CommitUnknown { what, source: source() })
            }
            Some(Fault::MovedByAnother) => {
                // Another owner saved the same messages first; the real compare-and-set says so.
                self.inner.save(batch)?;
                self.inner.save(batch)
            }
            Some(Fault::Panic) => panic!("a fault of the test"),
        }
    }

    fn load(&mut self, uids: &[OrderUid]) -> Result<Vec<StoredOrder>, StoreError> {
        self.inner.load(uids)
    }

    fn page(&mut self, before: Option<i64>, limit: usize) -> Result<Vec<StoredOrder>, StoreError> {
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

/// What the topic lacks, as `/readyz` says it.
pub(crate) fn topic_missing(readiness: &Readiness) -> Option<String> {
    let snapshot = readiness.snapshot(Clock::system().now());
    snapshot.into_iter().find(|(part, _)| *part == Part::Topic).unwrap().1
}
