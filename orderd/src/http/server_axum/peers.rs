//! The open connections: what each of them waits for, since when, and which has to go.
//!
//! A connection marks what it waits for in an atomic word, without a lock. [`Peers::sweep`] looks
//! at all of them now and then and cuts those that wait for their client too long; when there is no
//! room for another, [`Peers::evict`] cuts those that cost others least.
//!
//! Invariants:
//! * A connection whose request is being answered is never cut: its wait has a deadline elsewhere.
//! * Who is asked to go is told so once, and goes by itself.

use crate::http::limits::Limits;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// One in so many connections makes room when there is none: looking at all of them for each one
/// that comes would cost more than answering it.
const EVICTED_SHARE: usize = 64;

/// After a want of descriptors, one in so many connections more are tried at each sweep.
const REGROWN_SHARE: usize = 64;

/// Bytes a millisecond, so 4 KiB a second: who takes an answer at this rate may go on.
const WRITE_RATE_MIN: u64 = 4;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The first byte of a request.
    Idle = 0,
    /// The rest of a head.
    Head = 1,
    /// Its answer.
    Busy = 2,
}

/// Why a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Idle = 1,
    HeadTooSlow = 2,
    WriteTooSlow = 3,
    NoRoom = 4,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Peer {
    started: Instant,
    /// Since when the phase lasts, in milliseconds, above the phase's two bits.
    phase: AtomicU64,
    /// Since when a write waits for the client, in milliseconds; 0 if none does.
    blocked: AtomicU64,
    /// A [`Cut`], or 0.
    cut: AtomicU8,
    told: Notify,
    /// Whether the client has sent more than the request that is being answered.
    is_ahead: AtomicBool,
}

impl Peer {
    /// Milliseconds since the server began, never 0.
    fn now(&self) -> u64 {
        milliseconds(self.started.elapsed()) + 1
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store((self.now() << 2) | phase as u64, Ordering::Relaxed);
    }

    pub(super) fn phase(&self) -> Phase {
        self.waits_since().0
    }

    fn waits_since(&self) -> (Phase, u64) {
        let word = self.phase.load(Ordering::Relaxed);
        let phase = match word & 3 {
            0 => Phase::Idle,
            1 => Phase::Head,
            _ => Phase::Busy,
        };
        (phase, word >> 2)
    }

    pub(super) fn set_ahead(&self, is_ahead: bool) {
        self.is_ahead.store(is_ahead, Ordering::Relaxed);
    }

    pub(super) fn is_ahead(&self) -> bool {
        self.is_ahead.load(Ordering::Relaxed)
    }

