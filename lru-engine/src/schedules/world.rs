//! A small cache, and what is true of it: the registers that its values come from, and a ledger.

use std::array;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize as Count;
use std::sync::atomic::Ordering::SeqCst;

use shuttle::rand::Rng;
use shuttle::rand::thread_rng;
use shuttle::sync::atomic::AtomicUsize;

use crate::Cache;
use crate::Cause;
use crate::sync::Lock;

pub(super) const KEYS: usize = 4;

pub(super) type Shared = Arc<Cache<usize, Value, BuildHasherDefault<Spread>>>;

/// Spreads four keys over as many shards as there are, up to four.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0 << 62 | self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("the keys are usize");
    }

    fn write_usize(&mut self, key: usize) {
        self.0 = key as u64;
    }
}

/// What was made, dropped, and told of by the listener.
#[derive(Default)]
pub(super) struct Ledger {
    made: Count,
    dropped: Count,
    told: Count,
}

/// A version of a key.
pub(super) struct Value {
    pub(super) key: usize,
    pub(super) version: usize,
    is_dropped: AtomicBool,
    ledger: Arc<Ledger>,
}

impl Value {
    fn new(key: usize, version: usize, ledger: &Arc<Ledger>) -> Self {
        ledger.made.fetch_add(1, SeqCst);
        Self { key, version, is_dropped: AtomicBool::new(false), ledger: Arc::clone(ledger) }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        Self::new(self.key, self.version, &self.ledger)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert!(!self.is_dropped.swap(true, SeqCst), "dropped twice");
        self.ledger.dropped.fetch_add(1, SeqCst);
    }
}

/// A key as the test sees it.
pub(super) struct Register {
    /// The version in the database.
    version: AtomicUsize,
    /// Taken by who writes a key that has no tickets.
    pub(super) writing: Lock<()>,
    /// The last version whose write has returned.
    settled: Count,
    voids_begun: Count,
    pub(super) voids_ended: Count,
    /// For each load that runs, the voids that had ended when it was asked for.
    loads: Mutex<Vec<usize>>,
}

impl Register {
    fn new() -> Self {
        Self {
            version: AtomicUsize::new(0),
            writing: Lock::new(()),
            settled: Count::new(0),
            voids_begun: Count::new(0),
            voids_ended: Count::new(0),
            loads: Mutex::default(),
        }
    }

    fn loads(&self) -> MutexGuard<'_, Vec<usize>> {
        // A panic that one thread unwinds seems to be every thread's, as they are one to the
        // system.
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct World {
    pub(super) cache: Shared,
    pub(super) registers: [Register; KEYS],
    ledger: Arc<Ledger>,
}

impl World {
    /// A small cache: its bounds and shards are drawn.
    pub(super) fn new() -> Self {
        let mut random = thread_rng();
        let ledger = Arc::<Ledger>::default();
        let told = Arc::clone(&ledger);
        let builder = Cache::builder().shards(1 << random.gen_range(0..3));
        let builder = builder.hasher(BuildHasherDefault::default());
        let mut builder = builder.listener(move |removal| {
            if removal.cause != Cause::Refused {
                told.told.fetch_add(1, SeqCst);
            }
        });
        let is_weighed = random.gen_bool(0.5);
        if is_weighed {
            let weigher = |_key: &usize, value: &Value| value.version as u64 % 4;
            builder = builder.weight_capacity(random.gen_range(2..8)).weigher(weigher);
        }
        if !is_weighed || random.gen_bool(0.5) {
            builder = builder.capacity(random.gen_range(1..=KEYS));
        }
        let cache = Arc::new(builder.build().expect("it has a bound"));
        Self { cache, registers: array::from_fn(|_| Register::new()), ledger }
    }

    fn value(&self, key: usize, version: usize) -> Value {
        Value::new(key, version, &self.ledger)
    }

    /// The version in the database, read.
    pub(super) fn read(&self, key: usize) -> Value {
        self.value(key, self.registers[key].version.load(SeqCst))
    }

    /// Changes the database.
    pub(super) fn write(&self, key: usize) -> Value {
        self.value(key, self.registers[key].version.fetch_add(1, SeqCst) + 1)
    }

    /// Does what voids the loads of a key, and ends with its version at least `version`.
    pub(super) fn void<R>(&self, key: usize, version: usize, act: impl FnOnce() -> R) -> R {
        let register = &self.registers[key];
        register.voids_begun.fetch_add(1, SeqCst);
        let result = act();
        register.voids_ended.fetch_add(1, SeqCst);
        register.settled.fetch_max(version, SeqCst);
        result
    }

    /// Holds a value that was read against what was settled before.
    pub(super) fn check(&self, key: usize, settled: usize, value: &Value) {
        assert_eq!(value.key, key, "a value of another key");
        assert!(value.version >= settled, "{} is read after {settled} of {key}", value.version);
    }

    pub(super) fn settled(&self, key: usize) -> usize {
        self.registers[key].settled.load(SeqCst)
    }

    /// Runs a load of a key, which was asked for when `voids` had ended.
    pub(super) fn load<R>(&self, key: usize, voids: usize, load: impl FnOnce() -> R) -> R {
        let register = &self.registers[key];
        let begun = register.voids_begun.load(SeqCst);
        let mut running = register.loads();
        // Whichever of the two was asked for first has been voided.
        let is_voided = |other: &usize| begun > voids.min(*other);
        assert!(running.iter().all(is_voided), "{key} is loaded twice at once");
        running.push(voids);
        drop(running);
        let result = load();
        let mut running = register.loads();
        let own = running.iter().position(|ended| *ended == voids);
        running.swap_remove(own.expect("it was entered"));
        result
    }

    pub(super) fn check_bounds(&self) {
        let (cache, mut len, mut weight) = (&self.cache, 0, 0);
        assert!(cache.len() <= cache.capacity());
        assert!(cache.weight() <= cache.weight_capacity().unwrap_or(0));
        cache.for_each_by_recency(|_, value| {
            len += 1;
            weight += value.version as u64 % 4;
        });
        // Of several shards they are those of several moments.
        if cache.shards() == 1 {
            assert!(len <= cache.capacity());
            assert!(weight <= cache.weight_capacity().unwrap_or(u64::MAX));
        }
    }

    pub(super) fn check_end(self) {
        let Self { cache, registers, ledger } = self;
        cache.check_invariants();
        assert_eq!(cache.tickets_out(), 0);
        for (key, register) in registers.iter().enumerate() {
            let cached = cache.peek_with(&key, |value| (value.key, value.version));
            let last = (key, register.version.load(SeqCst));
            assert!(cached.is_none_or(|cached| cached == last), "{cached:?} is not {last:?}");
        }
        let (stats, told) = (cache.stats(), ledger.told.load(SeqCst) as u64);
        let came_in = stats.inserts + stats.replacements;
        assert_eq!(came_in, cache.len() as u64 + told, "left and told of differ: {stats:?}");
        drop(cache);
        assert_eq!(ledger.made.load(SeqCst), ledger.dropped.load(SeqCst), "a value leaked");
    }
}
