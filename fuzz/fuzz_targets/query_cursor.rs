//! Any text as a query and as a cursor: nothing panics, and a cursor stands for one number.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orderd::http::fuzzed;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    fuzzed::query(text);
    if let Some(arrival) = fuzzed::cursor(text) {
        assert_eq!(fuzzed::cursor_of(arrival), text);
    }
    if let Some(number) = bytes.first_chunk().map(|bytes| i64::from_be_bytes(*bytes)) {
        assert_eq!(fuzzed::cursor(&fuzzed::cursor_of(number)), Some(number));
    }
});
