//! The index: finds the position of an entry by the hash of its key.
//!
//! A hash table of 32-bit positions, made for a cache that is full and stays full: every insert
//! comes with a removal. Tables with tombstones need rebuilding for that now and then; this one has
//! none, and is as good after any number of evictions as on the first day.
//!
//! The low bits of a hash choose a [`chunk`] of twelve, its *home*. If that is full, the entry lies
//! in the next chunk that is not. A lookup goes on to the next chunk only if this one is full; a
//! removal from a full one draws entries back that had to pass it. The chunks are at most two
//! thirds full on average, so few lookups see a second one.
//!
//! It does not store hashes. Who needs more than a tag for each entry, to grow or to remove, hands
//! the hashes in, by position: they belong to the entries, and a hit does not touch them.
//!
//! Invariants: each position is held once, and every chunk from its home to the one that holds it,
//! the last left out, is full; there is a chunk that is not full, or no chunk at all. It must never
//! run user code but the predicates of lookups, which may panic: a lookup changes nothing.

mod chunk;

use alloc::boxed::Box;
use alloc::vec;

use crate::index::chunk::Chunk;
use crate::index::chunk::Whereabouts;
use crate::prefetch::prefetch;

/// Entries for each chunk, on average, above which the index grows: 8 of 12 lanes.
const LOAD_MAX: usize = 8;

/// The same for an index of at most [`CHUNKS_FEW`]. That is in the nearest memory even if it
/// doubles, and there each detour over a full chunk is felt: with 7 lanes and not 8 a hit of 1000
/// entries took 0.93 times as long (2026-11-20, u64 to u64).
const LOAD_MAX_FEW: usize = 7;

/// Chunks that are few: 8 KiB of them.
const CHUNKS_FEW: usize = 128;

/// The tag of a hash: its high bits, where its low bits choose the chunk. From 2²⁴ chunks on these
/// overlap, and a tag tells the less.
#[inline]
const fn tag(hash: u32) -> u8 {
    (hash >> 24) as u8
}

/// What the chunk that a hash names tells of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtHome {
    Found(u32),
    /// It is nowhere.
    Absent,
    /// If it is somewhere, it is in a later chunk.
    Perhaps,
}

/// A table of positions.
#[derive(Debug)]
pub(crate) struct Index {
    /// As many as a power of two, or none.
    chunks: Box<[Chunk]>,
}

impl Index {
    /// An empty index, which has allocated nothing.
    pub(crate) fn new() -> Self {
        Self { chunks: Box::default() }
    }

    /// The bits of a hash that choose the chunk.
    #[inline]
    const fn mask(&self) -> usize {
        self.chunks.len().wrapping_sub(1)
    }

