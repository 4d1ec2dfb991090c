//! The id of an order: 1 to 64 visible ASCII characters without `/`.
//!
//! Shared and not copied, because one id lies in the cache, in its table of tickets and in a job of
//! a database thread at the same time.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A well-formed order id. Cloning it costs one atomic increment.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderUid(Arc<str>);

/// Why a text is no order id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order id has 1 to 64 visible ASCII characters and no '/'")]
pub struct InvalidUid;

impl OrderUid {
    /// The longest id, in characters.
    pub const LENGTH_MAX: usize = 64;

    /// Takes `text` as an id.
    ///
    /// # Errors
    /// [`InvalidUid`] if it is empty, too long, or holds a character that ids can't have.
    pub fn parse(text: &str) -> Result<Self, InvalidUid> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidUid)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for OrderUid {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OrderUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
