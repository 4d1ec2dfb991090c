//! Tickets: a value that was read before a write, and comes after it, stays out of the cache.
//!
//! A ticket is taken before a statement is sent, and handed in with what the statement answered.
//! Whatever changed the key in between has voided it. The check and the insert are one step under
//! the lock of the key's shard.
//!
//! A ticket is two numbers and a handle on its cache; its key lies with the shard. It is handed in
//! by every way out: a panic of `Eq` on the way leaves that to the destructor. The destructor of a
//! write runs no `Eq`, so that it cannot fail.

use std::fmt;
use std::hash::BuildHasher;
use std::hash::Hash;
use std::sync::Arc;

use crate::cache::Cache;
use crate::error::Refused;
use crate::error::RefusedReason;
use crate::listener::Cause;
use crate::outstanding::Slip;
use crate::outstanding::Verdict;
use crate::room::Outcome;
use crate::sharded::Locked;

/// What a fill displaced, or the entry that it did not take.
type Filled<K, V> = Result<Outcome<K, V>, Refused<K, V>>;

mod sealed {
    /// Keeps other crates from adding handles.
    pub trait Sealed {}
}

/// How a ticket or a load holds its cache: by reference, or in an `Arc`, with which it can go
/// wherever it likes.
///
/// ```
/// use lru_engine::{Cache, Ticket};
/// use std::sync::Arc;
///
/// let cache = Arc::new(Cache::new(10));
/// let ticket: Ticket<&Cache<_, _>> = cache.ticket("a");
/// drop(ticket);
///
/// let ticket = Ticket::take(Arc::clone(&cache), "a");
/// std::thread::spawn(move || ticket.fill(1).is_ok()).join().unwrap();
/// assert_eq!(cache.get("a"), Some(1));
/// ```
pub trait Handle: sealed::Sealed {
    /// The keys of the cache.
    type Key: Hash + Eq;
    /// Its values.
    type Value;
    /// What hashes its keys.
    type Hasher: BuildHasher;

    /// The cache.
    fn cache(&self) -> &Cache<Self::Key, Self::Value, Self::Hasher>;
}

impl<K, V, S> sealed::Sealed for &Cache<K, V, S> {}

impl<K: Hash + Eq, V, S: BuildHasher> Handle for &Cache<K, V, S> {
    type Key = K;
    type Value = V;
    type Hasher = S;

    fn cache(&self) -> &Cache<K, V, S> {
        self
    }
}

impl<K, V, S> sealed::Sealed for Arc<Cache<K, V, S>> {}

impl<K: Hash + Eq, V, S: BuildHasher> Handle for Arc<Cache<K, V, S>> {
    type Key = K;
    type Value = V;
    type Hasher = S;

    fn cache(&self) -> &Cache<K, V, S> {
        self
    }
}

impl<K: Hash + Eq, V, S: BuildHasher> Cache<K, V, S> {
    /// A ticket for a value that is about to be read from where it comes from. See [`Ticket`].
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// let ticket = cache.ticket("a");
    /// assert!(ticket.fill(1).is_ok());
    /// assert_eq!(cache.get("a"), Some(1));
    /// ```
    pub fn ticket(&self, key: K) -> Ticket<&Self> {
        Ticket::take(self, key)
    }

    /// A ticket for a value that is about to be written to where it comes from. See
    /// [`WriteTicket`].
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// let ticket = cache.write_ticket("a");
    /// assert!(ticket.write(1).is_ok());
    /// assert_eq!(cache.get("a"), Some(1));
    /// ```
    pub fn write_ticket(&self, key: K) -> WriteTicket<&Self> {
        WriteTicket::take(self, key)
    }
}

/// The right to put in what is about to be read, unless something overtakes it.
///
/// Taken *before* the statement is sent, handed in with the answer. Every insert, remove or
/// invalidation of the key in between, a write by [`WriteTicket`], and `clear` and
/// `invalidate_all`, void it: what was read may be older. Evictions and `pop_lru` void nothing,
/// and neither do other reads.
///
/// Dropping it releases it; nothing is put in. As long as it is out, it takes a little memory
/// beside its shard, its key included. Handing it in and dropping it use the cache: neither may
/// happen in a closure that runs under the cache's lock.
///
/// ```
/// let cache = lru_engine::Cache::new(10);
/// let ticket = cache.ticket("a");
/// let read = 1;
/// cache.insert("a", 2); // overtakes what was read
/// let refused = ticket.fill(read).unwrap_err();
/// assert_eq!(refused.reason, lru_engine::RefusedReason::Overtaken);
/// assert_eq!(cache.get("a"), Some(2));
/// ```
#[must_use = "a ticket that is dropped puts nothing in"]
pub struct Ticket<H: Handle> {
    handle: H,
    /// Until it is handed in.
    slip: Option<Slip>,
}