    /// The position, among those of entries with this tag, that `is` says yes to.
    ///
    /// The hash is whole here, for to cut it takes a hit two instructions: there are never as many
    /// as 2³² chunks, so its upper half chooses nothing.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        match self.find_at_home(hash, &mut is) {
            AtHome::Found(position) => Some(position),
            AtHome::Absent => None,
            AtHome::Perhaps => self.find_after(hash as u32, is),
        }
    }

    /// Like [`find`](Self::find), as far as the chunk that the hash names tells. Who leaves the
    /// rest to a call of its own keeps the few lookups that need it from costing the others
    /// registers.
    #[inline]
    pub(crate) fn find_at_home(&self, hash: u64, is: impl FnMut(u32) -> bool) -> AtHome {
        let home = hash as usize & self.mask();
        let Some(chunk) = self.chunks.get(home) else {
            return AtHome::Absent;
        };
        match chunk.find(tag(hash as u32), is) {
            Some((_, position)) => AtHome::Found(position),
            None if chunk.is_full() => AtHome::Perhaps,
            None => AtHome::Absent,
        }
    }

    /// Apart from [`find`](Self::find), which is small enough to be inlined without it.
    #[cold]
    #[inline(never)]
    fn find_after(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.after(self.home(hash));
        loop {
            // Never absent. A panic here would keep `find` from holding what it read in registers.
            let chunk = self.chunks.get(at)?;
            match chunk.find(tag(hash), &mut is) {
                Some((_, position)) => return Some(position),
                None if chunk.is_full() => at = self.after(at),
                None => return None,
            }
        }
    }

    /// Adds a position. There is room: [`reserve_one`](Self::reserve_one) has seen to it.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u32, position: u32) {
        let home = self.home(hash);
        if !self.chunks[home].put(tag(hash), position, Whereabouts::Home) {
            self.insert_after(home, tag(hash), position);
        }
    }

    #[cold]
    #[inline(never)]
    fn insert_after(&mut self, home: usize, tag: u8, position: u32) {
        let mut at = self.after(home);
        while !self.chunks[at].put(tag, position, Whereabouts::Displaced) {
            at = self.after(at);
        }
    }

    /// Has the processor fetch where an entry of this hash lies, most likely.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u32) {
        if let Some(chunk) = self.chunks.get(self.home(hash)) {
            prefetch(chunk);
        }
    }

    /// Takes a position out. `hashes` has the hash of every position that is held.
    #[inline]
    pub(crate) fn remove(&mut self, position: u32, hashes: &[u32]) {
        self.remove_of_hash(hashes[position as usize], position, hashes);
    }

    /// Like [`remove`](Self::remove), of a position whose hash is at hand.
    #[inline]
    pub(crate) fn remove_of_hash(&mut self, hash: u32, position: u32, hashes: &[u32]) {
        let (at, lane) = self.locate(hash, position);
        let chunk = &mut self.chunks[at];
        let was_full = chunk.is_full();
        chunk.clear(lane);
        if was_full {
            self.draw_back(at, hashes);
        }
    }

    /// Changes the position of an entry, of which `hashes` has the hash at the former position.
    pub(crate) fn reposition(&mut self, from: u32, to: u32, hashes: &[u32]) {
        let (at, lane) = self.locate(hashes[from as usize], from);
        self.chunks[at].set_position(lane, to);
    }

    /// The entries that there is room for without growing.
    pub(crate) const fn room(&self) -> usize {
        let chunks = self.chunks.len();
        chunks * if chunks <= CHUNKS_FEW { LOAD_MAX_FEW } else { LOAD_MAX }
    }

    /// Makes room for one entry more than `hashes` has.
    #[inline]
    pub(crate) fn reserve_one(&mut self, hashes: &[u32]) {
        if hashes.len() >= self.room() {
            self.grow(hashes);
        }
    }

    #[cold]
    fn grow(&mut self, hashes: &[u32]) {
        let count = (self.chunks.len() * 2).max(1);
        self.chunks = vec![Chunk::EMPTY; count].into_boxed_slice();
        for (position, &hash) in hashes.iter().enumerate() {
            self.insert(hash, position as u32);
        }
    }

    /// Fills the gap in a chunk that was full with an entry that had to pass it, then the gap that
    /// this leaves, and so on.
    #[cold]
    #[inline(never)]
    fn draw_back(&mut self, gap: usize, hashes: &[u32]) {
        let mut gap = gap;
        let mut at = gap;
        loop {
            at = self.after(at);
            let chunk = &self.chunks[at];
            let was_full = chunk.is_full();
            let passed_gap = |position: u32| {
                let home = self.home(hashes[position as usize]);
                self.distance(home, at) >= self.distance(gap, at)
            };
            if let Some((lane, position)) = chunk.find_displaced(passed_gap) {
                self.chunks[at].clear(lane);
                let hash = hashes[position as usize];
                let whereabouts = self.whereabouts(hash, gap);
                self.chunks[gap].put(tag(hash), position, whereabouts);
                gap = at;
            }
            if !was_full {
                return;
            }
        }
    }

    /// The chunk and the lane that hold a position.
    #[inline]
    fn locate(&self, hash: u32, position: u32) -> (usize, usize) {
        let mut at = self.home(hash);
        loop {
            let chunk = &self.chunks[at];
            if let Some((lane, _)) = chunk.find(tag(hash), |held| held == position) {
                return (at, lane);
            }
            assert!(chunk.is_full(), "a position is not held under its hash");
            at = self.after(at);
        }
    }

    #[inline]
    const fn home(&self, hash: u32) -> usize {
        hash as usize & self.mask()
    }

    fn whereabouts(&self, hash: u32, chunk: usize) -> Whereabouts {
        if self.home(hash) == chunk { Whereabouts::Home } else { Whereabouts::Displaced }
    }

    #[inline]
    const fn after(&self, chunk: usize) -> usize {
        (chunk + 1) & self.mask()
    }

    /// The steps from one chunk to another, round the end.
    const fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }
}

