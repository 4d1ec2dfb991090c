//! What can't be saved as an order, tried again: by the command line on a store, and by HTTP in a
//! running daemon.
//!
//! A replay decodes the stored bytes as if they had just come, with the rules of the day, and has
//! the store save them and settle the letter in one transaction. The result is never cached before
//! that, and the same letter lands once however often it is replayed.
//!
//! Nothing here decides which letters deserve it: that is the operator's.

mod desk;
mod envelope;
mod feed;

use crate::order::OrderUid;
use crate::order::decode::decode_again;
use crate::order::validate::Profile;
use crate::order::validate::Violation;
use crate::store::Batch;
use crate::store::Incoming;
use bytes::Bytes;
use jiff::Timestamp;
use std::fmt;

pub use crate::dead_letters::desk::Desk;
pub use crate::dead_letters::envelope::Envelope;
pub use crate::dead_letters::feed::Feed;
pub use crate::store::Outcome;
pub use crate::store::letters::{Filter, Force, Letter, Letters, Refusal, Replayed, State};

/// What became of a replay.
#[derive(Debug)]
pub enum Verdict {
    /// Its orders are saved: each one's id and what that changed.
    Landed(Vec<(OrderUid, Outcome)>),
    /// It was settled as replayed before.
    Already,
    /// Nothing was changed, since the letter can't be replayed or mustn't.
    Refused(Refusal),
    /// Nothing was changed, since it is no order yet, for these reasons.
    StillBad(Vec<Violation>),
}

impl Verdict {
    fn of(replayed: Replayed) -> Self {
        match replayed {
            Replayed::Landed(orders) => {
                let landed = orders.into_iter().map(|(order, outcome)| (order.uid, outcome));
                Self::Landed(landed.collect())
            }
            Replayed::Refused(Refusal::Settled(State::Replayed)) => Self::Already,
            Replayed::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

/// What is to be saved of a letter by the rules of today: all that it holds, or nothing.
///
/// # Errors
/// Everything that is wrong with it.
pub fn batch(
    letter: &Letter,
    payload: &Bytes,
    profile: Profile,
    now: Timestamp,
) -> Result<Batch, Vec<Violation>> {
    let mut batch = Batch { topic: letter.place.topic.clone(), ..Batch::default() };
    let mut violations = Vec::new();
    for element in decode_again(payload, letter.part, profile, now) {
        match element.order {
            Ok(order) => batch.orders.push(Incoming {
                order,
                origin: letter.place.origin,
                payload: element.payload,
            }),
            Err(found) => violations.extend(found),
        }
    }
    if violations.is_empty() { Ok(batch) } else { Err(violations) }
}

/// Replays one letter on a store that no cache of this process stands in front of.
///
/// # Errors
/// Those of the store.
pub fn replay(
    letters: &mut dyn Letters,
    id: i64,
    profile: Profile,
    now: Timestamp,
    force: Force,
) -> Result<Verdict, crate::store::StoreError> {
    let Some((letter, payload)) = letters.find(id)? else {
        return Ok(Verdict::Refused(Refusal::Unknown));
    };
    match batch(&letter, &payload, profile, now) {
        Ok(batch) => letters.replay(id, &batch, force).map(Verdict::of),
        // Settled before, it doesn't matter what is wrong with it.
        Err(_) if letter.state == State::Replayed => Ok(Verdict::Already),
        Err(violations) => Ok(Verdict::StillBad(violations)),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such dead letter"),
            Self::Settled(state) => write!(f, "it is {state} already"),
            Self::Overtaken(Some(place)) => {
                write!(f, "its order was saved since from the later message {place}")
            }
            Self::Overtaken(None) => f.write_str(
                "its order is stored with other content, and which of the two is newer isn't known",
            ),
            Self::Database(reason) => f.write_str(reason),
        }
    }
}

/// The stable name of an outcome.
pub fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Inserted => "inserted",
        Outcome::Replaced => "replaced",
        Outcome::Duplicate => "duplicate",
    }
}
