//! The search for the size of a fetch that shows the wanted message.
//!
//! When a fetch reaches a compressed set, the crate `kafka` returns that set's messages alone and
//! throws away the plain ones before it. So the size of the fetch must take in the plain ones and
//! end before the compressed set is complete. Below that window nothing comes, above it messages
//! are missing at the start; the window is as wide as the compressed set. Kafka 3.9 cuts between
//! stored batches, so that halving the size steps over the window (on 2026-11-20 one lay from 4551
//! to 4967 bytes: 8192 missed messages and 4096 showed nothing); bisecting can't miss it.
//!
//! Where no size shows the message, it isn't in the log: compaction took it, or the offset is a
//! control record.

/// Ends the bisection. No compressed set is as small: its header alone has 26 bytes in the oldest
/// stored format and 61 in the newest, and its payload has a header of its own.
const RESOLUTION: i32 = 32;

/// What a fetch of some size shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight<T> {
    /// No message, although the log goes on.
    Nothing,
    /// Messages from the wanted one on.
    Wanted(T),
    /// Messages, but the wanted one isn't among them.
    Later(T),
}

/// Fetches with other sizes until the wanted message shows, or surely isn't there.
///
/// `first` is what a fetch of `bytes` showed. Returns `Later` if the log holds nothing between the
/// wanted message and the first that was shown, and `Nothing` if `bytes_max` are too few to show
/// anything. Takes at most twice as many fetches as `bytes_max` has bits.
pub(super) fn search<T, E>(
    first: Sight<T>,
    bytes: i32,
    bytes_max: i32,
    mut fetch: impl FnMut(i32) -> Result<Sight<T>, E>,
) -> Result<Sight<T>, E> {
    let mut sight = first;
    let mut size = bytes;
    // The largest size that shows nothing, and the smallest that shows too much.
    let mut too_few = 0;
    let mut too_many: Option<(i32, T)> = None;
    loop {
        match sight {
            Sight::Wanted(_) => return Ok(sight),
            Sight::Nothing => too_few = size,
            Sight::Later(messages) => too_many = Some((size, messages)),
        }
        size = match &too_many {
            None if too_few >= bytes_max => return Ok(Sight::Nothing),
            None => too_few.saturating_mul(2).min(bytes_max),
            Some((limit, _)) if limit - too_few > RESOLUTION => too_few + (limit - too_few) / 2,
            Some(_) => break,
        };
        sight = fetch(size)?;
    }
    Ok(too_many.map_or(Sight::Nothing, |(_, messages)| Sight::Later(messages)))
}

#[cfg(test)]
mod tests {
    use crate::topic::kafka::window::Sight;
    use crate::topic::kafka::window::search;
    use proptest::prelude::ProptestConfig;
    use proptest::prop_assert_eq;
    use proptest::proptest;
    use std::convert::Infallible;

    /// A log at which a fetch shows nothing below `window.0` bytes, the wanted message up to
    /// `window.1`, and later ones from there on. Returns what was found and after how many fetches.
    fn search_in(window: (i32, i32), bytes: i32, bytes_max: i32) -> (Sight<()>, u32) {
        let see = |size: i32| {
            if size < window.0 {
                Sight::Nothing
            } else if size < window.1 {
                Sight::Wanted(())
            } else {
                Sight::Later(())
            }
        };
        let mut fetches = 0;
        let found = search(see(bytes), bytes, bytes_max, |size| {
            assert!(size <= bytes_max.max(bytes), "{size} bytes were asked for");
            fetches += 1;
            Ok::<_, Infallible>(see(size))
        });
        (found.unwrap(), fetches)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Design: gap checks lose nothing that the log still holds.
        #[test]
        fn a_window_as_wide_as_a_compressed_set_is_always_found(
            start in 1..3_000_000_i32,
            width in 35..100_000_i32,
            bytes in 1..2_000_000_i32,
        ) {
            let (found, fetches) = search_in((start, start + width), bytes, 4_000_000);
            prop_assert_eq!(found, Sight::Wanted(()));
            assert!(fetches <= 44, "{fetches} fetches");
        }
    }

    /// Row 4: a hole in the log, as compaction leaves it, stops no reading.
    #[test]
    fn a_message_that_no_size_shows_is_passed_over() {
        assert_eq!(search_in((5000, 5000), 1 << 20, 1 << 26).0, Sight::Later(()));
    }

    /// Row 4: a message that is larger than one fetch is read, and not left out.
    #[test]
    fn a_message_larger_than_a_fetch_is_reached_by_growing_it() {
        assert_eq!(search_in((9 << 20, i32::MAX), 1 << 20, 1 << 26), (Sight::Wanted(()), 4));
    }

    /// Design: the memory of a fetch is bounded, so there is a message that is too large.
    #[test]
    fn growing_ends_at_the_largest_size() {
        assert_eq!(search_in((1 << 27, i32::MAX), 1 << 20, 1 << 26), (Sight::Nothing, 6));
        assert_eq!(search_in((i32::MAX, i32::MAX), 1 << 20, 1 << 20), (Sight::Nothing, 0));
    }
}