    /// A write waits for the client.
    pub(super) fn write_blocks(&self) {
        if self.blocked.load(Ordering::Relaxed) == 0 {
            self.blocked.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The client took so many bytes, and with them the time for as many.
    pub(super) fn write_moves(&self, bytes: usize) {
        let since = self.blocked.load(Ordering::Relaxed);
        if since != 0 {
            let earned = since.saturating_add(bytes as u64 / WRITE_RATE_MIN);
            self.blocked.store(earned.min(self.now()), Ordering::Relaxed);
        }
    }

    /// The client took all there was.
    pub(super) fn write_ends(&self) {
        if self.blocked.swap(0, Ordering::Relaxed) != 0 && self.phase() == Phase::Idle {
            self.enter(Phase::Idle);
        }
    }

    /// What this connection is guilty of at the time `now`.
    fn overdue(&self, now: u64, limits: &Limits) -> Option<Cut> {
        let longer = |since: u64, wait: Duration| now.saturating_sub(since) > milliseconds(wait);
        let blocked = self.blocked.load(Ordering::Relaxed);
        if blocked != 0 {
            return longer(blocked, limits.write_wait_max).then_some(Cut::WriteTooSlow);
        }
        match self.waits_since() {
            (Phase::Idle, since) => longer(since, limits.idle_wait_max).then_some(Cut::Idle),
            (Phase::Head, since) => longer(since, limits.head_wait_max).then_some(Cut::HeadTooSlow),
            (Phase::Busy, _) => None,
        }
    }

    fn cut(&self, why: Cut) {
        let first = self.cut.compare_exchange(0, why as u8, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok() {
            self.told.notify_one();
        }
    }

    /// Waits until this connection is asked to go.
    pub(super) async fn cut_off(&self) -> Cut {
        self.told.notified().await;
        match self.cut.load(Ordering::Relaxed) {
            2 => Cut::HeadTooSlow,
            3 => Cut::WriteTooSlow,
            4 => Cut::NoRoom,
            _ => Cut::Idle,
        }
    }
}

/// All open connections.
#[derive(Debug)]
pub(super) struct Peers {
    started: Instant,
    limits: Limits,
    open: Mutex<Open>,
    /// How many may be open: fewer than the limit says while the system has no descriptors.
    open_max: AtomicUsize,
    room: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    peers: HashMap<u64, Arc<Peer>>,
}

impl Peers {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        let open_max = AtomicUsize::new(limits.connections_max);
        let (open, room) = (Mutex::default(), Notify::new());
        Arc::new(Self { started: Instant::now(), limits, open, open_max, room })
    }

    /// Enters a connection until the guest is dropped.
    pub(super) fn admit(self: &Arc<Self>) -> Guest {
        let peer = Arc::new(Peer {
            started: self.started,
            phase: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            cut: AtomicU8::new(0),
            told: Notify::new(),
            is_ahead: AtomicBool::new(false),
        });
        peer.enter(Phase::Idle);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let id = open.next;
        open.next += 1;
        open.peers.insert(id, Arc::clone(&peer));
        drop(open);
        Guest { peers: Arc::clone(self), id, peer }
    }

    pub(super) fn len(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).peers.len()
    }

    /// Asks all to go that wait for their client too long. Costs a look at each.
    pub(super) fn sweep(&self) {
        let now = milliseconds(self.started.elapsed()) + 1;
        for (peer, why) in self.select(|peer| peer.overdue(now, &self.limits)) {
            peer.cut(why);
        }
        let open_max = self.open_max.load(Ordering::Relaxed);
        let grown = open_max + open_max / REGROWN_SHARE + 1;
        self.open_max.store(grown.min(self.limits.connections_max), Ordering::Relaxed);
    }

    /// The system has no descriptor left, for this or for others of the process: makes do with an
    /// eighth fewer than there are connections, and asks the rest to go.
    pub(super) fn shrink(&self) {
        let count = self.len() / 8 + 1;
        let left = self.len().saturating_sub(count).max(1);
        self.open_max.store(left, Ordering::Relaxed);
        self.evict(count);
    }

    /// Makes sure that there is room for one more connection, within `wait_max`. Returns whether
    /// there is.
    pub(super) async fn make_room(&self, wait_max: Duration) -> bool {
        let has_room = || self.len() < self.open_max.load(Ordering::Relaxed);
        if has_room() {
            return true;
        }
        let deadline = Instant::now() + wait_max;
        self.evict(self.len() / EVICTED_SHARE + 1);
        while !has_room() {
            if tokio::time::timeout_at(deadline, self.room.notified()).await.is_err() {
                return has_room();
            }
        }
        true
    }

    /// Asks so many to go: those who lie idle longest, then those whose heads or answers take
    /// longest.
    fn evict(&self, count: usize) {
        let mut waiting = self.select(|peer| {
            let is_blocked = peer.blocked.load(Ordering::Relaxed) != 0;
            let (phase, since) = peer.waits_since();
            (phase != Phase::Busy).then_some((is_blocked, phase, since))
        });
        if waiting.len() > count {
            waiting.select_nth_unstable_by_key(count, |(_, order)| *order);
        }
        for (peer, _) in waiting.iter().take(count) {
            peer.cut(Cut::NoRoom);
        }
    }

    /// Those for whom `of` has an answer. They are told after the lock is free.
    fn select<T>(&self, of: impl Fn(&Peer) -> Option<T>) -> Vec<(Arc<Peer>, T)> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = open.peers.values().filter_map(|peer| Some((Arc::clone(peer), of(peer)?)));
        chosen.collect()
    }
}

/// A connection's place among the others.
#[derive(Debug)]
pub(super) struct Guest {
    peers: Arc<Peers>,
    id: u64,
    pub(super) peer: Arc<Peer>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut open = self.peers.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.peers.remove(&self.id);
        drop(open);
        self.peers.room.notify_one();
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
