//! From messages to what one transaction saves.
//!
//! All elements of a message go into the same batch, because a position counts messages: a position
//! between two elements of one array can't be stored.

use crate::order::decode::Part;
use crate::order::decode::decode;
use crate::order::validate::Profile;
use crate::order::validate::Violation;
use crate::store::Advance;
use crate::store::Batch;
use crate::store::DeadLetter;
use crate::store::Incoming;
use crate::store::Origin;
use crate::topic::Message;
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// How many elements a batch takes before it takes no further message. One message may hold 20 000,
/// and each costs 230 bytes of memory until it is saved (2026-11-20): so one message alone decides
/// how much that is, and not the size of a fetch.
const ELEMENTS_MAX: usize = 2500;

/// How many bytes of messages one transaction takes, unless a single message has more: a bound on
/// what decoding holds in memory.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// The messages at the front that one transaction takes, at least one.
pub(super) fn first(messages: &[Message], count_max: usize) -> &[Message] {
    let mut bytes = 0;
    let fits = |message: &&Message| {
        bytes += message.value.len();
        bytes <= BATCH_BYTES_MAX
    };
    let count = messages.iter().take(count_max).take_while(fits).count();
    &messages[..count.clamp(1, messages.len())]
}

/// Decodes messages from the front of `messages`, at least one, into a batch without group and
/// topic. Returns it with their number. `positions` are the stored ones, which the partitions
/// advance from.
pub(super) fn assemble(
    messages: &[Message],
    positions: &BTreeMap<i32, i64>,
    profile: Profile,
    now: Timestamp,
) -> (Batch, usize) {
    let mut count = 0;
    let mut batch = Batch::default();
    let mut ends = BTreeMap::new();
    for message in messages {
        if batch.orders.len() + batch.dead_letters.len() >= ELEMENTS_MAX {
            break;
        }
        count += 1;
        let Message { partition, offset, .. } = *message;
        ends.insert(partition, offset + 1);
        for (element, content) in (0..).zip(decode(&message.value, profile, now)) {
            let origin = Origin { partition, offset, element };
            match content.order {
                Ok(order) => {
                    batch.orders.push(Incoming { order, origin, payload: content.payload });
                }
                Err(violations) => {
                    let (part, payload) = (content.part, content.payload);
                    batch.dead_letters.push(dead_letter(origin, part, &violations, payload));
                }
            }
        }
    }
    batch.advances = ends
        .into_iter()
        .map(|(partition, to)| Advance {
            partition,
            from: positions.get(&partition).copied().unwrap_or_default(),
            to,
        })
        .collect();
    (batch, count)
}

fn dead_letter(origin: Origin, part: Part, violations: &[Violation], payload: Bytes) -> DeadLetter {
    let code = violations.first().map_or("unknown", |violation| violation.code.as_str());
    let reasons: Vec<_> = violations.iter().map(Violation::to_string).collect();
    DeadLetter { origin, code: code.to_owned(), reason: reasons.join("\n"), part, payload }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[track_caller]
    fn check(sizes: &[usize], count_max: usize, expected: usize) {
        let message = |size: &usize| Message {
            partition: 0,
            offset: 0,
            key: Bytes::new(),
            value: Bytes::from(vec![b' '; *size]),
        };
        let messages: Vec<_> = sizes.iter().map(message).collect();
        assert_eq!(first(&messages, count_max).len(), expected);
    }

    /// Design: what a transaction takes is bounded, and a large message alone still goes through.
    #[test]
    fn a_batch_is_bounded_in_messages_and_in_bytes() {
        check(&[1; 10], 500, 10);
        check(&[1; 10], 3, 3);
        check(&[BATCH_BYTES_MAX / 2; 3], 500, 2);
        check(&[BATCH_BYTES_MAX / 2 + 1; 3], 500, 1);
        check(&[BATCH_BYTES_MAX + 1, 1], 500, 1);
    }
}
