//! What bounds the cache of orders.

/// How many orders are cached at most, and how many bytes they have together.
///
/// Bytes are those of the orders as they are served. Ids, digests and the cache's own lists come on
/// top, which the number of orders bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The number of orders; 0 caches nothing.
    pub entries: usize,
    /// The bytes of all of them; `None` if only their number is bounded. An order that has more by
    /// itself is served and never cached.
    pub bytes: Option<u64>,
}

impl From<usize> for Capacity {
    /// So many orders, whatever their size.
    fn from(entries: usize) -> Self {
        Self { entries, bytes: None }
    }
}
