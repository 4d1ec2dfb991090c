//! Tickets: who is about to fill which key, and whether a write has overtaken them.
//!
//! Everything that fills the catalog takes a ticket before it asks the store, and hands it in with
//! what it got. A write or an invalidation of the key in between voids the ticket, because what was
//! read may be older than what was written. Version numbers inside the entries would not do: an
//! entry can be evicted between the write and the late fill, and take its version with it.
//!
//! Invariants:
//! * A key is in the table exactly while a ticket for it is out, so the table is bounded by the
//!   number of fills in progress.
//! * A voided key has no flight: later readers start their own.
//!
//! The table holds no orders and calls nobody.

use crate::catalog::flight::Flight;
use crate::order::OrderUid;
use std::collections::HashMap;
use std::sync::Arc;

/// The number of a ticket; greater means taken later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(u64);

/// The tickets that are out.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    last: u64,
    keys: HashMap<OrderUid, Key>,
}

#[derive(Debug)]
struct Key {
    out: usize,
    /// Tickets up to this number are void.
    void_to: u64,
    /// The load that later readers may join.
    flight: Option<Arc<Flight>>,
}

/// Whether what a ticket's holder got may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing has overtaken the holder.
    Valid,
    /// A write or an invalidation has.
    Void,
}

impl Tickets {
    /// Takes a ticket for `uid`.
    pub(super) fn take(&mut self, uid: &OrderUid) -> Number {
        self.last += 1;
        let key = self.keys.entry(uid.clone()).or_insert(Key { out: 0, void_to: 0, flight: None });
        key.out += 1;
        Number(self.last)
    }

    /// The load of `uid` that a reader may join.
    pub(super) fn flight(&self, uid: &OrderUid) -> Option<&Arc<Flight>> {
        self.keys.get(uid)?.flight.as_ref()
    }

    /// Lets later readers of `uid` join `flight`, whose ticket is out.
    pub(super) fn announce(&mut self, uid: &OrderUid, flight: &Arc<Flight>) {
        if let Some(key) = self.keys.get_mut(uid) {
            key.flight = Some(Arc::clone(flight));
        }
    }

    /// Hands a ticket in.
    pub(super) fn hand_in(&mut self, uid: &OrderUid, number: Number) -> Verdict {
        let Some(key) = self.keys.get_mut(uid) else {
            debug_assert!(false, "the key of a ticket that is out is in the table");
            return Verdict::Void;
        };
        let verdict = if number.0 <= key.void_to { Verdict::Void } else { Verdict::Valid };
        key.out -= 1;
        if key.out == 0 {
            self.keys.remove(uid);
        }
        verdict
    }

    /// Ends the joining of `flight`, if it is still the one that `uid` announces.
    pub(super) fn withdraw(&mut self, uid: &OrderUid, flight: &Arc<Flight>) {
        if let Some(key) = self.keys.get_mut(uid)
            && key.flight.as_ref().is_some_and(|announced| Arc::ptr_eq(announced, flight))
        {
            key.flight = None;
        }
    }

    /// Voids every ticket for `uid` that is out.
    pub(super) fn void(&mut self, uid: &OrderUid) {
        if let Some(key) = self.keys.get_mut(uid) {
            key.void_to = self.last;
            key.flight = None;
        }
    }

    /// Voids every ticket that is out.
    pub(super) fn void_all(&mut self) {
        for key in self.keys.values_mut() {
            key.void_to = self.last;
            key.flight = None;
        }
    }

    /// How many keys have a ticket out.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> OrderUid {
        OrderUid::parse(text).unwrap()
    }

    /// Invariant: a key is in the table exactly while a ticket for it is out.
    #[test]
    fn the_table_is_empty_when_all_tickets_are_in() {
        let mut tickets = Tickets::default();
        let (a, b) = (uid("a"), uid("b"));
        let numbers = [tickets.take(&a), tickets.take(&a), tickets.take(&b)];
        assert_eq!(tickets.len(), 2);
        tickets.hand_in(&a, numbers[0]);
        assert_eq!(tickets.len(), 2);
        tickets.hand_in(&a, numbers[1]);
        tickets.hand_in(&b, numbers[2]);
        assert_eq!(tickets.len(), 0);
    }

    /// Design: a write voids the tickets that are out, of that key alone, and none that come later.
    #[test]
    fn voiding_reaches_what_is_out_and_nothing_later() {
        let mut tickets = Tickets::default();
        let (a, b) = (uid("a"), uid("b"));
        let (early, other) = (tickets.take(&a), tickets.take(&b));
        tickets.void(&a);
        let late = tickets.take(&a);
        assert_eq!(tickets.hand_in(&a, early), Verdict::Void);
        assert_eq!(tickets.hand_in(&a, late), Verdict::Valid);
        assert_eq!(tickets.hand_in(&b, other), Verdict::Valid);
    }

    /// Design: `invalidate_all` voids all tickets.
    #[test]
    fn voiding_all_reaches_every_key() {
        let mut tickets = Tickets::default();
        let (a, b) = (uid("a"), uid("b"));
        let numbers = (tickets.take(&a), tickets.take(&b));
        tickets.void_all();
        assert_eq!(tickets.hand_in(&a, numbers.0), Verdict::Void);
        assert_eq!(tickets.hand_in(&b, numbers.1), Verdict::Void);
    }

    /// Design: later readers never join the flight of a voided load.
    #[test]
    fn a_voided_key_has_no_flight() {
        let mut tickets = Tickets::default();
        let a = uid("a");
        tickets.take(&a);
        tickets.announce(&a, &Arc::new(Flight::default()));
        assert!(tickets.flight(&a).is_some());
        tickets.void(&a);
        assert!(tickets.flight(&a).is_none());
    }
}
