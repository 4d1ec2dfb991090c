//! Section 1 of the orders' specification: what a message may hold, and what is said about one that
//! breaks a rule.

mod message;
mod properties;
mod strict_rules;
mod times;
mod values;

use bytes::Bytes;
use jiff::Timestamp;
use orderd::order::Order;
use orderd::order::decode::Element;
use orderd::order::decode::decode;
use orderd::order::validate::Profile;
use serde_json::Value;

const SAMPLE: &str = include_str!("../../../assets/model.json");

fn now() -> Timestamp {
    "2026-11-20T00:00:00Z".parse().unwrap()
}

fn sample() -> Value {
    serde_json::from_str(SAMPLE).unwrap()
}

fn decode_with(bytes: impl AsRef<[u8]>, profile: Profile) -> Vec<Element> {
    decode(&Bytes::copy_from_slice(bytes.as_ref()), profile, now())
}

/// The one order that the bytes hold, or `path code` of each violation.
#[expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]
fn judge(bytes: impl AsRef<[u8]>, profile: Profile) -> Result<Order, Vec<String>> {
    let mut elements = decode_with(&bytes, profile);
    assert_eq!(elements.len(), 1);
    let element = elements.pop().unwrap();
    assert_eq!(element.payload, bytes.as_ref(), "the payload is what was sent");
    element.order.map_err(|violations| {
        assert!(!violations.is_empty());
        for violation in &violations {
            assert!(violation.message.ends_with('.'), "{violation} is a sentence");
            assert!(!violation.to_string().contains(char::is_control), "{violation:?}");
        }
        let shown = violations.iter().map(|v| format!("{} {}", v.path, v.code.as_str()));
        shown.collect()
    })
}

fn lenient(value: &Value) -> Result<Order, Vec<String>> {
    judge(value.to_string(), Profile::Lenient)
}

fn strict(value: &Value) -> Result<Order, Vec<String>> {
    judge(value.to_string(), Profile::Strict)
}

/// The sample with the value at `pointer` replaced; a missing last field is added.
fn with(pointer: &str, value: Value) -> Value {
    let mut order = sample();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = order.pointer_mut(parent).unwrap();
    if let Some(array) = parent.as_array_mut() {
        array[name.parse::<usize>().unwrap()] = value;
    } else {
        parent.as_object_mut().unwrap().insert(name.to_owned(), value);
    }
    order
}

fn without(pointer: &str) -> Value {
    let mut order = sample();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    order.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    order
}

/// The sample with one more field, whose JSON may be what no library writes.
fn with_field(json: &str) -> String {
    let sample = SAMPLE.trim_end().strip_suffix('}').unwrap();
    format!("{sample},{json}}}")
}

fn refused(path_and_code: &str) -> Result<Order, Vec<String>> {
    Err(vec![path_and_code.to_owned()])
}
