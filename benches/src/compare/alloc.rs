//! The system's allocator with a counter that is off while anything is timed.
//!
//! What an engine takes is what it has asked for and not given back, in bytes, however the
//! allocator rounds it. A counter that is always on would cost each allocation an atomic addition
//! on a line that all threads share, and so slow down, in the timed loops, only the engines that
//! allocate. Switched off it costs a relaxed load.
#![expect(unsafe_code, reason = "an allocator can't be written without; it passes every call on")]

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

static COUNTING: AtomicBool = AtomicBool::new(false);
static HELD_BYTES: AtomicI64 = AtomicI64::new(0);

/// One count at a time.
static TURN: Mutex<()> = Mutex::new(());

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize, sign: i64) {
    if COUNTING.load(Ordering::Relaxed) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        HELD_BYTES.fetch_add(sign * bytes, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to `System` with the same arguments, and its answer returned.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: `pointer` is from `System`, as all are; the rest is the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(size, 1);
        // SAFETY: `pointer` is from `System`, as all are; the rest is the caller's contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What `make` returns, and how many bytes it took that are still held, on all threads together.
pub fn held_by<T>(make: impl FnOnce() -> T) -> (T, i64) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    HELD_BYTES.store(0, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    let made = make();
    COUNTING.store(false, Ordering::Relaxed);
    (made, HELD_BYTES.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue: bytes by a counting allocator. Other tests allocate meanwhile, but not megabytes.
    #[test]
    fn what_is_held_is_counted_and_what_is_given_back_is_not() {
        const MEGABYTES: usize = 64 << 20;
        let (held, bytes) = held_by(|| {
            drop(vec![0_u8; MEGABYTES]);
            let mut grown = Vec::<u8>::with_capacity(16);
            grown.reserve_exact(MEGABYTES);
            grown
        });
        assert_eq!(held.capacity(), MEGABYTES);
        let off = (bytes - MEGABYTES as i64).abs();
        assert!(off < 32 << 20, "{bytes} bytes");
    }
}
