//! What a cache has done so far, in counts.
//!
//! Each shard counts for itself under its own lock, in plain integers, so that counting costs no
//! shared write. Invariant, when nothing runs: `inserts - evictions - removals` is the length.

/// Counts since a cache was made.
///
/// `peek` and `contains_key` are not counted: they leave no trace.
///
/// ```
/// let mut map = lru_engine::LruMap::new(1);
/// map.insert("a", 1);
/// map.insert("b", 2);
/// assert!(map.get("a").is_none());
/// assert!(map.get("b").is_some());
///
/// let stats = map.stats();
/// assert_eq!((stats.inserts, stats.evictions), (2, 1));
/// assert_eq!(stats.hit_ratio(), Some(0.5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Lookups (`get`, `get_mut`, `get_with`, and those that load) that found their key.
    pub hits: u64,
    /// Lookups (the same) that did not.
    pub misses: u64,
    /// Entries that came in under a key that was not there, by `insert` or `insert_cold`.
    pub inserts: u64,
    /// Values that `insert` put in the place of another of the same key.
    pub replacements: u64,
    /// Entries that left to make room for another.
    pub evictions: u64,
    /// Entries that left by `remove`, `pop_lru` or `clear`.
    pub removals: u64,
    /// Entries that `insert_cold` gave back.
    pub cold_refusals: u64,
    /// Entries that are weighed, and that `insert`, `fill` or `write` refused: heavier than the
    /// whole bound, or other threads were taking all the room there is.
    pub weight_refusals: u64,
    /// Loads that began: lookups that missed and had to load, by the functions that load.
    pub loads: u64,
    /// Loads that ended without a value: by an error, a panic, or by being dropped.
    pub load_failures: u64,
    /// Lookups that missed and found their key being loaded, to wait for that.
    pub load_waits: u64,
}

impl Stats {
    /// The share of lookups that found their key, from 0 to 1; `None` before the first lookup.
    ///
    /// ```
    /// assert_eq!(lru_engine::Stats::default().hit_ratio(), None);
    /// ```
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let lookups = self.hits.saturating_add(self.misses);
        (lookups > 0).then(|| self.hits as f64 / lookups as f64)
    }

    /// Adds the counts of another shard to these.
    pub(crate) fn add(&mut self, other: Self) {
        let Self {
            hits,
            misses,
            inserts,
            replacements,
            evictions,
            removals,
            cold_refusals,
            weight_refusals,
            loads,
            load_failures,
            load_waits,
        } = other;
        self.hits += hits;
        self.misses += misses;
        self.inserts += inserts;
        self.replacements += replacements;
        self.evictions += evictions;
        self.removals += removals;
        self.cold_refusals += cold_refusals;
        self.weight_refusals += weight_refusals;
        self.loads += loads;
        self.load_failures += load_failures;
        self.load_waits += load_waits;
    }
}
