//! What only the fuzzer calls: the parsers of queries and cursors, whose inputs clients make up.

use crate::http::cursor;
use crate::http::query::Query;

/// Takes any text apart as a query, and asks it for a parameter that it may have twice.
pub fn query(text: &str) {
    if let Ok(query) = Query::parse(text) {
        let _ = query.one_of(&["cursor", "limit"]);
    }
}

/// The arrival number that a cursor stands for.
pub fn cursor(text: &str) -> Option<i64> {
    cursor::decode(text)
}

/// The cursor of an arrival number.
pub fn cursor_of(arrival: i64) -> String {
    cursor::encode(arrival)
}
