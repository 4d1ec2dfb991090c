//! Any bytes as a message: what decodes is an order whose canonical bytes decode to itself.
//!
//! What is held against every input, in both profiles:
//! * A message gives at least one element, and no element is without an order or a violation.
//! * The canonical bytes of an order are one element, with the same id, bytes and digest.
//! * What the strict profile takes, the lenient one takes as the same order.
#![no_main]

use bytes::Bytes;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use orderd::order::Order;
use orderd::order::decode::decode;
use orderd::order::validate::Profile;
use orderd::order::validate::Violation;

/// A fixed present, so that an input that fails once fails always: 2026-11-20T00:00:00Z.
const NOW: Timestamp = Timestamp::constant(1_795_132_800, 0);

fuzz_target!(|message: &[u8]| {
    let message = Bytes::copy_from_slice(message);
    let lenient = judged(&message, Profile::Lenient);
    let strict = judged(&message, Profile::Strict);
    assert_eq!(lenient.len(), strict.len(), "the profiles split the message differently");
    for (lenient, strict) in lenient.iter().zip(&strict) {
        if let Ok(strict) = strict {
            assert_eq!(lenient.as_ref().ok(), Some(strict), "the strict profile takes more");
        }
    }
});

fn judged(message: &Bytes, profile: Profile) -> Vec<Result<Order, Vec<Violation>>> {
    let elements: Vec<_> =
        decode(message, profile, NOW).into_iter().map(|element| element.order).collect();
    assert!(!elements.is_empty(), "the message vanished");
    for element in &elements {
        match element {
            Ok(order) => assert_same_from_canonical(order, profile),
            Err(violations) => assert!(!violations.is_empty(), "refused without a reason"),
        }
    }
    elements
}

fn assert_same_from_canonical(order: &Order, profile: Profile) {
    let mut again = decode(order.body(), profile, NOW);
    assert_eq!(again.len(), 1, "the canonical bytes are not one order");
    let again = again.remove(0).order.expect("the canonical bytes are refused");
    assert_eq!(again.body(), order.body());
    assert_eq!(again.digest(), order.digest());
    assert_eq!(again.uid(), order.uid());
}
