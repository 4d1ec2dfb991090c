//! What an insert of a weighed entry holds before that comes in, and what has left for it.
//!
//! Room is kept across locks, so that what one insert evicted for itself is not taken by another.
//! It is declared before the lock that it is used under, because what has left is the user's to
//! drop. An insert that is not weighed has a room of one place; where it is fast it goes without.
//!
//! Invariant: place and weight are given back by every way out but entering.

use std::mem;

use crate::budget::Place;
use crate::displaced::Displaced;
use crate::error::Refused;
use crate::weight::Held;

/// A place, and a weight where entries are weighed.
#[derive(Debug)]
pub(crate) struct Room<'a, K, V> {
    pub(crate) place: Option<Place<'a>>,
    /// Only in a cache that has a weigher.
    pub(crate) weighed: Option<Weighed<'a, K, V>>,
}

/// Whether an entry can come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// There is room, and it is held.
    Held,
    /// It is heavier than the whole bound.
    TooHeavy,
    /// Other threads hold the room.
    Crowded,
}

/// What is held for a weighed entry.
#[derive(Debug)]
pub(crate) struct Weighed<'a, K, V> {
    /// What the entry weighs.
    pub(crate) weight: u64,
    pub(crate) held: Held<'a>,
    pub(crate) fit: Fit,
    /// What has left and is not told of yet.
    pub(crate) evicted: Vec<(K, V)>,
}

/// What became of an insert that made room. It is told of and dropped when nothing is locked.
#[derive(Debug)]
pub(crate) struct Outcome<K, V> {
    /// The entries that left for their place or weight, in the order in which they did.
    pub(crate) evicted: Vec<(K, V)>,
    /// What left besides: the former value of the key first of all.
    pub(crate) displaced: Displaced<K, V>,
    /// The entry, if it is weighed and found no room.
    pub(crate) refused: Option<Refused<K, V>>,
}

impl<K, V> Room<'_, K, V> {
    /// What has left for the entry and is not told of yet. To be told of and dropped when nothing
    /// is locked.
    pub(crate) fn take_evicted(&mut self) -> Vec<(K, V)> {
        self.weighed.as_mut().map_or(Vec::new(), |weighed| mem::take(&mut weighed.evicted))
    }
}
