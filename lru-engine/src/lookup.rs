//! Lookups that say who loads, and loads that end wherever they are taken to (single flight).
//!
//! Who misses first leads: it holds a ticket whose flight the others join. Looking the key up,
//! joining and taking the lead are one step under the lock of the key's shard. Putting the value
//! in and ending the joining are another, so the leader knows for how many it has to clone.
//!
//! A load that is overtaken answers those who have joined, and the cache is left as whoever
//! overtook it left it; readers that come later find no flight to join.
//!
//! Every way out of a load lands its flight: a panic, and being dropped, leave that to the
//! destructor. Nothing here waits while anything is locked.

use std::borrow::Borrow;
use std::fmt;
use std::hash::BuildHasher;
use std::hash::Hash;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use equivalent::Equivalent;

use crate::cache::Cache;
use crate::error::LoadError;
use crate::flight::Arrival;
use crate::flight::Flight;
use crate::flight::Joined;
use crate::flight::Landing;
use crate::flight::Leader;
use crate::mark::thread_number;
use crate::ticket::Handle;
use crate::ticket::Ticket;

impl<K: Hash + Eq, V: Clone, S: BuildHasher> Cache<K, V, S> {
    /// Looks a key up, and says what to do if it is missing: to wait for a load in progress, or to
    /// load. For loads that end elsewhere, on another thread or in a callback; where the load can
    /// run at once, [`try_get_or_insert_with`](Self::try_get_or_insert_with) is simpler.
    ///
    /// ```
    /// use lru_engine::{Cache, Lookup};
    ///
    /// let cache = Cache::new(10);
    /// let Lookup::Load(load) = cache.lookup("a") else { panic!("the cache is empty") };
    /// load.land(Ok::<u32, std::io::Error>(1)).unwrap();
    /// assert!(matches!(cache.lookup("a"), Lookup::Hit(1)));
    /// ```
    pub fn lookup(&self, key: K) -> Lookup<&Self> {
        Lookup::of(self, key)
    }
}

/// What a cache knows of a key: its value, a load to wait for, or that it has to be loaded.
///
/// ```
/// use lru_engine::{Cache, Lookup};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// let cache = Arc::new(Cache::new(10));
/// let Lookup::Load(load) = Lookup::of(Arc::clone(&cache), "a") else { panic!("it is empty") };
/// let Lookup::Pending(pending) = cache.lookup("a") else { panic!("it is being loaded") };
/// std::thread::spawn(move || load.land(Ok::<u32, std::io::Error>(1)));
/// let loaded = pending.wait::<std::io::Error>(Duration::from_secs(10));
/// assert_eq!(loaded.unwrap(), 1);
/// ```
#[derive(Debug)]
pub enum Lookup<H: Handle> {
    /// A clone of the value, whose entry has become the most recently used.
    Hit(H::Value),
    /// The key is being loaded.
    Pending(Pending<H::Value>),
    /// The caller has to load it: others wait for that from now on.
    Load(Load<H>),
}

impl<H: Handle> Lookup<H>
where
    H::Value: Clone,
{
    /// What [`Cache::lookup`] does, with the cache held by `handle`.
    ///
    /// ```
    /// use lru_engine::{Cache, Lookup};
    /// use std::sync::Arc;
    ///
    /// let cache = Arc::new(Cache::<&str, u32>::new(10));
    /// assert!(matches!(Lookup::of(Arc::clone(&cache), "a"), Lookup::Load(_)));
    /// ```
    pub fn of(handle: H, key: H::Key) -> Self {
        match begin(handle, OwnKey(key), Leader::Detached) {
            Begun::Hit(value) => Self::Hit(value),
            Begun::Joined(_, joined) => Self::Pending(Pending { joined }),
            Begun::Lead(load) => Self::Load(load),
        }
    }
}

/// What became of a lookup.
pub(crate) enum Begun<H: Handle, A> {
    Hit(H::Value),
    /// The key is not needed yet.
    Joined(A, Joined<H::Value>),
    Lead(Load<H>),
}

/// A key as it is asked for: a key of the cache that is kept if it has to be loaded, or what such a
/// key is made of then.
pub(crate) trait AskedKey<K> {
    /// What the key is looked up by.
    type Form: Hash + Equivalent<K> + ?Sized;

    fn form(&self) -> &Self::Form;

