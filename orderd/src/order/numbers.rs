//! Numbers that are good JSON and too large for the reader.
//!
//! JSON bounds no number, but `simd_json` refuses a whole text for one that no float holds, such as
//! `1e999`, even in a field that nobody reads. Such a text is read again with those numbers made
//! smaller. They stay far outside the integers, so that a field that is read still refuses them.

use serde_json::value::RawValue;

/// Beyond every 64-bit integer and within every float.
const HUGE: &[u8] = b"1e300";

/// A copy of `text` in which every number beyond the floats is as large as [`HUGE`].
pub(crate) fn tamed(text: &[u8]) -> Vec<u8> {
    let mut tamed = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        let length = match byte {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => number_length(rest),
            _ => 1,
        };
        let (token, after) = rest.split_at(length);
        if is_beyond_floats(token) {
            if byte == b'-' {
                tamed.push(b'-');
            }
            tamed.extend_from_slice(HUGE);
        } else {
            tamed.extend_from_slice(token);
        }
        rest = after;
    }
    tamed
}

/// The length of the string that `text` starts with, quotes included.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

fn number_length(text: &[u8]) -> usize {
    let of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    text.iter().position(|byte| !of_number(byte)).unwrap_or(text.len())
}

fn is_beyond_floats(token: &[u8]) -> bool {
    // The second condition keeps what only resembles a number, such as `01e999`, as it is.
    std::str::from_utf8(token).is_ok_and(|token| {
        token.parse::<f64>().is_ok_and(f64::is_infinite)
            && serde_json::from_str::<&RawValue>(token).is_ok()
    })
}
