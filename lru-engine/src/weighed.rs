//! Making room for an entry that is weighed, and its coming in.
//!
//! 1. Under the lock of its shard an insert takes what it lacks from the budgets. If they are
//!    spent, it evicts its shard's least recently used entries and keeps their places and weights,
//!    but for the entry whose value it replaces.
//! 2. If the shard is to have no more than its even share then, or has nothing left, it gives the
//!    lock back, evicts from one of the others after the other, from those that have more than
//!    their share first, and begins again with what it holds, its own share at its disposal.
//! 3. What it holds too much goes back before the lock does. So with one shard nothing is held
//!    while nothing is locked, and each entry that is not too heavy comes in.
//!
//! With several shards two inserts of heavy entries may each hold what the other lacks, with
//! nothing left to evict. Then each gives everything back and tries again; after [`TURNS_MAX`]
//! times the entry is refused, so every insert ends. It must never hold two locks.

use std::hash::BuildHasher;
use std::hash::Hash;

use crate::arena::SlotId;
use crate::budget::Place;
use crate::cache::Cache;
use crate::displaced::Displaced;
use crate::error::Refused;
use crate::error::RefusedReason;
use crate::listener::Cause;
use crate::outstanding::Slip;
use crate::room::Fit;
use crate::room::Outcome;
use crate::room::Room;
use crate::room::Weighed;
use crate::sharded::Evicted;
use crate::sharded::Guarded;
use crate::sharded::Locked;
use crate::sharded::Shards;
use crate::weight::Weigher;

/// How often an insert looks for room. It finds it the first or second time, unless other threads
/// are taking all the room there is.
const TURNS_MAX: usize = 16;

/// Whether an insert leaves its own shard its even share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnShare {
    Kept,
    Spent,
}

/// What an insert still lacks.
#[derive(Clone, Copy, Debug)]
struct Lack {
    place: bool,
    /// How much it has to hold, if that is more than it holds.
    weight: Option<u64>,
}

impl Lack {
    fn is_none(self) -> bool {
        !self.place && self.weight.is_none()
    }
}

impl<'a, K, V> Room<'a, K, V> {
    /// Takes from the budgets what an entry lacks; says what is lacking then.
    fn take(&mut self, shards: &'a Shards<K, V>, needs_place: bool, weight: u64) -> Lack {
        if needs_place && self.place.is_none() {
            self.place = shards.budget().take();
        }
        let is_held = self.weighed.as_mut().is_none_or(|weighed| weighed.held.fill_to(weight));
        Lack { place: needs_place && self.place.is_none(), weight: (!is_held).then_some(weight) }
    }

    /// Keeps what an entry leaves behind. A place too many goes back at once.
    fn keep(&mut self, evicted: Evicted<'a, K, V>) {
        self.place.get_or_insert(evicted.place);
        if let Some(weighed) = &mut self.weighed {
            weighed.held.keep(evicted.weight);
            weighed.evicted.push(evicted.entry);
        }
    }

    fn release(&mut self) {
        self.place = None;
        if let Some(weighed) = &mut self.weighed {
            weighed.held.release();
        }
    }
}

