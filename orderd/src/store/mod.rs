//! Where orders are kept: what every store promises, whichever database it is on.
//!
//! A [`Store`] is one connection, owned by one thread; a [`Connect`] makes them. So each database
//! thread has its own, needs no lock and no pool, and rebuilds what it lost.
//!
//! Invariants:
//! * Orders, dead letters and the positions of their partitions are saved in one transaction, or
//!   not at all. The positions are moved first, by compare-and-set, so that an owner that lost a
//!   partition can't write.
//! * Saving the same batch again changes nothing.
//! * The bytes that a store answers with are those of
//!   [`crate::order::document::Document::canonical`].
//!
//! A store never calls the cache, a topic or HTTP, and never retries a write by itself.

pub mod database;
pub mod letters;
pub mod listen;
pub mod positions;
pub mod postgres;

use crate::order::Digest;
use crate::order::Order;
use crate::order::OrderUid;
use crate::order::decode::Part;
use crate::store::letters::Letters;
use bytes::Bytes;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Where in its topic an element of a message lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The partition.
    pub partition: i32,
    /// The message's offset in it.
    pub offset: i64,
    /// The element's number within its message, from 0.
    pub element: u32,
}

/// An order on its way into the store.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The order itself.
    pub order: Order,
    /// Where it came from.
    pub origin: Origin,
    /// The bytes it came as, for the dead letters should the database refuse it.
    pub payload: Bytes,
}

/// An element that can never be saved, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it came from. Unique together with the topic.
    pub origin: Origin,
    /// The stable name of the first reason, such as `required` or `syntax`.
    pub code: String,
    /// All reasons, for people: one a line.
    pub reason: String,
    /// What of its message the payload is.
    pub part: Part,
    /// The bytes as they came.
    pub payload: Bytes,
}

/// How far one partition moves with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Advance {
    /// The partition.
    pub partition: i32,
    /// The position that the saver believes to be stored: the offset of the batch's first message.
    pub from: i64,
    /// The position after the batch: the offset of the next message.
    pub to: i64,
}

/// What is saved in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The consumer group and the topic, which together with a partition key a position.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// One for each partition with messages in the batch, ascending by partition.
    pub advances: Vec<Advance>,
    /// In the order of their messages. The same id may occur more than once: the last one wins.
    pub orders: Vec<Incoming>,
    /// What can't be saved as an order.
    pub dead_letters: Vec<DeadLetter>,
}

impl Batch {
    /// The distinct ids of the batch in the order of their first occurrence, each with what the
    /// batch says about it.
    pub fn versions(&self) -> Vec<Versions<'_>> {
        let mut places = HashMap::with_capacity(self.orders.len());
        let mut distinct: Vec<Versions<'_>> = Vec::with_capacity(self.orders.len());
        for incoming in &self.orders {
            match places.entry(incoming.order.uid()) {
                Entry::Vacant(place) => {
                    place.insert(distinct.len());
                    distinct.push(Versions { latest: incoming, earlier: Vec::new() });
                }
                Entry::Occupied(place) => {
                    let versions = &mut distinct[*place.get()];
                    versions.earlier.push(std::mem::replace(&mut versions.latest, incoming));
                }
            }
        }
        distinct
    }
}

/// What a batch says about one order id.
#[derive(Clone, Debug)]
pub struct Versions<'a> {
    /// The last one, which wins.
    pub latest: &'a Incoming,
    /// Those before it, in message order: what counts if the database refuses the last one.
    pub earlier: Vec<&'a Incoming>,
}

/// What became of one order id in a saved batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The id was unknown.
    Inserted,
    /// The id was known with other content.
    Replaced,
    /// The id was known with the same content; nothing was written.
    Duplicate,
}

/// What a committed transaction did.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// One for each distinct id of the batch in the order of their first occurrence: the order as
    /// stored. An id of which every version was refused isn't among them, and what is stored about
    /// it stays as it was.
    pub orders: Vec<(StoredOrder, Outcome)>,
    /// Elements that the database itself refused, bisected out of the batch and saved as dead
    /// letters in the same transaction.
    pub refused: Vec<DeadLetter>,
}

/// An order as a store answers with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOrder {
    /// The id.
    pub uid: OrderUid,
    /// Newest means highest arrival. Given in message order, and kept when an order is replaced.
    pub arrival: i64,
    /// The canonical bytes.
    pub body: Bytes,
    /// Their digest.
    pub digest: Digest,
}

