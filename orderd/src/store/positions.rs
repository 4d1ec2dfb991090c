//! Positions in the hands of an operator: how far each group has saved each partition, and the way
//! to move one by hand.
//!
//! Moving one is for the case that ingest can't decide: a topic that was cut or made anew, so that
//! the stored position lies beyond its end. Ingest itself only ever moves a position together with
//! the data, through [`crate::store::Store::save`]. A running daemon notices: its next save finds
//! the position moved and starts over from it, and it asks now and then where nothing is saved.

use crate::store::StoreError;

/// How far a group has saved a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The consumer group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the next message.
    pub next_offset: i64,
}

/// Reads and moves positions, apart from any batch.
pub trait Positions {
    /// All positions, by group, topic and partition.
    ///
    /// # Errors
    /// Any [`StoreError`] but `PositionMoved`.
    fn positions(&self) -> Result<Vec<Position>, StoreError>;

    /// Stores `position`, whatever was stored before, and returns that.
    ///
    /// # Errors
    /// As [`Positions::positions`]; after `Outage` or `CommitUnknown` it may be stored.
    fn set_position(&self, position: &Position) -> Result<Option<i64>, StoreError>;
}
