//! From messages to what one transaction saves.
//!
//! All elements of a message go into the same batch, because a position counts messages: a position
//! between two elements of one array can't be stored.

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
                    batch.dead_letters.push(dead_letter(origin, &violations, content.payload));
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

fn dead_letter(origin: Origin, violations: &[Violation], payload: Bytes) -> DeadLetter {
    let code = violations.first().map_or("unknown", |violation| violation.code.as_str());
    let reasons: Vec<_> = violations.iter().map(Violation::to_string).collect();
    DeadLetter { origin, code: code.to_owned(), reason: reasons.join("\n"), payload }
}