/// Why a store can't do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A setting is wrong, and waiting won't mend it. The sentence names the thing and the setting.
    #[error("{0}")]
    Configuration(String),
    /// The database is away, restarting or refusing for now. Wait and try again.
    #[error("the store {what} can't be reached")]
    Outage {
        /// Which store.
        what: String,
        /// What the client library said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The statement ran into its time limit. The connection stays usable; ask for less.
    #[error("the store {what} took longer than its statement timeout")]
    TooSlow {
        /// Which store.
        what: String,
    },
    /// The outcome of a COMMIT is unknown: the batch is saved or it isn't. Read the positions
    /// again.
    #[error("the outcome of a commit on the store {what} is unknown")]
    CommitUnknown {
        /// Which store.
        what: String,
        /// What the client library said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another owner moved a position: nothing was saved. Read the positions again.
    #[error("the position of partition {partition} was moved by another owner")]
    PositionMoved {
        /// The first such partition.
        partition: i32,
    },
    /// What was read can't be an order. For the operator: the data was changed from outside.
    #[error("the store {what} holds something that is no order: {detail}")]
    Corrupt {
        /// Which store.
        what: String,
        /// The record and what is wrong with it.
        detail: String,
    },
}

/// One connection to where orders are kept.
///
/// After [`StoreError::Outage`] and [`StoreError::CommitUnknown`] the caller drops the store and
/// connects anew; after any other error the store stays usable.
pub trait Store: Send {
    /// The stored positions of these partitions, in the same order.
    ///
    /// `starts` are partitions with the offset that a partition which has no position yet begins
    /// at; its row is inserted. What is returned is final: a transaction that is moving a position,
    /// such as one whose COMMIT was lost with its connection, is waited for.
    ///
    /// # Errors
    /// Any [`StoreError`] but `PositionMoved`.
    fn assign(
        &mut self,
        group: &str,
        topic: &str,
        starts: &[(i32, i64)],
    ) -> Result<Vec<(i32, i64)>, StoreError>;

    /// Saves a batch in one transaction: positions by compare-and-set, orders, dead letters.
    ///
    /// # Errors
    /// Any [`StoreError`]. Nothing is saved, except that `CommitUnknown` can't tell.
    fn save(&mut self, batch: &Batch) -> Result<Saved, StoreError>;

    /// The orders with these ids that exist, in no particular order.
    ///
    /// # Errors
    /// `Outage`, `TooSlow`, `Corrupt`.
    fn load(&mut self, uids: &[OrderUid]) -> Result<Vec<StoredOrder>, StoreError>;

    /// The newest `limit` orders that arrived before `before`, newest first.
    ///
    /// # Errors
    /// `Outage`, `TooSlow`, `Corrupt`.
    fn page(&mut self, before: Option<i64>, limit: usize) -> Result<Vec<StoredOrder>, StoreError>;

    /// The ids of the newest `limit` orders, newest first.
    ///
    /// # Errors
    /// `Outage`, `TooSlow`, `Corrupt`.
    fn newest(&mut self, limit: usize) -> Result<Vec<OrderUid>, StoreError>;

    /// How many orders and how many dead letters are stored.
    ///
    /// # Errors
    /// `Outage`, `TooSlow`.
    fn counts(&mut self) -> Result<Counts, StoreError>;

    /// The dead letters of a topic, oldest origin first, at most `limit`.
    ///
    /// # Errors
    /// `Outage`, `TooSlow`, `Corrupt`.
    fn dead_letters(&mut self, topic: &str, limit: usize) -> Result<Vec<DeadLetter>, StoreError>;

    /// The dead letters in the hands of an operator.
    fn letters(&mut self) -> &mut dyn Letters;
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Orders.
    pub orders: u64,
    /// Dead letters of all topics.
    pub dead_letters: u64,
}

/// Makes connections to one store. Shared by all database threads.
pub trait Connect: Send + Sync {
    /// Opens a connection. Bounded in time as far as the client library allows.
    ///
    /// # Errors
    /// `Configuration` if waiting won't help, `Outage` if it may.
    fn connect(&self) -> Result<Box<dyn Store>, StoreError>;

    /// Brings the schema up to date, once, under a lock that other instances respect. Returns the
    /// names of the migrations that were applied, in order.
    ///
    /// # Errors
    /// As [`Connect::connect`].
    fn migrate(&self) -> Result<Vec<String>, StoreError>;

    /// The store's name for people, without secrets, such as `postgresql://host:5432/orders`.
    fn name(&self) -> String;
}