impl<K, V, S> Cache<K, V, S> {
    /// No room yet for an entry of a weight; `None` if the cache weighs nothing.
    #[inline]
    pub(crate) fn room(&self, weight: Option<u64>) -> Room<'_, K, V> {
        let weighed = weight.zip(self.shards.weight_budget()).map(|(weight, budget)| Weighed {
            weight,
            held: budget.hold(),
            fit: if weight > budget.capacity() { Fit::TooHeavy } else { Fit::Crowded },
            evicted: Vec::new(),
        });
        Room { place: None, weighed }
    }

    /// What an entry weighs; `None` if the cache weighs nothing. Nothing may be locked.
    #[inline]
    pub(crate) fn weigh(&self, key: &K, value: &V) -> Option<u64> {
        self.weigher.as_ref().map(|weigher| weigher.weigh(key, value))
    }

    /// What an entry weighs whose key lies with its ticket; `None` if the cache weighs nothing or
    /// the ticket is void, and then for good.
    pub(crate) fn weigh_ticketed(&self, slip: Slip, value: &V) -> Option<u64> {
        let weigher = self.weigher.as_ref()?;
        let key = self.shards.lock(slip.hash).outstanding().share_key(slip)?;
        Some(weigher.weigh(&key, value))
    }

    /// Locks the shard of a hash, looks up a key that is to be inserted, and makes room for its
    /// entry; where there is none, the fit of `room` says so.
    pub(crate) fn lock_with_room<'a>(
        &'a self,
        hash: u64,
        room: &mut Room<'a, K, V>,
        find: impl Fn(&mut Locked<'a, K, V>) -> Option<SlotId>,
    ) -> (Locked<'a, K, V>, Option<SlotId>) {
        let Some(Weighed { weight, fit, .. }) = room.weighed else {
            let (locked, found, place) = self.find_to_insert(hash, self.shards.lock(hash), find);
            room.place = place;
            return (locked, found);
        };
        let mut own_share = OwnShare::Kept;
        for _ in 1..TURNS_MAX {
            let mut locked = self.shards.lock(hash);
            let mut found = find(&mut locked);
            if fit == Fit::TooHeavy {
                return (locked, found);
            }
            let lack = locked.make_room(&mut found, weight, own_share, room);
            if lack.is_none() {
                if let Some(weighed) = &mut room.weighed {
                    weighed.fit = Fit::Held;
                }
                return (locked, found);
            }
            drop(locked);
            own_share = OwnShare::Spent;
            if !self.shards.make_room_elsewhere(hash, lack, room).is_none() {
                room.release();
            }
            self.let_go(room.take_evicted(), Cause::Evicted);
        }
        room.release();
        let mut locked = self.shards.lock(hash);
        let found = find(&mut locked);
        (locked, found)
    }

    /// Tells the listener of all that left for an entry; a panic of it goes on when it has been
    /// told of all.
    fn tell_outcome(&self, outcome: &Outcome<K, V>) {
        let Some(listener) = &self.listener else { return };
        let evicted = outcome.evicted.iter().map(|(key, value)| (key, value, Cause::Evicted));
        let displaced = match &outcome.displaced {
            Displaced::Nothing => None,
            Displaced::Replaced(key, value) => Some((key, value, Cause::Replaced)),
            Displaced::Evicted(key, value) => Some((key, value, Cause::Evicted)),
            Displaced::Refused(key, value) => Some((key, value, Cause::Refused)),
        };
        let refused = outcome.refused.iter().map(|it| (&it.key, &it.value, Cause::Refused));
        listener.tell_each(evicted.chain(displaced).chain(refused));
    }

    /// Lets go of all that left for an entry, and gives an entry back that was refused for its
    /// weight. Nothing may be locked.
    pub(crate) fn settle_or_refuse(&self, mut outcome: Outcome<K, V>) -> Result<(), Refused<K, V>> {
        let refused = outcome.refused.take();
        self.tell_outcome(&outcome);
        drop(outcome);
        refused.map_or(Ok(()), Err)
    }
}

impl<K: Hash + Eq, V, S: BuildHasher> Cache<K, V, S> {
    /// What [`insert`](Self::insert) does in a cache that weighs. Nothing may be locked.
    // Out of line: with one path for both, an insert that is not weighed ran 67 instructions more
    // of 294, and so 5 (2026-11-20, callgrind).
    #[inline(never)]
    pub(crate) fn insert_weighed(
        &self,
        hash: u64,
        weigher: &Weigher<K, V>,
        key: K,
        value: V,
    ) -> Option<V> {
        let mut room = self.room(Some(weigher.weigh(&key, &value)));
        let find = |locked: &mut Locked<'_, K, V>| {
            locked.outstanding().void(hash, &key);
            locked.find(hash, &key)
        };
        let (mut locked, found) = self.lock_with_room(hash, &mut room, find);
        let outcome = locked.insert_with_room(hash, found, (key, value), &mut room);
        drop(locked);
        self.tell_outcome(&outcome);
        let Outcome { evicted, displaced, refused } = outcome;
        drop((evicted, refused));
        displaced.into_replaced()
    }
}

impl<K, V> Shards<K, V> {
    /// Evicts from one shard after the other, but for that of a hash, until there is what was
    /// lacking, or nothing more to evict; says what is lacking then.
    #[cold]
    fn make_room_elsewhere<'a>(
        &'a self,
        hash: u64,
        mut lack: Lack,
        room: &mut Room<'a, K, V>,
    ) -> Lack {
        let needs_place = lack.place;
        let weight = lack.weight.unwrap_or(0);
        let first = self.richest();
        for is_rich_only in [true, false] {
            for position in first..first + self.count() {
                if self.is_at(hash, position) {
                    continue;
                }
                let mut locked = self.lock_at(position);
                loop {
                    lack = room.take(self, needs_place, weight);
                    if lack.is_none() {
                        self.note_richest(position);
                        return lack;
                    }
                    if !locked.can_spare(lack, is_rich_only) {
                        break;
                    }
                    let Some(evicted) = locked.evict_back() else { break };
                    room.keep(evicted);
                }
            }
        }
        lack
    }
}

