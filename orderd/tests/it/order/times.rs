//! The one form of a time.

use crate::order::LAST_MOMENT;
use crate::order::lenient;
use crate::order::refused;
use crate::order::with;
use serde_json::Value;
use serde_json::json;

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
        (LAST_MOMENT, LAST_MOMENT),
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

/// A known limit: `jiff::Timestamp` ends 26 hours before the year 9999 does. Such a time is refused
/// with its reason, and not changed.
#[test]
fn the_years_end_where_the_calendar_does() {
    for text in ["9999-12-31T23:59:59Z", "9999-12-30T22:00:01Z", "9999-12-31T23:59:59-01:00"] {
        let judged = lenient(&with("/date_created", json!(text)));
        assert_eq!(judged, refused("date_created out_of_range"), "{text}");
    }
}
