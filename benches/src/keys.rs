//! Keys, drawn before the clock starts. The same seed draws the same keys.

use rand::RngExt;
use rand::SeedableRng;
use rand::distr::Distribution;
use rand::rngs::StdRng;
use rand_distr::Zipf;

/// The seed of every benchmark.
pub const SEED: u64 = 20_261_120;

/// How skewed the popularity of keys is: the usual figure for caches, as in YCSB.
const ZIPF_EXPONENT: f64 = 0.99;

/// Keys in an endless circle.
#[derive(Debug)]
pub struct Keys {
    drawn: Vec<u64>,
    next: usize,
}

impl Keys {
    /// Draws `count` keys of 0 to `end - 1`, all equally often.
    ///
    /// # Panics
    /// If `count` or `end` is 0.
    pub fn uniform(count: usize, end: u64) -> Self {
        let mut random = StdRng::seed_from_u64(SEED);
        Self::circle((0..count).map(|_| random.random_range(0..end)).collect())
    }

    /// Draws `count` keys of 0 to `end - 1`, smaller ones more often, by Zipf's law.
    ///
    /// # Panics
    /// If `count` or `end` is 0.
    pub fn zipf(count: usize, end: u64) -> Self {
        let zipf =
            Zipf::new(end as f64, ZIPF_EXPONENT).expect("more than 0 keys can be drawn from");
        let random = StdRng::seed_from_u64(SEED);
        let rank = |sample: f64| sample as u64 - 1;
        Self::circle(zipf.sample_iter(random).take(count).map(rank).collect())
    }

    /// These keys, again and again.
    ///
    /// # Panics
    /// If there are none.
    pub fn circle(drawn: Vec<u64>) -> Self {
        assert!(!drawn.is_empty(), "a circle has at least one key");
        Self { drawn, next: 0 }
    }

    /// How many keys the circle has.
    pub fn lap(&self) -> u64 {
        self.drawn.len() as u64
    }

    /// The next key.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        let key = self.drawn[self.next];
        self.next += 1;
        if self.next == self.drawn.len() {
            self.next = 0;
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(mut keys: Keys, end: usize) -> Vec<usize> {
        let mut counts = vec![0; end];
        for _ in 0..keys.lap() {
            counts[usize::try_from(keys.draw()).unwrap()] += 1;
        }
        counts
    }

    /// Zipf 0.99 over 100 keys: the first is drawn with probability 1/H, H = 5.33, and the second
    /// 2^0.99 times as seldom.
    #[test]
    fn zipf_draws_as_its_law_says() {
        let counts = counted(Keys::zipf(100_000, 100), 100);
        assert!((18_000..19_600).contains(&counts[0]), "{counts:?}");
        assert!((8_900..10_100).contains(&counts[1]), "{counts:?}");
        assert!(counts[99] > 0);
    }

    /// Each of 10 keys is drawn a tenth of the time.
    #[test]
    fn uniform_draws_all_keys_alike() {
        let counts = counted(Keys::uniform(100_000, 10), 10);
        assert!(counts.iter().all(|count| (9_400..10_600).contains(count)), "{counts:?}");
    }

    /// House rule: seeded.
    #[test]
    fn the_same_keys_are_drawn_every_time() {
        assert_eq!(Keys::zipf(1_000, 100).drawn, Keys::zipf(1_000, 100).drawn);
        assert_eq!(Keys::uniform(1_000, 100).drawn, Keys::uniform(1_000, 100).drawn);
    }
}
