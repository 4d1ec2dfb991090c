//! One cache line of the index: twelve tags, and the positions that they stand for.
//!
//! Tag and position lie in the same line, so that a lookup misses the processor's caches once,
//! where a table that keeps them apart misses twice.
//!
//! ```text
//! byte  0......11 12.......59 60....61 62.....63
//!       tags      positions   occupied displaced
//! ```
//!
//! Invariants: a lane is one of 12, so no higher bit of `occupied` is set; `displaced` is a part of
//! `occupied`. What the tag and the position of a vacant lane say means nothing.
//!
//! It must never look at a hash beyond the tag it is given: [`index`](crate::index) knows hashes.

#![expect(
    unsafe_code,
    reason = "with its tags compared one by one in safe code a hit of 1000 entries took 1.44 times \
              schnellru's time, and with SSE2 0.83 times (2026-11-20, 2 cores, u64 to u64)"
)]

/// The entries that a chunk has room for.
pub(super) const LANES: usize = 12;

/// All lanes.
const LANES_ALL: u16 = (1 << LANES) - 1;

/// Where an entry of the index lies, as seen from its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// In the chunk that its hash names.
    Home,
    /// In a later one, because all from its home up to this one were full.
    Displaced,
}

/// A set of lanes, one bit each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes(u32);

impl Lanes {
    /// The first lane that `is` says yes to.
    #[inline]
    pub(super) fn find(self, mut is: impl FnMut(usize) -> bool) -> Option<usize> {
        let mut left = self.0;
        while left != 0 {
            let lane = left.trailing_zeros() as usize;
            if is(lane) {
                return Some(lane);
            }
            left &= left - 1;
        }
        None
    }
}

/// Twelve lanes.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Chunk {
    tags: [u8; LANES],
    positions: [u32; LANES],
    occupied: u16,
    displaced: u16,
}

impl Chunk {
    /// No entry.
    pub(super) const EMPTY: Self =
        Self { tags: [0; LANES], positions: [0; LANES], occupied: 0, displaced: 0 };

    /// The entry, among those of this tag, whose position `is` says yes to: lane and position.
    #[inline]
    pub(super) fn find(&self, tag: u8, mut is: impl FnMut(u32) -> bool) -> Option<(usize, u32)> {
        let lanes = Lanes(self.equal_tags(tag) & u32::from(self.occupied));
        let lane = lanes.find(|lane| is(self.position(lane)))?;
        Some((lane, self.position(lane)))
    }

    /// A bit for each lane whose tag is this one, occupied or not. Higher bits mean nothing.
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    #[inline]
    fn equal_tags(&self, tag: u8) -> u32 {
        use core::arch::x86_64 as sse;
        let line = core::ptr::from_ref(self).cast::<sse::__m128i>();
        // SAFETY: a chunk has 64 bytes, all of them initialised, and is aligned to 64.
        let held = unsafe { sse::_mm_load_si128(line) };
        // SAFETY: this function is compiled only where SSE2 is there.
        let asked = unsafe { sse::_mm_set1_epi8(tag.cast_signed()) };
        // SAFETY: as above.
        let equal = unsafe { sse::_mm_cmpeq_epi8(held, asked) };
        // SAFETY: as above.
        let bits = unsafe { sse::_mm_movemask_epi8(equal) };
        bits.cast_unsigned()
    }

    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
    #[inline]
    fn equal_tags(&self, tag: u8) -> u32 {
        let bit = |(lane, held): (usize, &u8)| u32::from(*held == tag) << lane;
        self.tags.iter().enumerate().map(bit).fold(0, |bits, bit| bits | bit)
    }

    /// The position in a lane, which is one of `occupied`.
    #[inline]
    fn position(&self, lane: usize) -> u32 {
        debug_assert!(lane < LANES, "a chunk has {LANES} lanes");
        // SAFETY: `lane` is a bit of `occupied`, which has no bit from `LANES` up.
        unsafe { *self.positions.get_unchecked(lane) }
    }

    /// Whether there is no vacant lane.
    #[inline]
    pub(super) const fn is_full(&self) -> bool {
        self.occupied == LANES_ALL
    }

    /// Puts an entry into the first vacant lane; `false` if the chunk is full.
    #[inline]
    pub(super) fn put(&mut self, tag: u8, position: u32, whereabouts: Whereabouts) -> bool {
        let lane = self.occupied.trailing_ones() as usize;
        let Some(held) = self.positions.get_mut(lane) else {
            return false;
        };
        *held = position;
        self.tags[lane] = tag;
        self.occupied |= 1 << lane;
        self.displaced |= u16::from(whereabouts == Whereabouts::Displaced) << lane;
        true
    }

    /// Changes the position of the entry in a lane.
    pub(super) fn set_position(&mut self, lane: usize, position: u32) {
        self.positions[lane] = position;
    }

    /// Vacates a lane.
    #[inline]
    pub(super) fn clear(&mut self, lane: usize) {
        self.occupied &= !(1 << lane);
        self.displaced &= !(1 << lane);
    }

    /// The displaced entry whose position `is` says yes to: lane and position.
    pub(super) fn find_displaced(&self, mut is: impl FnMut(u32) -> bool) -> Option<(usize, u32)> {
        let lane = Lanes(u32::from(self.displaced)).find(|lane| is(self.positions[lane]))?;
        Some((lane, self.positions[lane]))
    }

    /// The entries: tag, position, whereabouts. Panics unless the chunk's own invariants hold.
    #[cfg(any(test, feature = "check"))]
    pub(super) fn entries(&self) -> impl Iterator<Item = (u8, u32, Whereabouts)> {
        assert_eq!(self.occupied & !LANES_ALL, 0, "there are {LANES} lanes");
        assert_eq!(self.displaced & !self.occupied, 0, "a vacant lane is displaced");
        let occupied = (0..LANES).filter(|lane| self.occupied & 1 << lane != 0);
        occupied.map(|lane| {
            let whereabouts = match self.displaced & 1 << lane {
                0 => Whereabouts::Home,
                _ => Whereabouts::Displaced,
            };
            (self.tags[lane], self.positions[lane], whereabouts)
        })
    }
}
