//! The tickets that are out in one shard: who is about to fill which key, and whether a write has
//! overtaken them.
//!
//! It lies beside the shard, under the same lock, so that checking a ticket and putting the value
//! in is one step. A version number inside the entries would not do: an entry can be evicted
//! between the write and the late fill, and take its version with it.
//!
//! Each ticket's key is kept here, so that the ticket itself is two numbers, needs no clone of the
//! key, and can go to another thread. Tickets are found by the stored hash of the key; `Eq` runs
//! where a key has to be told from others of the same whole hash, and nothing else of the user's.
//!
//! Invariants: a hash is in the table exactly while a ticket under it is out, so the table is
//! bounded by what is in progress; a voided ticket has no flight, so later readers never join it;
//! a key has one flight at most; who leads a flight holds it too, so that it is never dropped here.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;
use std::ops::Deref;
use std::sync::Arc;

use equivalent::Equivalent;

use crate::flight::Flight;
use crate::flight::Joined;
use crate::stats::Stats;

/// What a ticket holds of itself: where the rest of it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slip {
    pub(crate) hash: u64,
    number: u64,
}

/// Whether what the holder of a ticket got may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Valid,
    /// A write, a removal or an invalidation of the key has overtaken the holder.
    Void,
}

/// The key of a ticket. It is shared while a weigher looks at it, with nothing locked.
#[derive(Debug)]
enum TicketKey<K> {
    Own(K),
    Shared(Arc<K>),
}

impl<K> TicketKey<K> {
    fn shared(self) -> Arc<K> {
        match self {
            Self::Own(key) => Arc::new(key),
            Self::Shared(key) => key,
        }
    }

    fn into_key(self) -> K {
        match self {
            Self::Own(key) => key,
            Self::Shared(key) => {
                let key = Arc::into_inner(key);
                key.expect("whoever weighs for a ticket does so before it is handed in")
            }
        }
    }
}

impl<K> Deref for TicketKey<K> {
    type Target = K;

    fn deref(&self) -> &K {
        match self {
            Self::Own(key) => key,
            Self::Shared(key) => key,
        }
    }
}

#[derive(Debug)]
struct Record<K, V> {
    number: u64,
    key: TicketKey<K>,
    verdict: Verdict,
    /// The load that readers of the key may join.
    flight: Option<Arc<Flight<V>>>,
}

impl<K, V> Record<K, V> {
    fn void(&mut self) {
        self.verdict = Verdict::Void;
        self.flight = None;
    }
}

/// The tickets that are out.
#[derive(Debug)]
pub(crate) struct Outstanding<K, V> {
    last: u64,
    /// What became of the loads; the other counts are the shard's, and 0 here.
    stats: Stats,
    by_hash: HashMap<u64, Vec<Record<K, V>>, BuildHasherDefault<AsItIs>>,
}

impl<K, V> Outstanding<K, V> {
    pub(crate) fn new() -> Self {
        Self { last: 0, stats: Stats::default(), by_hash: HashMap::default() }
    }

    /// Takes a ticket out; with a flight, readers of the key may join it.
    pub(crate) fn take_out(&mut self, hash: u64, key: K, flight: Option<Arc<Flight<V>>>) -> Slip {
        self.last += 1;
        self.stats.loads += u64::from(flight.is_some());
        let number = self.last;
        let key = TicketKey::Own(key);
        let record = Record { number, key, verdict: Verdict::Valid, flight };
        self.by_hash.entry(hash).or_default().push(record);
        Slip { hash, number }
    }

    /// Whether no ticket is out.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// The key of a ticket that is out.
    pub(crate) fn key(&self, slip: Slip) -> &K {
        &self.record(slip).key
    }

    /// Whether a ticket that is out is void.
    pub(crate) fn verdict(&self, slip: Slip) -> Verdict {
        self.record(slip).verdict
    }

    fn record(&self, slip: Slip) -> &Record<K, V> {
        let records = self.by_hash.get(&slip.hash).map_or(&[][..], Vec::as_slice);
        let record = records.iter().find(|record| record.number == slip.number);
        record.expect("a ticket is in the table until it is handed in")
    }

    /// The key of a ticket that is out, to be looked at with nothing locked and let go of before
    /// the ticket is handed in; `None` if the ticket is void.
    pub(crate) fn share_key(&mut self, slip: Slip) -> Option<Arc<K>> {
        let records = self.by_hash.get_mut(&slip.hash)?;
        let position = records.iter().position(|record| record.number == slip.number)?;
        if records[position].verdict == Verdict::Void {
            return None;
        }
        let record = records.swap_remove(position);
        let key = record.key.shared();
        records.push(Record { key: TicketKey::Shared(Arc::clone(&key)), ..record });
        Some(key)
    }

    /// Hands a ticket in, and gives its key back.
    pub(crate) fn hand_in(&mut self, slip: Slip) -> K {
        let records = self.by_hash.get_mut(&slip.hash);
        let records = records.expect("a ticket is in the table until it is handed in");
        let position = records.iter().position(|record| record.number == slip.number);
        let position = position.expect("a ticket is handed in once");
        let record = records.swap_remove(position);
        if records.is_empty() {
            self.by_hash.remove(&slip.hash);
        }
        record.key.into_key()
    }

