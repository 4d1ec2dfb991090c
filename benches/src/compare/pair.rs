//! Keys and values of the comparison, drawn before the clock starts.

use crate::compare::engine::Key;
use crate::compare::engine::Value;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

/// How long a value of [`Texts`] is: an order of the daemon as JSON.
const TEXT_VALUE_BYTES: usize = 1_300;

/// Keys for one group of engines, each with the value that belongs to it.
#[derive(Debug)]
pub struct Drawn<P: Pair> {
    /// Those to ask for, in this order, again and again.
    pub circle: Arc<[P::Item]>,
    /// Those that are in the cache before anything is asked for.
    pub resident: Arc<[P::Item]>,
}

impl<P: Pair> Clone for Drawn<P> {
    fn clone(&self) -> Self {
        Self { circle: Arc::clone(&self.circle), resident: Arc::clone(&self.resident) }
    }
}

/// A type of keys with a type of values. The value follows from the key, so that every answer of
/// every engine can be checked.
pub trait Pair: 'static {
    /// The type of keys.
    type Key: Key;
    /// The type of values.
    type Value: Value;
    /// What is drawn: a key with all that is needed to insert it and to check an answer.
    type Item: Clone + Debug + Send + Sync + 'static;

    /// The keys of these numbers, in this order, and as residents those from 0 to `residents - 1`.
    fn drawn(numbers: impl Iterator<Item = u64>, residents: usize) -> Drawn<Self>
    where
        Self: Sized;

    /// The item of one number.
    fn item(number: u64) -> Self::Item;

    /// The key to look up.
    fn key(item: &Self::Item) -> &Self::Key;

    /// The value to insert.
    fn value(item: &Self::Item) -> Self::Value;

    /// Whether an answer is the value of this item.
    fn is_value(item: &Self::Item, answer: &Self::Value) -> bool;
}

/// From `u64` to `u64`.
#[derive(Debug)]
pub enum Numbers {}

impl Pair for Numbers {
    type Key = u64;
    type Value = u64;
    type Item = u64;

    fn drawn(numbers: impl Iterator<Item = u64>, residents: usize) -> Drawn<Self> {
        Drawn { circle: numbers.collect(), resident: (0..residents as u64).collect() }
    }

    #[inline(always)]
    fn item(number: u64) -> u64 {
        number
    }

    #[inline(always)]
    fn key(item: &u64) -> &u64 {
        item
    }

    #[inline(always)]
    fn value(item: &u64) -> u64 {
        !item
    }

    #[inline(always)]
    fn is_value(item: &u64, answer: &u64) -> bool {
        *answer == !item
    }
}

/// From a `String` of 20 bytes to an `Arc<[u8]>` of 1.3 kB.
#[derive(Debug)]
pub enum Texts {}

impl Pair for Texts {
    type Key = String;
    type Value = Arc<[u8]>;
    type Item = (String, Arc<[u8]>);

    /// Equal numbers share one value, which all engines of a group share: twenty of them with a
    /// hundred thousand values each of their own wouldn't leave much of the memory.
    fn drawn(numbers: impl Iterator<Item = u64>, residents: usize) -> Drawn<Self> {
        let mut known = HashMap::new();
        let mut item = |n| known.entry(n).or_insert_with(|| Self::item(n)).clone();
        let resident = (0..residents as u64).map(&mut item).collect();
        Drawn { circle: numbers.map(item).collect(), resident }
    }

    fn item(number: u64) -> Self::Item {
        let key = format!("order-{number:014}");
        let mut value = vec![b' '; TEXT_VALUE_BYTES];
        value[..key.len()].copy_from_slice(key.as_bytes());
        (key, value.into())
    }

    #[inline(always)]
    fn key(item: &Self::Item) -> &String {
        &item.0
    }

    #[inline(always)]
    fn value(item: &Self::Item) -> Arc<[u8]> {
        Arc::clone(&item.1)
    }

    #[inline(always)]
    fn is_value(item: &Self::Item, answer: &Arc<[u8]>) -> bool {
        answer.starts_with(item.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue: 20-byte String -> `Arc<[u8]>` of 1.3 kB.
    #[test]
    fn texts_have_their_sizes() {
        let item = Texts::item(7);
        assert_eq!((item.0.len(), item.1.len()), (20, 1_300));
        assert!(Texts::is_value(&item, &item.1));
        assert!(!Texts::is_value(&item, &Texts::item(8).1));
    }

    /// Equal keys share a value, so a hundred thousand draws of a thousand keys fit in memory.
    #[test]
    fn equal_texts_share_their_value() {
        let drawn = Texts::drawn([3, 0, 3].into_iter(), 2);
        let [three, zero, again] = &drawn.circle[..] else {
            panic!("{drawn:?}");
        };
        assert!(Arc::ptr_eq(&three.1, &again.1));
        assert!(!Arc::ptr_eq(&three.1, &zero.1));
        assert!(Arc::ptr_eq(&zero.1, &drawn.resident[0].1));
        assert_eq!(drawn.resident.len(), 2);
    }
}