#[cfg(any(test, feature = "check"))]
impl Index {
    /// Panics unless the index holds each position of `hashes` once, where a lookup finds it.
    pub(crate) fn check_invariants(&self, hashes: &[u32]) {
        let mut is_held = vec![false; hashes.len()];
        for (at, chunk) in self.chunks.iter().enumerate() {
            for (held_tag, position, whereabouts) in chunk.entries() {
                let hash = hashes[position as usize];
                let before = core::mem::replace(&mut is_held[position as usize], true);
                assert!(!before, "position {position} is held twice");
                assert_eq!(held_tag, tag(hash), "position {position} has another tag");
                assert_eq!(whereabouts, self.whereabouts(hash, at), "position {position}");
                let mut passed = self.home(hash);
                while passed != at {
                    assert!(self.chunks[passed].is_full(), "a gap hides position {position}");
                    passed = self.after(passed);
                }
            }
        }
        assert!(is_held.iter().all(|held| *held), "a position is not held");
        assert!(hashes.len() <= self.room(), "the index is too full");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of these hashes, in this order.
    fn filled(hashes: &[u32]) -> Index {
        let mut index = Index::new();
        for (position, &hash) in hashes.iter().enumerate() {
            index.reserve_one(&hashes[..position]);
            index.insert(hash, position as u32);
        }
        index.check_invariants(hashes);
        index
    }

    fn finds(index: &Index, hash: u32, position: u32) -> bool {
        index.find(u64::from(hash), |held| held == position).is_some()
    }

    /// Issue: an own table. Whatever is removed in whatever order, the rest is found; entries that
    /// passed a full chunk are drawn back into it, also over a full chunk of others and round the
    /// end.
    #[test]
    fn removals_leave_the_rest_where_lookups_find_it() {
        for homes in [[3, 3, 0, 1], [3, 0, 3, 2], [2, 3, 2, 3], [1, 1, 1, 1]] {
            // 28 entries in 4 chunks, 7 for each of the homes: some chunks are full.
            let mut hashes: Vec<u32> = (0..28).map(|i| homes[i / 7] | (i as u32) << 24).collect();
            let mut index = filled(&hashes);
            assert_eq!(index.room(), 28);
            let mut turn = 0;
            while let Some(last) = hashes.len().checked_sub(1) {
                turn = (turn * 7 + 5) % 64;
                let position = turn % hashes.len();
                let hash = hashes[position];
                index.remove(position as u32, &hashes);
                if position < last {
                    index.reposition(last as u32, position as u32, &hashes);
                }
                hashes.swap_remove(position);
                index.check_invariants(&hashes);
                assert!(!finds(&index, hash, last as u32), "the removed one is found");
                for (position, &hash) in hashes.iter().enumerate() {
                    assert!(finds(&index, hash, position as u32), "{position} is lost");
                }
            }
        }
    }

    /// Issue: no operation makes the table worse, however many there are. Entries of few homes come
    /// and go at random, as in a cache that fills and then evicts, while the index grows.
    #[test]
    fn entries_that_come_and_go_leave_no_trace() {
        let mut state = 20_261_120_u64;
        let mut random = |end: usize| {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            (state >> 33) as usize % end
        };
        let (mut index, mut hashes) = (Index::new(), Vec::new());
        // An interpreter has time for one filling.
        const STEPS: usize = if cfg!(miri) { 600 } else { 4_000 };
        for step in 0..STEPS {
            if hashes.len() < 200 {
                // Half of the entries have one of three homes, the others any of 64.
                let home = if random(2) == 0 { 61 + random(3) } else { random(64) };
                let hash = home as u32 | (random(256) as u32) << 24;
                index.reserve_one(&hashes);
                index.insert(hash, hashes.len() as u32);
                hashes.push(hash);
            }
            if hashes.len() > step * 400 / STEPS || hashes.len() == 200 {
                let position = random(hashes.len());
                index.remove(position as u32, &hashes);
                if position + 1 < hashes.len() {
                    index.reposition(hashes.len() as u32 - 1, position as u32, &hashes);
                }
                hashes.swap_remove(position);
            }
            index.check_invariants(&hashes);
        }
        assert!(hashes.len() >= 199, "the index was not filled");
    }

    /// An index that has allocated nothing finds nothing.
    #[test]
    fn an_empty_index_can_be_asked() {
        let index = Index::new();
        assert_eq!((index.room(), index.find(7, |_| true)), (0, None));
    }
}
