//! The rules of single fields.

use crate::order::SAMPLE;
use crate::order::judge;
use crate::order::lenient;
use crate::order::refused;
use crate::order::with;
use orderd::order::validate::Profile;
use serde_json::json;

/// "`order_uid` 1 to 64 visible ASCII characters without `/`."
#[test]
fn ids_have_their_form() {
    let long = "x".repeat(64);
    for uid in ["a", long.as_str(), "!~\"\\"] {
        assert_eq!(lenient(&with("/order_uid", json!(uid))).unwrap().uid().as_str(), uid);
    }
    let too_long = "x".repeat(65);
    let cases = [
        ("", "required"),
        ("a/b", "format"),
        ("a b", "format"),
        ("é", "format"),
        ("\u{7f}", "format"),
        ("a\0", "format"),
        (too_long.as_str(), "out_of_range"),
    ];
    for (uid, code) in cases {
        let expected = refused(&format!("order_uid {code}"));
        assert_eq!(lenient(&with("/order_uid", json!(uid))), expected, "{uid}");
    }
}

/// "Numbers within their column": 64-bit integers.
#[test]
fn numbers_are_64_bit_integers() {
    let judge_number = |number: &str| {
        let bytes = SAMPLE.replace("\"sm_id\": 99", &format!("\"sm_id\": {number}"));
        judge(bytes, Profile::Lenient).map(|order| order.document().sm_id)
    };
    let taken = [
        ("0", 0),
        ("-0", 0),
        ("9999999999", 9_999_999_999),
        ("-999999999999999999", -999_999_999_999_999_999),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ];
    for (number, expected) in taken {
        assert_eq!(judge_number(number), Ok(expected));
    }
    let refused = [
        ("9223372036854775808", "out_of_range"),
        ("-9223372036854775809", "out_of_range"),
        ("18446744073709551615", "out_of_range"),
        ("18446744073709551616", "out_of_range"),
        ("1e999", "out_of_range"),
        ("-1e999", "out_of_range"),
        ("1e19", "out_of_range"),
        ("1.0", "type"),
        ("1e3", "type"),
        ("0.5", "type"),
        ("\"1\"", "type"),
        ("true", "type"),
    ];
    for (number, code) in refused {
        assert_eq!(judge_number(number), Err(vec![format!("sm_id {code}")]), "{number}");
    }
    for number in ["01", "+1", "1.", ".5", "0x1", "NaN", "--1", "1e", "-"] {
        assert_eq!(judge_number(number), Err(vec![" syntax".to_owned()]), "{number}");
    }
}

/// "Strings up to 1 KiB and free of NUL."
#[test]
fn strings_have_at_most_1024_bytes_and_no_nul() {
    let longest = format!("{}é", "x".repeat(1022));
    assert!(lenient(&with("/items/0/name", json!(longest))).is_ok());
    let cases = [(format!("x{longest}"), "out_of_range"), ("a\0b".to_owned(), "format")];
    for (text, code) in cases {
        let expected = refused(&format!("items[0].name {code}"));
        assert_eq!(lenient(&with("/items/0/name", json!(text))), expected);
    }
    let escaped = |text: &str| judge(SAMPLE.replace("Mascaras", text), Profile::Lenient);
    assert_eq!(escaped("\\ud83d\\ude00").unwrap().document().items[0].name, "😀");
    for broken in ["\\ud800", "\\udc00", "\\ud800\\ud800", "\\x", "\n", "\\u12"] {
        assert_eq!(escaped(broken), refused(" syntax"), "{broken:?}");
    }
}

/// "At least one item; at most 1000 items."
#[test]
fn orders_have_1_to_1000_items() {
    let items = |count: usize| with("/items", vec![json!({}); count].into());
    assert_eq!(lenient(&items(0)), refused("items required"));
    assert_eq!(lenient(&items(1000)).unwrap().document().items.len(), 1000);
    assert_eq!(lenient(&items(1001)), refused("items out_of_range"));
    assert_eq!(lenient(&with("/items", json!({}))), refused("items type"));
}
