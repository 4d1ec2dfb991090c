//! A word to the processor: a cache line is needed soon, so it may fetch it now.
//!
//! What an eviction reads was last used longest ago, so it is in no cache, and each read waits for
//! the one before. The eviction before knows where those reads go.
//!
//! It must never be relied on: where there is no such word it does nothing.

#![expect(
    unsafe_code,
    reason = "insert and evict took 0.86 times as long with it as without at 100 k entries, and \
              0.82 times at 1 M (`Cache`; 2026-11-20, 2 cores, u64 to u64)"
)]

/// Has the processor fetch the beginning of something.
#[inline]
pub(crate) fn prefetch<T>(soon: &T) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse"))]
    {
        use core::arch::x86_64 as sse;
        let address = core::ptr::from_ref(soon).cast();
        // SAFETY: SSE is there, and a prefetch reads and writes nothing, wherever it points.
        unsafe { sse::_mm_prefetch::<{ sse::_MM_HINT_T0 }>(address) };
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse")))]
    let _ = soon;
}