    /// The key for the cache to keep.
    fn into_key(self) -> K;
}

/// A key that is given away.
pub(crate) struct OwnKey<K>(pub(crate) K);

/// A key that is made of a reference where it has to be kept.
pub(crate) struct RefKey<'a, Q: ?Sized>(pub(crate) &'a Q);

impl<K: Hash + Eq> AskedKey<K> for OwnKey<K> {
    type Form = K;

    fn form(&self) -> &K {
        &self.0
    }

    fn into_key(self) -> K {
        self.0
    }
}

impl<K, Q> AskedKey<K> for RefKey<'_, Q>
where
    Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    K: Borrow<Q>,
{
    type Form = Q;

    fn form(&self) -> &Q {
        self.0
    }

    fn into_key(self) -> K {
        self.0.to_owned()
    }
}

/// Looks a key up, and joins a load of it or takes the lead.
pub(crate) fn begin<H, A>(handle: H, asked: A, leader: Leader) -> Begun<H, A>
where
    H: Handle,
    H::Value: Clone,
    A: AskedKey<H::Key>,
{
    let cache = handle.cache();
    let hash = cache.hasher.hash_one(asked.form());
    let mut locked = cache.shards.lock(hash);
    if let Some(value) = locked.get(hash, asked.form()) {
        let value = value.clone();
        drop(locked);
        drop(asked);
        return Begun::Hit(value);
    }
    if let Some(joined) = locked.outstanding().join(hash, asked.form()) {
        return Begun::Joined(asked, joined);
    }
    let key = asked.into_key();
    let flight = Flight::new(leader);
    let slip = locked.outstanding().take_out(hash, key, Some(Arc::clone(&flight)));
    drop(locked);
    Begun::Lead(Load { flight: Some(flight), ticket: Ticket::of(handle, slip) })
}

/// What one that waited is told.
pub(crate) fn arrived<V, E>(arrival: Arrival<V>) -> Result<V, LoadError<E>>
where
    E: Send + Sync + 'static,
{
    match arrival {
        Arrival::Value(value) => Ok(value),
        Arrival::Failed(error) => {
            Err(error.downcast().map_or(LoadError::FailedOtherwise, LoadError::Failed))
        }
        Arrival::Panicked => Err(LoadError::Panicked),
        Arrival::Abandoned => Err(LoadError::Abandoned),
        Arrival::TimedOut => Err(LoadError::TimedOut),
    }
}

/// A load that others wait for. Whoever has it loads the value and lands it.
///
/// It holds a [`Ticket`], so what overtakes it voids it. Dropping it ends the waiting of all with
/// [`LoadError::Abandoned`].
///
/// See [`Lookup`] for an example.
#[must_use = "others wait for a load to land"]
pub struct Load<H: Handle> {
    /// Until it has landed.
    flight: Option<Arc<Flight<H::Value>>>,
    ticket: Ticket<H>,
}

impl<H: Handle> Load<H> {
    /// One more that waits for this load, to be kept by whoever gives the load away.
    ///
    /// ```
    /// use lru_engine::{Cache, Lookup};
    /// use std::time::Duration;
    ///
    /// let cache = Cache::new(10);
    /// let Lookup::Load(load) = cache.lookup("a") else { panic!("the cache is empty") };
    /// let pending = load.pending();
    /// load.land(Ok::<u32, std::io::Error>(1)).unwrap();
    /// assert_eq!(pending.wait::<std::io::Error>(Duration::ZERO).unwrap(), 1);
    /// ```
    pub fn pending(&self) -> Pending<H::Value> {
        let flight = self.flight.as_ref().expect("a load lands once, when it is consumed");
        Pending { joined: flight.join() }
    }

    /// Ends the load: puts a value in unless the load was overtaken or the value is too heavy, and
    /// answers those who wait.
    ///
    /// # Errors
    ///
    /// [`LoadError::Failed`] with the error that was given, as those who wait get it.
    ///
    /// # Panics
    ///
    /// If `Clone` or `Eq` does, or a destructor of what the value displaced, or the listener. In
    /// the first two cases those who wait get [`LoadError::Panicked`] or
    /// [`LoadError::Abandoned`], in the others the value.
    ///
    /// ```
    /// use lru_engine::{Cache, Lookup};
    ///
    /// let cache = Cache::<&str, u32>::new(10);
    /// let Lookup::Load(load) = cache.lookup("a") else { panic!("the cache is empty") };
    /// assert!(load.land(Err::<u32, _>("no such thing")).is_err());
    /// assert!(cache.is_empty());
    /// ```
    pub fn land<E>(self, result: Result<H::Value, E>) -> Result<H::Value, LoadError<E>>
    where
        H::Value: Clone,
        E: Send + Sync + 'static,
    {
        if let Some(flight) = &self.flight {
            flight.lead_from(thread_number());
        }
        match result {
            Ok(value) => Ok(self.land_value(value)),
            Err(error) => Err(LoadError::Failed(self.land_error(error))),
        }
    }