    /// Joins the load of a key, if one is in progress that a reader may join.
    pub(crate) fn join<Q>(&mut self, hash: u64, key: &Q) -> Option<Joined<V>>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let joined = self.flight(hash, key)?.join();
        self.stats.load_waits += 1;
        Some(joined)
    }

    /// Counts a load that has ended without a value.
    pub(crate) fn count_failure(&mut self) {
        self.stats.load_failures += 1;
    }

    /// What became of the loads.
    pub(crate) fn stats(&self) -> Stats {
        self.stats
    }

    /// The load of a key that a reader may join.
    fn flight<Q>(&self, hash: u64, key: &Q) -> Option<&Arc<Flight<V>>>
    where
        Q: Equivalent<K> + ?Sized,
    {
        if self.is_empty() {
            return None;
        }
        let records = self.by_hash.get(&hash)?.iter();
        let mut joinable = records.filter_map(|record| Some((record, record.flight.as_ref()?)));
        joinable.find(|(record, _)| key.equivalent(&*record.key)).map(|(_, flight)| flight)
    }

    /// Voids every ticket for a key that is out.
    #[inline]
    pub(crate) fn void<Q>(&mut self, hash: u64, key: &Q)
    where
        Q: Equivalent<K> + ?Sized,
    {
        if self.is_empty() {
            return;
        }
        for record in self.by_hash.get_mut(&hash).into_iter().flatten() {
            if key.equivalent(&*record.key) {
                record.void();
            }
        }
    }

    /// Voids every ticket for a key of this hash that is out. Runs no user code.
    pub(crate) fn void_hash(&mut self, hash: u64) {
        self.by_hash.get_mut(&hash).into_iter().flatten().for_each(Record::void);
    }

    /// Voids every other ticket for the key of one.
    pub(crate) fn void_others(&mut self, slip: Slip)
    where
        K: Eq,
    {
        let records = self.by_hash.get_mut(&slip.hash).map_or(&mut [][..], Vec::as_mut_slice);
        let own = records.iter().position(|record| record.number == slip.number);
        let split = own.map(|own| records.split_at_mut(own));
        let Some((before, [own, after @ ..])) = split else {
            unreachable!("a ticket is in the table until it is handed in");
        };
        for record in before.iter_mut().chain(after) {
            if *record.key == *own.key {
                record.void();
            }
        }
    }

    /// How many tickets are out.
    pub(crate) fn len(&self) -> usize {
        self.by_hash.values().map(Vec::len).sum()
    }

    /// Voids every ticket that is out.
    pub(crate) fn void_all(&mut self) {
        self.by_hash.values_mut().flatten().for_each(Record::void);
    }
}

#[cfg(any(test, feature = "check"))]
impl<K, V> Outstanding<K, V> {
    /// Panics unless the invariants hold.
    pub(crate) fn check_invariants(&self) {
        let records = self.by_hash.values();
        assert!(records.clone().all(|records| !records.is_empty()), "a hash without a ticket");
        for record in records.clone().flatten() {
            let is_void = record.verdict == Verdict::Void;
            assert!(!(is_void && record.flight.is_some()), "a voided flight can be joined");
        }
    }
}

/// Passes a hash on as it is: the keys of the table are hashes already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("a hash is written whole");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::flight::Leader;

    /// Invariant: a hash is in the table exactly while a ticket under it is out.
    #[test]
    fn the_table_is_empty_when_all_tickets_are_in() {
        let mut out = Outstanding::<&str, ()>::new();
        let slips = [out.take_out(7, "a", None), out.take_out(7, "a", None)];
        let other = out.take_out(8, "b", None);
        assert_eq!(out.len(), 3);
        for slip in slips {
            assert_eq!(out.hand_in(slip), "a");
        }
        assert_eq!(out.hand_in(other), "b");
        out.check_invariants();
        assert!(out.by_hash.is_empty());
    }

    /// Design: a write voids the tickets that are out, of that key alone, and none that come later.
    /// Keys of the same hash are told apart.
    #[test]
    fn voiding_reaches_what_is_out_of_one_key_and_nothing_later() {
        let mut out = Outstanding::<&str, ()>::new();
        let (early, other) = (out.take_out(7, "a", None), out.take_out(7, "b", None));
        out.void(7, &"a");
        let late = out.take_out(7, "a", None);
        assert_eq!(out.verdict(early), Verdict::Void);
        assert_eq!(out.verdict(other), Verdict::Valid);
        assert_eq!(out.verdict(late), Verdict::Valid);
        out.void_others(late);
        assert_eq!(out.verdict(late), Verdict::Valid);
        assert_eq!(out.verdict(other), Verdict::Valid);
        out.void_others(early);
        assert_eq!(out.verdict(late), Verdict::Void);
    }

    /// Design: later readers never join the flight of a voided load.
    #[test]
    fn a_voided_ticket_has_no_flight() {
        let mut out = Outstanding::<&str, ()>::new();
        let flight = Flight::new(Leader::Detached);
        out.take_out(7, "a", Some(Arc::clone(&flight)));
        assert!(out.flight(7, &"a").is_some());
        assert!(out.flight(7, &"b").is_none());
        out.void_all();
        assert!(out.flight(7, &"a").is_none());
        assert_eq!(out.len(), 1);
        out.check_invariants();
    }
}