impl<H: Handle> Ticket<H> {
    /// Takes a ticket for a key. Constant time.
    ///
    /// ```
    /// use lru_engine::{Cache, Ticket};
    /// use std::sync::Arc;
    ///
    /// let cache = Arc::new(Cache::new(10));
    /// let ticket = Ticket::take(Arc::clone(&cache), "a");
    /// assert!(ticket.fill(1).is_ok());
    /// ```
    pub fn take(handle: H, key: H::Key) -> Self {
        let slip = take_out(&handle, key);
        Self { handle, slip: Some(slip) }
    }

    /// A ticket that is out already.
    pub(crate) fn of(handle: H, slip: Slip) -> Self {
        Self { handle, slip: Some(slip) }
    }

    /// Puts the value in as the most recently used, unless the ticket is void.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives key and value back: [`RefusedReason::Overtaken`], and the cache is as
    /// whoever overtook the ticket left it; or, of an entry that is weighed,
    /// [`RefusedReason::TooHeavy`] or [`RefusedReason::Full`], and the key is not in the cache.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// assert!(cache.ticket("a").fill(1).is_ok());
    /// assert_eq!(cache.get("a"), Some(1));
    /// ```
    pub fn fill(mut self, value: H::Value) -> Result<(), Refused<H::Key, H::Value>> {
        let outcome = self.fill_unsettled(value)?;
        self.handle.cache().settle_or_refuse(outcome)
    }

    /// Lets go of what [`fill_unsettled`](Self::fill_unsettled) displaced.
    pub(crate) fn settle(&self, outcome: Outcome<H::Key, H::Value>) {
        drop(self.handle.cache().settle_or_refuse(outcome));
    }

    /// Hands the ticket in with nothing, and gives its key back; `None` if it is in already.
    pub(crate) fn take_back(&mut self) -> Option<H::Key> {
        let slip = self.slip.take()?;
        Some(self.handle.cache().shards.lock(slip.hash).outstanding().hand_in(slip))
    }

    /// Like [`take_back`](Self::take_back), and counts a load that has failed.
    pub(crate) fn take_back_failed(&mut self) -> Option<H::Key> {
        let slip = self.slip.take()?;
        let mut locked = self.handle.cache().shards.lock(slip.hash);
        locked.outstanding().count_failure();
        Some(locked.outstanding().hand_in(slip))
    }

    /// Like [`fill`](Self::fill), but leaves what the insert displaced to the caller.
    pub(crate) fn fill_unsettled(&mut self, value: H::Value) -> Filled<H::Key, H::Value> {
        let slip = self.slip.expect("a ticket is handed in once");
        let find = |locked: &mut Locked<'_, _, _>| match locked.verdict(slip) {
            Verdict::Void => None,
            Verdict::Valid => locked.find_ticketed(slip),
        };
        let cache = self.handle.cache();
        let mut room = cache.room(cache.weigh_ticketed(slip, &value));
        let (mut locked, found) = cache.lock_with_room(slip.hash, &mut room, find);
        let verdict = locked.verdict(slip);
        self.slip = None;
        let key = locked.outstanding().hand_in(slip);
        match verdict {
            Verdict::Void => {
                drop(locked);
                cache.let_go(room.take_evicted(), Cause::Evicted);
                Err(Refused { key, value, reason: RefusedReason::Overtaken })
            }
            Verdict::Valid => {
                Ok(locked.insert_with_room(slip.hash, found, (key, value), &mut room))
            }
        }
    }

    /// Puts the value in as the least recently used, by the rules of
    /// [`insert_cold`](Cache::insert_cold), unless the ticket is void. This is how a cache that
    /// serves already is filled beforehand.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives key and value back and says whether the ticket was overtaken, the key was
    /// there, the cache was full, or the entry is heavier than all may be together.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(1);
    /// assert!(cache.ticket("a").fill_cold(1).is_ok());
    /// let refused = cache.ticket("b").fill_cold(2).unwrap_err();
    /// assert_eq!(refused.reason, lru_engine::RefusedReason::Full);
    /// ```
    pub fn fill_cold(mut self, value: H::Value) -> Result<(), Refused<H::Key, H::Value>> {
        let slip = self.slip.expect("a ticket is handed in once");
        let cache = self.handle.cache();
        let weight = cache.weigh_ticketed(slip, &value);
        let mut locked = cache.shards.lock(slip.hash);
        let verdict = locked.verdict(slip);
        let found = match verdict {
            Verdict::Void => None,
            Verdict::Valid => locked.find_ticketed(slip),
        };
        self.slip = None;
        let key = locked.outstanding().hand_in(slip);
        match verdict {
            Verdict::Void => Err(Refused { key, value, reason: RefusedReason::Overtaken }),
            Verdict::Valid => locked.insert_cold(slip.hash, found, (key, value), weight),
        }
    }
}

fn take_out<H: Handle>(handle: &H, key: H::Key) -> Slip {
    let cache = handle.cache();
    let hash = cache.hasher.hash_one(&key);
    cache.shards.lock(hash).outstanding().take_out(hash, key, None)
}