impl<'a, K, V> Locked<'a, K, V> {
    /// Whether the shard has something of what is lacking: more than its even share of it, or
    /// anything.
    fn can_spare(&self, lack: Lack, is_rich_only: bool) -> bool {
        let (len_max, weight_max) =
            if is_rich_only { (self.share(), self.weight_share()) } else { (0, 0) };
        lack.place && self.len() > len_max
            || lack.weight.is_some() && self.weights().sum() > weight_max
    }

    /// The weight that is the shard's even share of the bound.
    fn weight_share(&self) -> u64 {
        let shards = self.owner();
        shards.weight_budget().map_or(0, |budget| budget.capacity() / shards.count() as u64)
    }

    /// Takes room for an entry of `weight` from the budgets, or else from the shard's own least
    /// recently used entries; says what is lacking then. `found` is where its key is.
    fn make_room(
        &mut self,
        found: &mut Option<SlotId>,
        weight: u64,
        own_share: OwnShare,
        room: &mut Room<'a, K, V>,
    ) -> Lack {
        loop {
            let former = found.map_or(0, |id| self.weights().of(id));
            let mut lack = room.take(self.owner(), found.is_none(), weight.saturating_sub(former));
            if lack.is_none() && found.is_none() && self.is_full() {
                lack.place = true;
            }
            let others = self.weights().sum() - former;
            if lack.is_none() || !lack.place && others == 0 {
                return lack;
            }
            let after = others.checked_add(weight);
            let is_light =
                lack.weight.is_none() || after.is_some_and(|after| after <= self.weight_share());
            let is_short = is_light && (!lack.place || self.is_short());
            if is_short && own_share == OwnShare::Kept {
                return lack;
            }
            match self.evict_back_but(found) {
                Some(evicted) => room.keep(evicted),
                None => return lack,
            }
        }
    }

    /// Makes an entry the most recently used, in the room that was made for it. `found` is where
    /// its key is. If there is no room, the key's former value is taken out: it is no longer true.
    pub(crate) fn insert_with_room(
        &mut self,
        hash: u64,
        found: Option<SlotId>,
        (key, value): (K, V),
        room: &mut Room<'a, K, V>,
    ) -> Outcome<K, V> {
        let mut outcome =
            Outcome { evicted: room.take_evicted(), displaced: Displaced::Nothing, refused: None };
        let reason = match &room.weighed {
            None => {
                outcome.displaced = self.insert(hash, found, (key, value), room.place.take());
                return outcome;
            }
            Some(Weighed { weight, fit: Fit::Held, .. }) => {
                outcome.displaced = self.enter(hash, found, (key, value), *weight, room);
                room.release();
                return outcome;
            }
            Some(Weighed { fit: Fit::TooHeavy, .. }) => RefusedReason::TooHeavy,
            Some(Weighed { fit: Fit::Crowded, .. }) => RefusedReason::Full,
        };
        self.guarded.shard.count_refusal();
        outcome.refused = Some(Refused { key, value, reason });
        if let Some((key, value)) = found.map(|found| self.remove_slot(found)) {
            outcome.displaced = Displaced::Replaced(key, value);
        }
        outcome
    }

    /// Puts an entry in for which `room` holds a place and its weight, unless `found` has them.
    fn enter(
        &mut self,
        hash: u64,
        found: Option<SlotId>,
        (key, value): (K, V),
        weight: u64,
        room: &mut Room<'a, K, V>,
    ) -> Displaced<K, V> {
        let Guarded { shard, weights, .. } = &mut *self.guarded;
        let displaced = shard.insert(hash, found, key, value);
        let former = match found {
            Some(found) => weights.replace(found, weight),
            None => {
                weights.push(weight);
                room.place.take().into_iter().for_each(Place::occupy);
                0
            }
        };
        if let Some(weighed) = &mut room.weighed {
            weighed.held.keep(former);
            weighed.held.occupy(weight);
        }
        displaced
    }

    /// Evicts the least recently used entry but one, which becomes the most recently used if that
    /// is in the way. It may move to another slot.
    fn evict_back_but(&mut self, kept: &mut Option<SlotId>) -> Option<Evicted<'a, K, V>> {
        let shard = &mut self.guarded.shard;
        if let Some(id) = kept.filter(|id| shard.back() == Some(*id)) {
            if shard.len() == 1 {
                return None;
            }
            shard.touch(id);
        }
        let (back, last) = (shard.back(), shard.last());
        let evicted = self.evict_back();
        if kept.is_some() && *kept == last {
            *kept = back;
        }
        evicted
    }
}
