//! A dead letter as a row of the embedded database.

use crate::order::OrderUid;
use crate::order::decode::Part;
use crate::store::Origin;
use crate::store::letters::Letter;
use crate::store::letters::Place;
use crate::store::letters::State;
use bytes::Bytes;
use jiff::Timestamp;

pub(super) type Key = (&'static str, i32, i64, u32);

/// Origin; code, reason and payload, and whether that is the whole message; the order it names;
/// state, and when it came and was settled in microseconds; what has overtaken it.
pub(super) type Row = (Key, Content, Option<&'static str>, Fate, Option<Key>);
pub(super) type Content = (&'static str, &'static str, &'static [u8], bool);
pub(super) type Fate = (&'static str, i64, Option<i64>);

pub(super) fn time(microsecond: i64) -> Timestamp {
    Timestamp::from_microsecond(microsecond).unwrap_or_default()
}

pub(super) fn key(place: &Place) -> (&str, i32, i64, u32) {
    let Origin { partition, offset, element } = place.origin;
    (&place.topic, partition, offset, element)
}

fn place((topic, partition, offset, element): (&str, i32, i64, u32)) -> Place {
    Place { topic: topic.to_owned(), origin: Origin { partition, offset, element } }
}

pub(super) type Borrowed<'a> = (
    (&'a str, i32, i64, u32),
    (&'a str, &'a str, &'a [u8], bool),
    Option<&'a str>,
    (&'a str, i64, Option<i64>),
    Option<(&'a str, i32, i64, u32)>,
);

pub(super) fn row<'a>(letter: &'a Letter, payload: &'a [u8]) -> Borrowed<'a> {
    (
        key(&letter.place),
        (&letter.code, &letter.reason, payload, letter.part == Part::Message),
        letter.order_uid.as_ref().map(OrderUid::as_str),
        (
            letter.state.as_str(),
            letter.received_at.as_microsecond(),
            letter.settled_at.map(Timestamp::as_microsecond),
        ),
        letter.overtaken_by.as_ref().map(key),
    )
}

pub(super) fn payload((_, (_, _, payload, _), ..): Borrowed<'_>) -> Bytes {
    Bytes::copy_from_slice(payload)
}

pub(super) fn restored(id: i64, row: Borrowed<'_>) -> Letter {
    let (origin, (code, reason, payload, whole), uid, (state, received, settled), overtaken) = row;
    Letter {
        id,
        place: place(origin),
        part: if whole { Part::Message } else { Part::Element },
        code: code.to_owned(),
        reason: reason.to_owned(),
        order_uid: uid.and_then(|uid| OrderUid::parse(uid).ok()),
        payload_bytes: payload.len() as u64,
        received_at: time(received),
        state: State::parse(state).unwrap_or(State::Open),
        settled_at: settled.map(time),
        overtaken_by: overtaken.map(place),
    }
}
