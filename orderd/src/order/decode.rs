//! From the bytes of a message to its orders.
//!
//! A message holds one order or a JSON array of orders. Every element is judged by itself, so that
//! one broken order never takes its neighbours with it; only what can't be split at all is refused
//! as a whole.
//!
//! Invariants:
//! * A message gives at least one element: nothing vanishes without a word.
//! * An element's payload is a slice of the message, so that the dead letters show what was sent.
//! * No input panics, and none nests deep enough to exhaust the stack: the splitter keeps its own
//!   on the heap, `simd_json` refuses more than 1024 levels, and no reader of fields recurses.

use crate::order::Order;
use crate::order::OrderUid;
use crate::order::document::Document;
use crate::order::fields;
use crate::order::numbers;
use crate::order::report::Report;
use crate::order::report::VIOLATIONS_MAX;
use crate::order::strict;
use crate::order::validate::Code;
use crate::order::validate::Profile;
use crate::order::validate::Violation;
use bytes::Bytes;
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use simd_json::Buffers;
use simd_json::ErrorType;
use std::ops::Range;

/// Windows tools put it before UTF-8, and JSON has no place for it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How many orders one message may hold. The smallest orders there can be fill a message of a
/// broker's default size (1 MiB) with 15 000, and each element costs 230 bytes of memory until it
/// is saved (2026-11-20): so this takes every array that makes sense, and bounds those that don't.
const ELEMENTS_MAX: usize = 20_000;

/// What of a message a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The message itself: a single order, or what can't be taken apart.
    Message,
    /// One element of the message's array.
    Element,
}

/// One element of a message: an order, or what is wrong with it.
#[derive(Debug)]
pub struct Element {
    /// What of the message the payload is.
    pub part: Part,
    /// The element's own bytes, for the dead letters.
    pub payload: Bytes,
    /// The order, or all violations, never none. Of a message with more than 16 384 of them each
    /// later element keeps its first.
    pub order: Result<Order, Vec<Violation>>,
}

/// Decodes a message into its elements, at least one, in their order.
///
/// A single order is one element; an array has one element for each of its own; what can't be taken
/// apart at all is one element with its violation. `now` is the present, which the strict profile
/// compares `date_created` with.
pub fn decode(message: &Bytes, profile: Profile, now: Timestamp) -> Vec<Element> {
    let start = if message.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let text = message.slice(start..);
    let mut judge = Judge::new(profile, now);
    match first_byte(&text) {
        None => vec![whole(message, Code::Syntax, "The message is empty.".to_owned())],
        Some(b'[') => match split(&text) {
            Ok(ranges) if ranges.is_empty() => {
                vec![whole(message, Code::Required, "The array holds no order.".to_owned())]
            }
            Ok(ranges) if ranges.len() > ELEMENTS_MAX => {
                let sentence = format!("The array holds more than {ELEMENTS_MAX} orders.");
                vec![whole(message, Code::OutOfRange, sentence)]
            }
            Ok(ranges) => ranges
                .into_iter()
                .map(|range| {
                    let payload = text.slice(range);
                    Element { part: Part::Element, order: judge.order(&payload), payload }
                })
                .collect(),
            Err(error) => {
                vec![whole(message, Code::Syntax, format!("The array is no JSON: {error}."))]
            }
        },
        Some(_) => {
            let payload = message.clone();
            vec![Element { part: Part::Message, order: judge.order(&text), payload }]
        }
    }
}

/// Decodes what [`decode`] gave as a payload before, as the same part of its message.
pub fn decode_again(payload: &Bytes, part: Part, profile: Profile, now: Timestamp) -> Vec<Element> {
    match part {
        Part::Message => decode(payload, profile, now),
        Part::Element => {
            let text = payload.strip_prefix(BYTE_ORDER_MARK).unwrap_or(payload);
            let order = Judge::new(profile, now).order(text);
            vec![Element { part, order, payload: payload.clone() }]
        }
    }
}

/// The id that a payload names although it may be no valid order; `None` if that can't be told.
pub fn named_uid(payload: &[u8]) -> Option<OrderUid> {
    #[derive(serde::Deserialize)]
    struct Named {
        order_uid: String,
    }
    let text = payload.strip_prefix(BYTE_ORDER_MARK).unwrap_or(payload);
    let named: Named = serde_json::from_slice(text).ok()?;
    OrderUid::parse(&named.order_uid).ok()
}

fn whole(message: &Bytes, code: Code, sentence: String) -> Element {
    let violation = Violation { path: String::new(), code, message: sentence };
    Element { part: Part::Message, payload: message.clone(), order: Err(vec![violation]) }
}

