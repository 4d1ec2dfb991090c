//! Loading what is missing with a closure, once however many ask.
//!
//! Who misses first runs its closure inside the call; the others wait for its flight (`lookup` has
//! the rules). Who waited for a load that gave it neither a value nor an error of its own type
//! starts again, and may lead the next time.

use std::borrow::Borrow;
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::hash::Hash;
use std::time::Duration;

use equivalent::Equivalent;

use crate::cache::Cache;
use crate::error::LoadError;
use crate::flight::Leader;
use crate::lookup::AskedKey;
use crate::lookup::Begun;
use crate::lookup::OwnKey;
use crate::lookup::RefKey;
use crate::lookup::arrived;
use crate::lookup::begin;
use crate::mark::thread_number;

impl<K: Hash + Eq, V: Clone, S: BuildHasher> Cache<K, V, S> {
    /// A clone of the value of a key, which is loaded if it is missing. Counts a hit or a miss.
    ///
    /// `load` runs on this thread with nothing locked, and may use the cache. Threads that ask for
    /// the key meanwhile wait for it and get a clone; it runs once for all of them. What it returns
    /// becomes the most recently used of its shard, unless the key was written, removed or
    /// invalidated meanwhile: then it is the answer to those who wait already, and is not put in.
    ///
    /// Loads of two threads that wait for each other, each for the other's key, wait for ever:
    /// where that can happen, use
    /// [`try_get_or_insert_with_timeout`](Self::try_get_or_insert_with_timeout).
    ///
    /// # Panics
    ///
    /// If `load` panics, or panicked on the thread that was waited for, or asks for its own key.
    /// If a load that was waited for fails, by one of the other functions, `load` runs here.
    ///
    /// ```
    /// let cache = lru_engine::Cache::new(10);
    /// assert_eq!(cache.get_or_insert_with("a", || 1), 1);
    /// assert_eq!(cache.get_or_insert_with("a", || unreachable!()), 1);
    /// ```
    pub fn get_or_insert_with(&self, key: K, load: impl FnOnce() -> V) -> V {
        let load = || Ok::<V, Infallible>(load());
        loaded(self.load_through(OwnKey(key), None, load))
    }

    /// Like [`get_or_insert_with`](Self::get_or_insert_with), with the key by reference: the cache
    /// makes one of its own where it has to be loaded, and neither for a hit nor to wait.
    ///
    /// That is done while a shard is locked: using this cache inside `to_owned` panics.
    ///
    /// # Panics
    ///
    /// As [`get_or_insert_with`](Self::get_or_insert_with) does.
    ///
    /// ```
    /// let cache = lru_engine::Cache::<String, usize>::new(10);
    /// assert_eq!(cache.get_or_insert_with_by_ref("four", || 4), 4);
    /// assert_eq!(cache.get_or_insert_with_by_ref("four", || unreachable!()), 4);
    /// ```
    pub fn get_or_insert_with_by_ref<Q>(&self, key: &Q, load: impl FnOnce() -> V) -> V
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
        K: Borrow<Q>,
    {
        let load = || Ok::<V, Infallible>(load());
        loaded(self.load_through(RefKey(key), None, load))
    }

