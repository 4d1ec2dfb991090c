//! Hearing what other instances replace: what a store promises that several daemons write to.
//!
//! A store that only one process can open has no such side. On one that many write to, the
//! transaction that replaces orders tells everybody their ids, and [`Listening`] is how an instance
//! hears them. Only *replaced* orders are told: an unknown id is remembered as unknown for so short
//! a time that nobody needs to hear of its order's arrival, and everything else that is written
//! (dead letters, positions) is never cached.
//!
//! Invariants:
//! * What is told was committed before it is heard, and is heard in the order of the commits.
//! * A heartbeat goes the same way: when it is heard, everything that was committed before it was
//!   sent has been heard.
//! * No call waits past its deadline, whatever the server does. A session that fails is dropped.

use crate::order::OrderUid;
use crate::store::StoreError;
use std::time::Duration;

/// Who replaced orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// A connection of the same [`Listen`]er: the instance itself.
    ThisInstance,
    /// Anybody else.
    Another,
}

/// What a session hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// These orders have other content than before.
    Replaced {
        /// Who wrote it.
        by: Writer,
        /// Their ids.
        uids: Vec<OrderUid>,
    },
    /// A heartbeat of this session came back, with the token that it was sent with.
    Heartbeat(u64),
    /// Something that this version can't read: any order may have been replaced.
    Unreadable,
}

/// One session that hears. What was told before it began is not heard.
pub trait Listening: Send {
    /// The next of what is told, waited for at most `wait_max`; `None` if nothing came.
    ///
    /// # Errors
    /// `Outage`: the session is over.
    fn hear(&mut self, wait_max: Duration) -> Result<Option<Heard>, StoreError>;

    /// Sends a heartbeat on its way through the database, which takes two seconds at most.
    ///
    /// # Errors
    /// `Outage`: the session is over.
    fn send_heartbeat(&mut self, token: u64) -> Result<(), StoreError>;
}

/// Opens sessions that hear.
pub trait Listen: Send + Sync {
    /// Opens a session; when it returns, everything that is committed from now on will be heard.
    /// Takes a few seconds at most.
    ///
    /// # Errors
    /// As [`crate::store::Connect::connect`].
    fn listen(&self) -> Result<Box<dyn Listening>, StoreError>;
}