/// The first byte that isn't white space as JSON has it.
fn first_byte(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|byte| !b" \t\n\r".contains(byte))
}

/// Where the elements of an array lie.
fn split(text: &[u8]) -> Result<Vec<Range<usize>>, serde_json::Error> {
    if std::str::from_utf8(text).is_ok() {
        return split_text(text);
    }
    // The splitter refuses the whole text for one bad byte. It looks for the borders in a copy in
    // which bad bytes are question marks: inside a string they leave the borders where they are,
    // and only the element that they lie in is refused later.
    let mut masked = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        masked.extend_from_slice(chunk.valid().as_bytes());
        masked.resize(masked.len() + chunk.invalid().len(), b'?');
    }
    split_text(&masked)
}

fn split_text(text: &[u8]) -> Result<Vec<Range<usize>>, serde_json::Error> {
    let elements: Vec<&RawValue> = serde_json::from_slice(text)?;
    let start = text.as_ptr() as usize;
    Ok(elements
        .into_iter()
        .map(|element| {
            let from = element.get().as_ptr() as usize - start;
            from..from + element.get().len()
        })
        .collect())
}

/// Judges elements one after the other, with the same memory.
struct Judge {
    profile: Profile,
    now: Timestamp,
    /// `simd_json` writes unescaped strings over its input, so it gets a copy.
    copy: Vec<u8>,
    buffers: Buffers,
    /// How many violations the message may still have.
    room: usize,
}

impl Judge {
    fn new(profile: Profile, now: Timestamp) -> Self {
        let buffers = Buffers::default();
        Self { profile, now, copy: Vec::new(), buffers, room: VIOLATIONS_MAX }
    }

    fn order(&mut self, text: &[u8]) -> Result<Order, Vec<Violation>> {
        let judged = self.judged(text);
        if let Err(violations) = &judged {
            self.room = self.room.saturating_sub(violations.len()).max(1);
        }
        judged
    }

    fn judged(&mut self, text: &[u8]) -> Result<Order, Vec<Violation>> {
        let mut report = Report::new(self.profile, self.room);
        let document = match self.document(text, &mut report) {
            Ok(document) => document,
            Err((code, sentence)) => {
                report.add("", code, sentence);
                None
            }
        };
        let Some(document) = document else { return Err(report.into_violations()) };
        if self.profile == Profile::Strict {
            strict::check(&document, self.now, &mut report);
        }
        match OrderUid::parse(&document.order_uid) {
            Ok(uid) if report.is_empty() => Ok(Order::restore(uid, document)),
            _ => Err(report.into_violations()),
        }
    }

    /// The fields, with everything wrong about them in `report`; `None` if there are none at all;
    /// or the violation of a text that is no JSON.
    fn document(
        &mut self,
        text: &[u8],
        report: &mut Report,
    ) -> Result<Option<Document>, (Code, String)> {
        // A check of its own: the whole crate relies on it, and it costs nothing beside the rest.
        if let Err(error) = std::str::from_utf8(text) {
            let sentence = format!("The text is no UTF-8 from byte {} on.", error.valid_up_to());
            return Err((Code::Syntax, sentence));
        }
        let error = match self.read(text, report) {
            Ok(document) => return Ok(document),
            Err(error) => error,
        };
        if *error.error() == ErrorType::InvalidNumber {
            let tamed = numbers::tamed(text);
            if let Ok(document) = self.read(&tamed, report) {
                return Ok(document);
            }
        }
        if *error.error() == ErrorType::DepthLimitExceeded {
            return Err((Code::OutOfRange, "The text is nested too deeply.".to_owned()));
        }
        Err((Code::Syntax, no_json(text, &error)))
    }

    fn read(
        &mut self,
        text: &[u8],
        report: &mut Report,
    ) -> Result<Option<Document>, simd_json::Error> {
        self.copy.clear();
        self.copy.extend_from_slice(text);
        let tape = simd_json::to_tape_with_buffers(&mut self.copy, &mut self.buffers)?;
        Ok(fields::document(tape.as_value(), report))
    }
}

/// Where and why `text` is no JSON. The fast reader has names for its own steps where people look
/// for a place, so the splitter's library says it; it neither recurses nor quotes the input.
fn no_json(text: &[u8], error: &simd_json::Error) -> String {
    match serde_json::from_slice::<IgnoredAny>(text) {
        Err(plain) => format!("The text is no JSON: {plain}."),
        Ok(_) => format!("The text is no JSON: {:?} at byte {}.", error.error(), error.index()),
    }
}