impl<H: Handle> Drop for Ticket<H> {
    fn drop(&mut self) {
        drop(self.take_back());
    }
}

impl<H: Handle> fmt::Debug for Ticket<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

/// The duty to say what became of a write to where the values come from.
///
/// Taken *before* the write may take effect (before `COMMIT` is sent), and ended in one of three
/// ways: [`write`](Self::write) after it took effect, [`release`](Self::release) if it is certain
/// that it did not, and by being dropped if nobody knows. Each of them but `release` voids every
/// other ticket for the key that is out.
///
/// Dropping it makes the cache forget the key, and with it any key whose hash agrees in the 32 bits
/// that are stored, since a destructor must not run an `Eq` that may panic.
///
/// ```
/// let cache = lru_engine::Cache::new(10);
/// cache.insert("a", 1);
/// let ticket = cache.write_ticket("a");
/// drop(ticket); // did the write take effect?
/// assert_eq!(cache.get("a"), None);
/// ```
#[must_use = "a write that is dropped makes the cache forget its key"]
pub struct WriteTicket<H: Handle> {
    handle: H,
    /// Until it is handed in.
    slip: Option<Slip>,
}

impl<H: Handle> WriteTicket<H> {
    /// Takes a ticket for a key. Constant time.
    ///
    /// ```
    /// use lru_engine::{Cache, WriteTicket};
    /// use std::sync::Arc;
    ///
    /// let cache = Arc::new(Cache::new(10));
    /// let ticket = WriteTicket::take(Arc::clone(&cache), "a");
    /// assert!(ticket.write(1).is_ok());
    /// ```
    pub fn take(handle: H, key: H::Key) -> Self {
        let slip = take_out(&handle, key);
        Self { handle, slip: Some(slip) }
    }

    /// The write took effect: puts the value in as the most recently used. If something has
    /// overtaken the ticket, the key is removed instead: two writes crossed, and only where the
    /// values come from is it known which was last.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives key and value back, and the key is not in the cache:
    /// [`RefusedReason::Overtaken`]; or, of an entry that is weighed,
    /// [`RefusedReason::TooHeavy`] or [`RefusedReason::Full`].
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// let (first, second) = (cache.write_ticket("a"), cache.write_ticket("a"));
    /// assert!(second.write(2).is_ok());
    /// assert!(first.write(1).is_err());
    /// assert_eq!(cache.get("a"), None);
    /// ```
    pub fn write(mut self, value: H::Value) -> Result<(), Refused<H::Key, H::Value>> {
        let slip = self.slip.expect("a ticket is handed in once");
        let cache = self.handle.cache();
        let mut room = cache.room(cache.weigh_ticketed(slip, &value));
        let find = |locked: &mut Locked<'_, _, _>| {
            locked.outstanding().void_others(slip);
            locked.find_ticketed(slip)
        };
        let (mut locked, found) = cache.lock_with_room(slip.hash, &mut room, find);
        let verdict = locked.verdict(slip);
        // No `Eq` from here on: until it has run, the destructor is the way out.
        self.slip = None;
        let key = locked.outstanding().hand_in(slip);
        if verdict == Verdict::Valid {
            let outcome = locked.insert_with_room(slip.hash, found, (key, value), &mut room);
            drop(locked);
            return cache.settle_or_refuse(outcome);
        }
        let removed = found.map(|found| locked.remove_slot(found));
        drop(locked);
        let refused = Refused { key, value, reason: RefusedReason::Overtaken };
        let evicted = room.take_evicted();
        if let Some((key, value)) = removed {
            cache.tell(&key, &value, Cause::Invalidated);
        }
        cache.let_go(evicted, Cause::Evicted);
        Err(refused)
    }

    /// The write certainly did not take effect: leaves the cache as it is.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// cache.insert("a", 1);
    /// cache.write_ticket("a").release();
    /// assert_eq!(cache.get("a"), Some(1));
    /// ```
    pub fn release(mut self) {
        if let Some(slip) = self.slip.take() {
            let key = self.handle.cache().shards.lock(slip.hash).outstanding().hand_in(slip);
            drop(key);
        }
    }
}

impl<H: Handle> Drop for WriteTicket<H> {
    fn drop(&mut self) {
        let Some(slip) = self.slip.take() else { return };
        let cache = self.handle.cache();
        let mut forgotten = Vec::new();
        let mut locked = cache.shards.lock(slip.hash);
        let key = locked.outstanding().hand_in(slip);
        locked.outstanding().void_hash(slip.hash);
        while let Some(entry) = locked.remove_of_hash(slip.hash) {
            forgotten.push(entry);
        }
        drop(locked);
        drop(key);
        cache.let_go(forgotten, Cause::Invalidated);
    }
}

impl<H: Handle> fmt::Debug for WriteTicket<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTicket").finish_non_exhaustive()
    }
}
