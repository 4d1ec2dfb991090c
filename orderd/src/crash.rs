//! Named points at which a drill ends the process, as a power cut would.
//!
//! A random kill seldom hits the few instructions between two steps that have to hold together.
//! With the feature `crash-points` and `ORDERD_CRASH_AT=NAME:NTH` the process aborts when it comes
//! to the point with this name for the NTH time. Without the feature [`point`] is empty and costs
//! nothing.
//!
//! The variable is a drill's and no setting, so it is read here and not with the settings.

/// A place between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The saving transaction has begun; its first statement moves the positions.
    BeforeCompareAndSet,
    /// The positions are moved, and the orders aren't written.
    BetweenStatements,
    /// Dead letters are about to be written, after the orders.
    InDeadLettering,
    /// Everything is written, and nothing committed.
    BeforeCommit,
    /// Everything is committed, and the cache doesn't know.
    AfterCommit,
    /// The cache knows, and the topic isn't told.
    BeforeGroupCommit,
}

impl Point {
    /// All points, in the order in which a batch comes to them.
    pub const ALL: [Self; 6] = [
        Self::BeforeCompareAndSet,
        Self::BetweenStatements,
        Self::InDeadLettering,
        Self::BeforeCommit,
        Self::AfterCommit,
        Self::BeforeGroupCommit,
    ];

    /// The point's name in `ORDERD_CRASH_AT`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeCompareAndSet => "before-compare-and-set",
            Self::BetweenStatements => "between-statements",
            Self::InDeadLettering => "in-dead-lettering",
            Self::BeforeCommit => "before-commit",
            Self::AfterCommit => "after-commit",
            Self::BeforeGroupCommit => "before-group-commit",
        }
    }
}

/// Nothing: the feature `crash-points` is off.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn point(_: Point) {}

/// Ends the process, if it is armed for this point and time.
#[cfg(feature = "crash-points")]
pub fn point(here: Point) {
    armed::pass(here);
}

#[cfg(feature = "crash-points")]
mod armed {
    use crate::crash::Point;
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering;

    const VARIABLE: &str = "ORDERD_CRASH_AT";

    struct Armed {
        point: Point,
        left: AtomicU64,
    }

    pub(super) fn pass(here: Point) {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        let Some(armed) = ARMED.get_or_init(read) else { return };
        if armed.point == here && armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            tracing::error!(point = here.name(), "the drill ends the process here");
            std::process::abort();
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the variable is a drill's and no setting")]
    fn read() -> Option<Armed> {
        let text = std::env::var(VARIABLE).ok()?;
        let armed = parse(&text);
        if armed.is_none() {
            // A drill that went on without its crash would prove nothing.
            tracing::error!("{VARIABLE} has the form NAME:NTH with a name of a crash point");
            std::process::abort();
        }
        armed
    }

    fn parse(text: &str) -> Option<Armed> {
        let (name, nth) = text.split_once(':')?;
        let point = Point::ALL.into_iter().find(|point| point.name() == name)?;
        let nth: u64 = nth.parse().ok().filter(|nth| *nth > 0)?;
        Some(Armed { point, left: AtomicU64::new(nth) })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Issue: crash points are named, and armed for their nth time.
        #[test]
        fn a_point_is_named_with_its_time() {
            for point in Point::ALL {
                let armed = parse(&format!("{}:3", point.name())).unwrap();
                assert_eq!((armed.point, armed.left.into_inner()), (point, 3));
            }
            for wrong in ["", "after-commit", "after-commit:0", "after-commit:x", "nowhere:1"] {
                assert!(parse(wrong).is_none(), "{wrong}");
            }
        }
    }
}
