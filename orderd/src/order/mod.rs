//! An order: one valid document, its canonical bytes and their digest.
//!
//! The three belong together because everything downstream needs exactly these: the store saves
//! the fields and compares the digest, the cache and HTTP serve the bytes, and the digest is the
//! `ETag`. The bytes are written once, here, so that an order reads the same from the cache, from
//! PostgreSQL and from the embedded store.
//!
//! An [`Order`] can't be invalid: it is made by [`decode`] from a message that passed every rule,
//! or by [`Order::restore`] from what a store had saved. Nothing here reads a clock, a file or a
//! socket.

pub mod decode;
pub mod document;
mod fields;
mod moment;
mod numbers;
mod report;
mod strict;
mod time;
mod uid;
pub mod validate;

use crate::order::document::Document;
use bytes::Bytes;
use sha2::Digest as _;
use std::fmt;
use std::sync::Arc;

pub use moment::{InvalidMoment, Moment};
pub use uid::{InvalidUid, OrderUid};

/// SHA-256 of an order's canonical bytes.
///
/// Two orders have the same content exactly if their digests are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The strong entity tag of a body with this digest, in quotes, as HTTP wants it.
    ///
    /// Half of the digest is enough to tell versions of one order apart, and halves the header.
    pub fn etag(&self) -> String {
        let mut tag = String::with_capacity(34);
        tag.push('"');
        for byte in &self.0[..16] {
            tag.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            tag.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        tag.push('"');
        tag
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.etag())
    }
}

/// A valid order with its canonical bytes. Cloning it copies neither fields nor bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    uid: OrderUid,
    /// Shared, which keeps an order small: a message may hold half a million broken ones.
    document: Arc<Document>,
    body: Bytes,
    digest: Digest,
}

impl Order {
    /// Puts together an order from a document that has passed every rule.
    ///
    /// The caller is [`decode`], or a store that reads back what it had saved.
    pub fn restore(uid: OrderUid, document: Document) -> Self {
        let body = Bytes::from(document.canonical());
        let digest = Digest::of(&body);
        Self { uid, document: Arc::new(document), body, digest }
    }

    /// The order's id.
    pub fn uid(&self) -> &OrderUid {
        &self.uid
    }

    /// The fields.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The canonical JSON form: what is served, byte for byte.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The digest of [`Order::body`].
    pub fn digest(&self) -> Digest {
        self.digest
    }
}
