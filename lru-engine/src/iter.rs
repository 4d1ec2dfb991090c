//! The entries of an [`LruMap`](crate::LruMap), in the order in which they were last used.

use core::fmt;
use core::iter::FusedIterator;

use crate::arena::Items;
use crate::shard::Entry;

/// The entries of an [`LruMap`](crate::LruMap), most recently used first; from the other end,
/// least recently used first. Looking changes no order.
///
/// Made by [`LruMap::iter`](crate::LruMap::iter).
///
/// ```
/// let mut map = lru_engine::LruMap::new(2);
/// map.insert('a', 1);
/// map.insert('b', 2);
/// let mut entries = map.iter();
/// assert_eq!(entries.len(), 2);
/// assert_eq!(entries.next_back(), Some((&'a', &1)));
/// assert_eq!(entries.next(), Some((&'b', &2)));
/// assert_eq!(entries.next(), None);
/// ```
pub struct Iter<'a, K, V> {
    items: Items<'a, Entry<K, V>>,
}

impl<'a, K, V> Iter<'a, K, V> {
    pub(crate) fn new(items: Items<'a, Entry<K, V>>) -> Self {
        Self { items }
    }
}

fn pair<K, V>(entry: &Entry<K, V>) -> (&K, &V) {
    (&entry.key, &entry.value)
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.items.next().map(pair)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.items.next_back().map(pair)
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

impl<K, V> FusedIterator for Iter<'_, K, V> {}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone() }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
