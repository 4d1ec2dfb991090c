//! The cursor of a list: the arrival number that the next page begins before.
//!
//! Opaque to clients, so that what it holds can change; the first byte says which form it has.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const FORM: u8 = 1;

/// The cursor for the page of what arrived before `arrival`.
pub(super) fn encode(arrival: i64) -> String {
    let mut bytes = [FORM; 9];
    bytes[1..].copy_from_slice(&arrival.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The arrival number of a cursor; `None` for text that [`encode`] can't have made.
pub(super) fn decode(cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    match bytes.split_first()? {
        (&FORM, arrival) => Some(i64::from_be_bytes(arrival.try_into().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 16: paged by cursor.
    #[test]
    fn a_cursor_is_its_arrival_and_nothing_else_is_a_cursor() {
        for arrival in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(decode(&encode(arrival)), Some(arrival));
        }
        for wrong in ["", "1", "AAAA", "AgAAAAAAAAAB", "AQAAAAAAAAAB=", "AQAAAAAAAAABAA", "ключ"]
        {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
