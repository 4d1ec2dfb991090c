//! Any bytes as the envelope of a dead letter, and any bytes in one.
//!
//! What is held against every input:
//! * What parses as an envelope is written as one that parses to the same.
//! * Bytes that are put into an envelope come out of it as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orderd::dead_letters::Envelope;

const EMPTY: &[u8] = br#"{"id":1,"state":"open","code":"syntax","reason":"","part":"message",
    "origin":{"topic":"orders","partition":0,"offset":0,"element":0},"order_uid":null,
    "received_at":"","settled_at":null,"overtaken_by":null,"payload_bytes":0}"#;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::parse(bytes) {
        let again = Envelope::parse(&envelope.to_json()).expect("what is written can be read");
        assert_eq!(again, envelope);
        let _ = envelope.bytes();
    }
    let empty = Envelope::parse(EMPTY).expect("it is an envelope");
    let full = empty.with_payload(bytes).with_text(bytes);
    let read = Envelope::parse(&full.to_json()).expect("what is written can be read");
    assert_eq!(read, full);
    assert_eq!(read.bytes().as_deref(), Some(bytes));
    assert_eq!(read.payload_text.is_some(), std::str::from_utf8(bytes).is_ok());
});
