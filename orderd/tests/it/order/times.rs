//! The one form of a time.

use crate::order::lenient;
use crate::order::refused;
use crate::order::with;
use jiff::Timestamp;
use orderd::order::Moment;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// "`date_created` is RFC 3339, served in UTC to the microsecond, without trailing zeros, cut
/// before anything is compared."
#[test]
fn times_are_cut_and_served_in_utc() {
    let cases = [
        ("2021-11-26T06:22:19Z", "2021-11-26T06:22:19Z"),
        ("2021-11-26t06:22:19z", "2021-11-26T06:22:19Z"),
        ("2021-11-26T06:22:19.100000Z", "2021-11-26T06:22:19.1Z"),
        ("2021-11-26T06:22:19.1234567890123Z", "2021-11-26T06:22:19.123456Z"),
        ("2021-11-26T06:22:19.9999999+00:00", "2021-11-26T06:22:19.999999Z"),
        ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
        ("1969-12-31T23:59:59.0000001Z", "1969-12-31T23:59:59Z"),
        ("2021-11-26T06:22:19-00:00", "2021-11-26T06:22:19Z"),
        ("2021-11-26T06:22:19+23:59", "2021-11-25T06:23:19Z"),
        ("2024-02-29T00:00:00+00:01", "2024-02-28T23:59:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("0000-12-31T23:30:00-00:30", "0001-01-01T00:00:00Z"),
        ("0987-06-05T04:03:02.01Z", "0987-06-05T04:03:02.01Z"),
        ("9999-12-31T00:00:00+23:59", "9999-12-30T00:01:00Z"),
    ];
    for (sent, served) in cases {
        let order = lenient(&with("/date_created", json!(sent))).unwrap();
        let body: Value = serde_json::from_slice(order.body()).unwrap();
        assert_eq!(body["date_created"], served, "{sent}");
    }
}

/// "Times: years 1 to 9999, `:60` refused", and nothing that RFC 3339 doesn't have.
#[test]
fn what_is_no_time_is_refused() {
    let format = [
        "2021-11-26T06:22:60Z",
        "2016-12-31T23:59:60Z",
        "2021-11-26T06:22:61Z",
        "2021-11-26T06:22:19",
        "2021-11-26 06:22:19Z",
        "2021-11-26T06:22Z",
        "2021-11-26",
        "2021-11-26T06:22:19.Z",
        "2021-11-26T06:22:19,5Z",
        "2021-11-26T06:22:19+0300",
        "2021-11-26T06:22:19+03",
        "2021-11-26T06:22:19+3:00",
        "2021-11-26T06:22:19+24:00",
        "2021-11-26T06:22:19+03:60",
        "2021-11-26T06:22:19+03:00:00",
        "2021-11-26T06:22:19ZZ",
        "2021-11-26T06:22:19Z ",
        " 2021-11-26T06:22:19Z",
        "2021-11-26T06:22:19Z[UTC]",
        "2021-02-29T00:00:00Z",
        "2021-13-01T00:00:00Z",
        "2021-00-01T00:00:00Z",
        "2021-11-31T00:00:00Z",
        "2021-11-26T24:00:00Z",
        "20211126T062219Z",
        "+002021-11-26T06:22:19Z",
        "-2021-11-26T06:22:19Z",
        "12021-11-26T06:22:19Z",
        "2021-1-26T06:22:19Z",
        "1637907739",
        "２０21-11-26T06:22:19Z",
        "2021-11-26T06:22:19é",
        "2021-11-26T06:22:19.1+-1:00",
        "2021-11-26T06:22:-1Z",
        "x",
    ];
    for text in format {
        let judged = lenient(&with("/date_created", json!(text)));
        assert_eq!(judged, refused("date_created format"), "{text}");
    }
    for text in ["0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "0000-01-01T00:00:00Z"] {
        let judged = lenient(&with("/date_created", json!(text)));
        assert_eq!(judged, refused("date_created out_of_range"), "{text}");
    }
    assert_eq!(lenient(&with("/date_created", json!(""))), refused("date_created required"));
    assert_eq!(lenient(&with("/date_created", json!(1_637_907_739))), refused("date_created type"));
}

/// "Times: years 1 to 9999", in UTC: the sentinel of the year's last second is one of them, and the
/// year 10000 isn't, however it is written.
#[test]
fn the_years_1_to_9999_are_taken_to_their_ends() {
    let taken = [
        ("9999-12-30T22:00:01Z", "9999-12-30T22:00:01Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59+00:01", "9999-12-31T23:58:59Z"),
        ("0001-01-01T00:00:00-23:59", "0001-01-01T23:59:00Z"),
    ];
    for (sent, served) in taken {
        let order = lenient(&with("/date_created", json!(sent))).expect(sent);
        let body: Value = serde_json::from_slice(order.body()).unwrap();
        assert_eq!(body["date_created"], served, "{sent}");
    }
    for text in ["9999-12-31T23:59:59-01:00", "9999-12-31T23:59:00-00:01"] {
        let judged = lenient(&with("/date_created", json!(text)));
        assert_eq!(judged, refused("date_created out_of_range"), "{text}");
    }
}

/// No moment lies outside of the years, wherever it comes from.
#[test]
fn a_moment_outside_of_the_years_cannot_be_made() {
    let (first, last) = (Moment::MIN, Moment::MAX);
    assert_eq!(first.to_string(), "0001-01-01T00:00:00Z");
    assert_eq!(last.to_string(), "9999-12-31T23:59:59.999999Z");
    for moment in [first, Moment::default(), last] {
        assert_eq!(moment.to_string().parse(), Ok(moment));
        assert_eq!(Moment::from_microsecond(moment.as_microsecond()), Some(moment));
    }
    assert_eq!(Moment::from_microsecond(first.as_microsecond() - 1), None);
    assert_eq!(Moment::from_microsecond(last.as_microsecond() + 1), None);
    assert_eq!(Moment::from_second(first.as_second()), Some(first));
    assert_eq!(Moment::from_second(first.as_second() - 1), None);
    assert_eq!(Moment::from_second(last.as_second() + 1), None);
    assert_eq!([i64::MIN, i64::MAX].map(Moment::from_microsecond), [None; 2]);
    assert_eq!([i64::MIN, i64::MAX].map(Moment::from_second), [None; 2]);
    let refused = "10000-01-01T00:00:00Z".parse::<Moment>().unwrap_err();
    assert!(refused.to_string().starts_with("This must be a time as RFC 3339 has it"));

    assert_eq!(Moment::from(Timestamp::MIN), first);
    assert_eq!(Moment::from(Timestamp::MAX).to_string(), "9999-12-30T22:00:00.999999Z");
}

/// The system's time, which PostgreSQL's columns are read and written as, loses nothing.
#[test]
fn the_system_time_of_a_moment_is_the_moment() {
    let moments = [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.000001Z",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ];
    for text in moments {
        let moment: Moment = text.parse().unwrap();
        let time = SystemTime::from(moment);
        assert_eq!(Moment::try_from(time), Ok(moment));
        let almost_next = time + Duration::from_nanos(999);
        assert_eq!(Moment::try_from(almost_next), Ok(moment), "{text} and 999 ns");
    }
    let microsecond = Duration::from_micros(1);
    let outside = [
        SystemTime::from(Moment::MIN) - microsecond,
        SystemTime::from(Moment::MAX) + microsecond,
        UNIX_EPOCH + Duration::from_secs(i64::MAX.unsigned_abs()),
    ];
    for time in outside {
        let refused = Moment::try_from(time).unwrap_err().to_string();
        assert_eq!(refused, "The time must lie, in UTC, in the years 1 to 9999.");
    }
}
