//! What an insert pushed out, on its way to whoever lets go of it.
//!
//! A shard gives it back, so that its caller drops it where nothing is locked. It must never drop
//! anything before it is asked to.

/// What an insert pushed out. It is dropped by the caller, outside any lock.
#[derive(Debug)]
pub(crate) enum Displaced<K, V> {
    Nothing,
    /// The former value of the key, and the key of the insert, of which the shard has one already.
    Replaced(K, V),
    /// The least recently used entry.
    Evicted(K, V),
    /// The entry of the insert itself: the capacity is 0.
    Refused(K, V),
}

impl<K, V> Displaced<K, V> {
    /// The former value of the key, if there was one; all else is dropped.
    ///
    /// The spare key goes before the value is returned: a destructor that panics after a function
    /// has its result ready makes Rust leak the result (rust-lang/rust#47949).
    #[inline]
    pub(crate) fn into_replaced(self) -> Option<V> {
        match self {
            Self::Replaced(key, value) => {
                drop(key);
                Some(value)
            }
            Self::Nothing | Self::Evicted(..) | Self::Refused(..) => None,
        }
    }
}
