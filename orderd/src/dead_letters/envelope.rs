//! A dead letter as JSON: in the topic of dead letters, over HTTP, and on the command line.
//!
//! The message's bytes may be anything, so they stand in base64. `payload_text` repeats them for
//! people where they are UTF-8, and is left out of the topic.

use crate::order::decode::Part;
use crate::store::letters::Letter;
use crate::store::letters::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;

/// One dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Later letters have higher ids. Unique within one store.
    pub id: i64,
    /// `open`, `replayed` or `dropped`.
    pub state: String,
    /// The stable name of the first reason.
    pub code: String,
    /// All reasons, one a line.
    pub reason: String,
    /// Where it came from.
    pub origin: Origin,
    /// `message` if the payload is the whole message, `element` if it is one of its array.
    pub part: String,
    /// The order that it names, if it names one.
    pub order_uid: Option<String>,
    /// When it was stored, RFC 3339 in UTC.
    pub received_at: String,
    /// When it was replayed or dropped.
    pub settled_at: Option<String>,
    /// The later message that the same order was saved from.
    pub overtaken_by: Option<Origin>,
    /// How many bytes the payload has.
    pub payload_bytes: u64,
    /// The payload in base64, with padding. Left out of lists, and of the topic where it doesn't
    /// fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The payload, if it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_text: Option<String>,
}

/// An element of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the message.
    pub offset: i64,
    /// The element's number within it, from 0.
    pub element: u32,
}

impl From<&Place> for Origin {
    fn from(place: &Place) -> Self {
        let crate::store::Origin { partition, offset, element } = place.origin;
        Self { topic: place.topic.clone(), partition, offset, element }
    }
}

impl Envelope {
    /// The envelope of a letter, without its bytes.
    pub fn of(letter: &Letter) -> Self {
        Self {
            id: letter.id,
            state: letter.state.to_string(),
            code: letter.code.clone(),
            reason: letter.reason.clone(),
            origin: Origin::from(&letter.place),
            part: match letter.part {
                Part::Message => "message".to_owned(),
                Part::Element => "element".to_owned(),
            },
            order_uid: letter.order_uid.as_ref().map(ToString::to_string),
            received_at: letter.received_at.to_string(),
            settled_at: letter.settled_at.map(|at| at.to_string()),
            overtaken_by: letter.overtaken_by.as_ref().map(Origin::from),
            payload_bytes: letter.payload_bytes,
            payload: None,
            payload_text: None,
        }
    }

    /// With the bytes.
    #[must_use]
    pub fn with_payload(mut self, payload: &[u8]) -> Self {
        self.payload = Some(STANDARD.encode(payload));
        self
    }

    /// With the bytes as text too, where they are UTF-8.
    #[must_use]
    pub fn with_text(mut self, payload: &[u8]) -> Self {
        self.payload_text = std::str::from_utf8(payload).ok().map(str::to_owned);
        self
    }

    /// One line of JSON.
    pub fn to_json(&self) -> Bytes {
        // Strings and numbers can always be written to memory.
        Bytes::from(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The envelope that [`Envelope::to_json`] wrote.
    ///
    /// # Errors
    /// If the text is no envelope.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The message's bytes; `None` if they were left out or aren't base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.payload.as_ref()?).ok()
    }
}