    fn land_value(mut self, value: H::Value) -> H::Value
    where
        H::Value: Clone,
    {
        let kept = value.clone();
        let filled = self.ticket.fill_unsettled(kept);
        // Nobody joins any more.
        let joined = self.flight.as_ref().map_or(0, |flight| flight.joined());
        let clones = || (0..joined).map(|_| value.clone()).collect();
        let cloned = panic::catch_unwind(AssertUnwindSafe(clones));
        let panicked = match cloned {
            Ok(values) => {
                self.end(Landing::Values(values));
                None
            }
            Err(payload) => {
                self.end(Landing::Panicked);
                Some(payload)
            }
        };
        // A refused value is dropped like a displaced one.
        if let Ok(outcome) = filled {
            self.ticket.settle(outcome);
        }
        if let Some(payload) = panicked {
            panic::resume_unwind(payload);
        }
        value
    }

    fn land_error<E: Send + Sync + 'static>(mut self, error: E) -> Arc<E> {
        let error = Arc::new(error);
        let key = self.ticket.take_back_failed();
        self.end(Landing::Failed(Arc::<E>::clone(&error)));
        drop(key);
        error
    }

    fn end(&mut self, landing: Landing<H::Value>) {
        if let Some(flight) = self.flight.take() {
            flight.land(landing);
        }
    }
}

impl<H: Handle> Drop for Load<H> {
    fn drop(&mut self) {
        let landing = LandsLast(self.flight.take());
        // Ends the joining first: one that joined a flight which has landed so would try again,
        // and join it again.
        let key = self.ticket.take_back_failed();
        drop(landing);
        drop(key);
    }
}

/// Lands a flight without a result when it is dropped, in a panic as well.
struct LandsLast<V>(Option<Arc<Flight<V>>>);

impl<V> Drop for LandsLast<V> {
    fn drop(&mut self) {
        if let Some(flight) = self.0.take() {
            flight.land(match flight.leader() {
                // On its own thread a load lands with a result, unless it panics.
                Leader::Thread(_) => Landing::Panicked,
                Leader::Detached => Landing::Abandoned,
            });
        }
    }
}

impl<H: Handle> fmt::Debug for Load<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load").finish_non_exhaustive()
    }
}

/// A load in progress, to be waited for.
///
/// See [`Lookup`] for an example.
#[must_use = "what is pending is to be waited for"]
pub struct Pending<V> {
    joined: Joined<V>,
}

impl<V> Pending<V> {
    /// Waits for the load to land, at most `wait_max`. `E` is the type of error that whoever loads
    /// lands with.
    ///
    /// # Errors
    ///
    /// [`LoadError::Failed`] with the error of the load, [`LoadError::FailedOtherwise`] if that is
    /// no `E`; [`LoadError::Panicked`], [`LoadError::Abandoned`]; [`LoadError::TimedOut`] when the
    /// time is over.
    ///
    /// ```
    /// use lru_engine::{Cache, LoadError, Lookup};
    /// use std::time::Duration;
    ///
    /// let cache = Cache::<&str, u32>::new(10);
    /// let Lookup::Load(load) = cache.lookup("a") else { panic!("the cache is empty") };
    /// let pending = load.pending();
    /// drop(load);
    /// let abandoned = pending.wait::<std::io::Error>(Duration::ZERO);
    /// assert!(matches!(abandoned, Err(LoadError::Abandoned)));
    /// ```
    pub fn wait<E>(self, wait_max: Duration) -> Result<V, LoadError<E>>
    where
        E: Send + Sync + 'static,
    {
        arrived(self.joined.wait(Some(wait_max)))
    }
}

impl<V> fmt::Debug for Pending<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}
