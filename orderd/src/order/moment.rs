//! A moment: microseconds since 1970 in UTC, within the years 1 to 9999.
//!
//! Orders may be of any time that RFC 3339 can write from the year 1 on, `9999-12-31T23:59:59Z`
//! included, which many systems send for "never". `jiff::Timestamp` ends 26 hours before that year
//! does, because there every moment has a local time in every zone; orders know UTC only. So the
//! number is kept here, and jiff's civil calendar, which covers all of these years, tells the day.
//!
//! A [`Moment`] outside of the years can't be made. It never reads a clock, and never knows a zone.

use crate::order::time;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Serialize;
use serde::Serializer;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

const MICROSECONDS_OF_SECOND: i64 = 1_000_000;

/// What is said about a time outside of the years.
pub(super) const OUT_OF_RANGE: &str = "The time must lie, in UTC, in the years 1 to 9999.";

/// A time in UTC, to the microsecond, in the years 1 to 9999. The default is the start of 1970.
///
/// Shown, and serialized, as RFC 3339 has it, without trailing zeros.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(i64);

/// Why something is no [`Moment`]: the sentence of the rule that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMoment(&'static str);

impl Moment {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);

    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The moment so many microseconds after the start of 1970; `None` outside of the years.
    pub fn from_microsecond(microsecond: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&microsecond).then_some(Self(microsecond))
    }

    /// The microseconds since the start of 1970, negative before it.
    pub fn as_microsecond(self) -> i64 {
        self.0
    }

    /// The moment so many seconds after the start of 1970; `None` outside of the years.
    pub fn from_second(second: i64) -> Option<Self> {
        second.checked_mul(MICROSECONDS_OF_SECOND).and_then(Self::from_microsecond)
    }

    /// The last whole second since the start of 1970 that isn't later, negative before it.
    pub fn as_second(self) -> i64 {
        self.0.div_euclid(MICROSECONDS_OF_SECOND)
    }

    /// The moment at which a clock that is ahead of UTC by `offset` shows `civil`, cut to
    /// microseconds; `None` outside of the years.
    pub(super) fn from_civil(civil: DateTime, offset: SignedDuration) -> Option<Self> {
        Self::after_epoch(civil.duration_since(EPOCH) - offset)
    }

    /// Cut towards the past, before 1970 too.
    fn after_epoch(duration: SignedDuration) -> Option<Self> {
        let microsecond = duration.as_nanos().div_euclid(1000);
        i64::try_from(microsecond).ok().and_then(Self::from_microsecond)
    }
}

/// Cut to microseconds. What lies before the year 1 becomes its start.
impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self::after_epoch(time.as_duration()).unwrap_or(Self::MIN)
    }
}

/// Without loss on every Unix, whose time reaches beyond the years and counts nanoseconds.
impl From<Moment> for SystemTime {
    fn from(moment: Moment) -> Self {
        let distance = Duration::from_micros(moment.0.unsigned_abs());
        if moment.0 < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

/// Cut to microseconds. Refuses what lies outside of the years.
impl TryFrom<SystemTime> for Moment {
    type Error = InvalidMoment;

    fn try_from(time: SystemTime) -> Result<Self, InvalidMoment> {
        let duration = SignedDuration::system_until(UNIX_EPOCH, time).ok();
        duration.and_then(Self::after_epoch).ok_or(InvalidMoment(OUT_OF_RANGE))
    }
}

/// Takes the form that an order's time may have: RFC 3339, cut to microseconds.
impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        time::parse(text).map_err(|(_, sentence)| InvalidMoment(sentence))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = EPOCH.checked_add(SignedDuration::from_micros(self.0));
        write!(f, "{}Z", civil.expect("the calendar has every moment of the years 1 to 9999"))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
