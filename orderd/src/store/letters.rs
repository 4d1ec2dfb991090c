//! Dead letters in the hands of an operator: found, read, replayed or dropped.
//!
//! A letter is *open* until it is replayed or dropped, and its row stays after that: the message
//! that it came from may be read again, and must not make it come back.
//!
//! Replaying an old letter can undo what was saved since. So each saved batch marks the open
//! letters about its orders as *overtaken* by the message that the order was saved from. Within a
//! partition only a later message overtakes; between partitions, whose messages have no order,
//! whatever is saved later does.
//!
//! Invariants:
//! * A replay saves its orders the way a batch is saved, and settles the letter in the same
//!   transaction: it lands once or not at all.
//! * A replay locks the orders before the letter, like a batch that overtakes it, so that the two
//!   can't deadlock.

use crate::order::OrderUid;
use crate::order::decode::Part;
use crate::store::Batch;
use crate::store::Origin;
use crate::store::Outcome;
use crate::store::StoreError;
use crate::store::StoredOrder;
use bytes::Bytes;
use jiff::Timestamp;
use std::fmt;

/// How many characters of a reason a list shows: one letter may have a megabyte of them.
pub const REASON_CHARS_MAX: usize = 500;

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing yet.
    Open,
    /// Its orders were saved.
    Replayed,
    /// Somebody decided that it isn't needed.
    Dropped,
}

impl State {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Open, Self::Replayed, Self::Dropped];

    /// The state's name in the database, in lists and in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Replayed => "replayed",
            Self::Dropped => "dropped",
        }
    }

    /// The state with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An element of a message, in whichever topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// Where in the topic.
    pub origin: Origin,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, origin: Origin { partition, offset, element } } = self;
        write!(f, "{topic}/{partition}/{offset}/{element}")
    }
}

/// A dead letter, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Later letters have higher ids.
    pub id: i64,
    /// Where it came from.
    pub place: Place,
    /// What of its message the payload is.
    pub part: Part,
    /// The stable name of the first reason.
    pub code: String,
    /// All reasons, one a line. In a list, the first [`REASON_CHARS_MAX`] characters of them.
    pub reason: String,
    /// The order that the payload names, if it names one.
    pub order_uid: Option<OrderUid>,
    /// How long the payload is.
    pub payload_bytes: u64,
    /// When it was stored.
    pub received_at: Timestamp,
    /// What became of it.
    pub state: State,
    /// When that was.
    pub settled_at: Option<Timestamp>,
    /// The message that the same order was saved from since.
    pub overtaken_by: Option<Place>,
}

/// Which letters are meant. Those that meet all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Letters in this state.
    pub state: Option<State>,
    /// Letters with this code.
    pub code: Option<String>,
    /// Letters with this text in their reasons.
    pub reason: Option<String>,
}

impl Filter {
    /// Those that wait for somebody to decide.
    pub fn open() -> Self {
        Self { state: Some(State::Open), ..Self::default() }
    }
}

/// Whether a replay may undo what was saved since, or bring back what was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It may.
    Yes,
    /// It may not.
    No,
}

/// What a replay did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// The orders are saved and the letter is settled.
    Landed(Vec<(StoredOrder, Outcome)>),
    /// Nothing was changed.
    Refused(Refusal),
}

/// Why a replay changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such letter.
    Unknown,
    /// It was replayed before, or it was dropped and isn't forced.
    Settled(State),
    /// Its order was saved since. `None`: the order is stored with other content, and the letter
    /// didn't say when it came that it is about it, so nobody knows which is newer.
    Overtaken(Option<Place>),
    /// The database doesn't take the order, for this reason.
    Database(String),
}

/// Finds and settles dead letters.
pub trait Letters {
    /// The letters with an id below `before` that `filter` means, newest first.
    ///
    /// # Errors
    /// `Outage`, `TooSlow`, `Corrupt`.
    fn list(
        &mut self,
        filter: &Filter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError>;

    /// The ids above `after` that `filter` means, oldest first: the order in which letters are
    /// replayed, so that of two about one order the later one wins.
    ///
    /// # Errors
    /// `Outage`, `TooSlow`.
    fn ids(&mut self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<i64>, StoreError>;

    /// One letter with all its reasons, and its bytes.
    ///
    /// # Errors
    /// `Outage`, `TooSlow`, `Corrupt`.
    fn find(&mut self, id: i64) -> Result<Option<(Letter, Bytes)>, StoreError>;

    /// How many letters `filter` means.
    ///
    /// # Errors
    /// `Outage`, `TooSlow`.
    fn count(&mut self, filter: &Filter) -> Result<u64, StoreError>;

    /// Saves the orders of `batch`, which were made from the letter, and settles it. `batch` has
    /// the letter's topic, its orders the letter's origin, and no positions.
    ///
    /// # Errors
    /// Any [`StoreError`] but `PositionMoved`. Nothing is changed, except that `CommitUnknown`
    /// can't tell; replaying again does it once in either case.
    fn replay(&mut self, id: i64, batch: &Batch, force: Force) -> Result<Replayed, StoreError>;

    /// Settles those of these letters that are open as dropped, and returns their ids.
    ///
    /// # Errors
    /// `Outage`, `TooSlow`, `CommitUnknown`; dropping again is harmless.
    fn discard(&mut self, ids: &[i64]) -> Result<Vec<i64>, StoreError>;

    /// The oldest letters that the topic of dead letters doesn't have, with their bytes. Nobody
    /// else gets the same ones for half a minute, so that instances don't send each letter twice.
    ///
    /// # Errors
    /// Any [`StoreError`] but `PositionMoved`.
    fn claim_unpublished(&mut self, limit: usize) -> Result<Vec<(Letter, Bytes)>, StoreError>;

    /// Notes that the topic of dead letters has these.
    ///
    /// # Errors
    /// Any [`StoreError`] but `PositionMoved`; then they are published once more.
    fn published(&mut self, ids: &[i64]) -> Result<(), StoreError>;
}