    /// Like [`get_or_insert_with`](Self::get_or_insert_with), with a load that can fail. An error
    /// reaches all that wait for it, shared, and is not remembered: who asks next loads again.
    ///
    /// # Errors
    ///
    /// [`LoadError::Failed`] with what `load` returned, here or on the thread that was waited for;
    /// [`LoadError::Panicked`] if it panicked there; [`LoadError::Recursive`] if it asks for its
    /// own key. If a load that was waited for fails with an error of another type than `E`, `load`
    /// runs here.
    ///
    /// # Panics
    ///
    /// If `load` does.
    ///
    /// ```
    /// let cache = lru_engine::Cache::<&str, u32>::new(10);
    /// assert!(cache.try_get_or_insert_with("a", || "one".parse::<u32>()).is_err());
    /// assert_eq!(cache.try_get_or_insert_with("a", || "1".parse::<u32>())?, 1);
    /// # Ok::<(), lru_engine::LoadError<std::num::ParseIntError>>(())
    /// ```
    pub fn try_get_or_insert_with<E>(
        &self,
        key: K,
        load: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, LoadError<E>>
    where
        E: Send + Sync + 'static,
    {
        self.load_through(OwnKey(key), None, load)
    }

    /// Like [`try_get_or_insert_with`](Self::try_get_or_insert_with), with the key by reference, as
    /// for [`get_or_insert_with_by_ref`](Self::get_or_insert_with_by_ref).
    ///
    /// # Errors
    ///
    /// As [`try_get_or_insert_with`](Self::try_get_or_insert_with).
    ///
    /// # Panics
    ///
    /// If `load` does.
    ///
    /// ```
    /// let cache = lru_engine::Cache::<String, u32>::new(10);
    /// let load = || "1".parse::<u32>();
    /// assert_eq!(cache.try_get_or_insert_with_by_ref("one", load)?, 1);
    /// # Ok::<(), lru_engine::LoadError<std::num::ParseIntError>>(())
    /// ```
    pub fn try_get_or_insert_with_by_ref<Q, E>(
        &self,
        key: &Q,
        load: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, LoadError<E>>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
        K: Borrow<Q>,
        E: Send + Sync + 'static,
    {
        self.load_through(RefKey(key), None, load)
    }

    /// Like [`try_get_or_insert_with`](Self::try_get_or_insert_with), but waits at most `wait_max`
    /// for a load of another thread. It bounds the waiting, not a `load` that runs here.
    ///
    /// # Errors
    ///
    /// Also [`LoadError::TimedOut`]. The load that was waited for goes on.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let cache = lru_engine::Cache::<&str, u32>::new(10);
    /// let second = Duration::from_secs(1);
    /// let loaded = cache.try_get_or_insert_with_timeout("a", second, || "1".parse::<u32>());
    /// assert_eq!(loaded?, 1);
    /// # Ok::<(), lru_engine::LoadError<std::num::ParseIntError>>(())
    /// ```
    pub fn try_get_or_insert_with_timeout<E>(
        &self,
        key: K,
        wait_max: Duration,
        load: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, LoadError<E>>
    where
        E: Send + Sync + 'static,
    {
        self.load_through(OwnKey(key), Some(wait_max), load)
    }

    fn load_through<A, E>(
        &self,
        mut asked: A,
        wait_max: Option<Duration>,
        load: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, LoadError<E>>
    where
        A: AskedKey<K>,
        E: Send + Sync + 'static,
    {
        let leader = Leader::Thread(thread_number());
        let answer = loop {
            let joined = match begin(self, asked, leader) {
                Begun::Hit(value) => break Ok(value),
                Begun::Lead(lead) => return lead.land(load()),
                Begun::Joined(_, joined) if joined.leader() == leader => {
                    break Err(LoadError::Recursive);
                }
                Begun::Joined(unused, joined) => {
                    asked = unused;
                    joined
                }
            };
            match arrived(joined.wait(wait_max)) {
                // Nobody has loaded for this caller, so it does.
                Err(LoadError::FailedOtherwise | LoadError::Abandoned) => {}
                answer => {
                    drop(asked);
                    break answer;
                }
            }
        };
        // Before the result is ready, or Rust would leak it if this panics.
        drop(load);
        answer
    }
}

/// What a load that cannot fail gave, or the panic that says why it gave nothing.
#[track_caller]
fn loaded<V>(answer: Result<V, LoadError<Infallible>>) -> V {
    match answer {
        Ok(value) => value,
        Err(LoadError::Failed(never)) => match *never {},
        Err(error) => panic!("{error}"),
    }
}
