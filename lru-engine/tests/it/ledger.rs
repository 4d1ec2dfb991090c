//! Keys and values whose user code panics when a test says so, and the ledger of what became of
//! them.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::hash::Hasher;
use std::panic;
use std::rc::Rc;
use std::thread;

/// A kind of user code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Hash,
    Eq,
    Clone,
    Drop,
    Closure,
    Listener,
    Weigher,
}

/// What the panics of this test say, to tell them from failures.
pub(crate) const PANIC: &str = "the nth call";

/// Counts calls, panics at one of them, and knows what is alive.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The call that panics: which kind, and how many of that kind come before it.
    pub(crate) panic_at: Cell<Option<(Call, u32)>>,
    made: Cell<u64>,
    /// By serial number, how often each thing was dropped.
    drops: RefCell<HashMap<u64, u32>>,
}

impl Ledger {
    pub(crate) fn call(&self, call: Call) {
        match self.panic_at.get() {
            // A second panic while the first unwinds would end the process, in any program.
            Some((kind, 0)) if kind == call && !thread::panicking() => {
                self.panic_at.set(None);
                panic::panic_any(PANIC);
            }
            Some((kind, left)) if kind == call && left > 0 => {
                self.panic_at.set(Some((kind, left - 1)));
            }
            _ => {}
        }
    }

    pub(crate) fn has_fired(&self) -> bool {
        self.panic_at.get().is_none()
    }

    pub(crate) fn check_all_dropped_once(&self) {
        let drops = self.drops.borrow();
        assert_eq!(drops.len() as u64, self.made.get(), "something leaked");
        assert!(drops.values().all(|&count| count == 1), "something was dropped twice");
    }
}

/// A key or a value, entered in the ledger.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) number: u32,
    serial: u64,
    ledger: Rc<Ledger>,
}

impl Probe {
    pub(crate) fn new(number: u32, ledger: &Rc<Ledger>) -> Self {
        let serial = ledger.made.get();
        ledger.made.set(serial + 1);
        Self { number, serial, ledger: Rc::clone(ledger) }
    }
}

impl Hash for Probe {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ledger.call(Call::Hash);
        self.number.hash(state);
    }
}

impl PartialEq for Probe {
    fn eq(&self, other: &Self) -> bool {
        self.ledger.call(Call::Eq);
        self.number == other.number
    }
}

impl Eq for Probe {}

impl Clone for Probe {
    fn clone(&self) -> Self {
        self.ledger.call(Call::Clone);
        Self::new(self.number, &self.ledger)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        *self.ledger.drops.borrow_mut().entry(self.serial).or_default() += 1;
        self.ledger.call(Call::Drop);
    }
}
