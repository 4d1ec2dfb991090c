//! What a message may hold, and what becomes of one that holds no order.

use crate::order::SAMPLE;
use crate::order::decode_with;
use crate::order::judge;
use crate::order::lenient;
use crate::order::now;
use crate::order::refused;
use crate::order::sample;
use crate::order::strict;
use crate::order::with;
use crate::order::with_field;
use crate::order::without;
use bytes::Bytes;
use orderd::order::Digest;
use orderd::order::decode::decode;
use orderd::order::document::Delivery;
use orderd::order::document::Document;
use orderd::order::document::Item;
use orderd::order::document::Payment;
use orderd::order::validate::Code;
use orderd::order::validate::Profile;
use serde_json::Value;
use serde_json::json;

/// Issue: "The sample order passes both", and is written with its own fields in its own order.
#[test]
fn the_sample_passes_both_profiles_and_is_served_field_for_field() {
    let compact: String =
        SAMPLE.lines().map(|line| line.trim_start().replace("\": ", "\":")).collect();
    for profile in [Profile::Lenient, Profile::Strict] {
        let order = judge(SAMPLE, profile).unwrap();
        assert_eq!(order.body(), compact.as_bytes());
        assert_eq!(order.digest(), Digest::of(compact.as_bytes()));
        assert_eq!(order.uid().as_str(), "b563feb7b2b84b6test");
    }
}

/// "Whether a repeated order is the same is decided by a digest": spelling doesn't change it,
/// content does.
#[test]
fn the_digest_is_of_the_content_and_not_of_its_spelling() {
    let order = judge(SAMPLE, Profile::Lenient).unwrap();
    let respelled = with("/date_created", json!("2021-11-26T09:22:19.0000009+03:00"));
    let respelled = serde_json::to_vec_pretty(&respelled).unwrap();
    assert_eq!(judge(respelled, Profile::Lenient).unwrap().digest(), order.digest());
    let changed = lenient(&with("/items/0/price", json!(454))).unwrap();
    assert_ne!(changed.digest(), order.digest());
}

/// "A Kafka message holds one order or a JSON array of orders. A byte order mark is tolerated."
#[test]
fn arrays_are_judged_element_by_element() {
    let message = format!("\u{feff} \n[{SAMPLE}, null, {{}} , {SAMPLE}]");
    let elements = decode_with(&message, Profile::Lenient);
    let payloads: Vec<&[u8]> = elements.iter().map(|e| e.payload.as_ref()).collect();
    let sample = SAMPLE.trim().as_bytes();
    assert_eq!(payloads, [sample, b"null", b"{}", sample]);
    let valid: Vec<bool> = elements.iter().map(|element| element.order.is_ok()).collect();
    assert_eq!(valid, [true, false, false, true]);
    assert!(judge(format!("\u{feff}{SAMPLE}"), Profile::Strict).is_ok());
}

/// One element with bytes that are no UTF-8 leaves its neighbours alone.
#[test]
fn a_bad_byte_spoils_its_own_element_only() {
    let mut message = format!("[{SAMPLE},").into_bytes();
    message.extend_from_slice(b"{\"order_uid\":\"\xFF\xFE[,\"},");
    message.extend_from_slice(SAMPLE.as_bytes());
    message.push(b']');
    let elements = decode_with(&message, Profile::Lenient);
    let valid: Vec<bool> = elements.iter().map(|element| element.order.is_ok()).collect();
    assert_eq!(valid, [true, false, true]);
    assert_eq!(elements[1].payload.as_ref(), b"{\"order_uid\":\"\xFF\xFE[,\"}");
    assert_eq!(elements[1].order.as_ref().unwrap_err()[0].code, Code::Syntax);
}

/// A message of very many broken elements is answered element by element in bounded memory.
#[test]
fn the_violations_of_one_message_are_bounded() {
    let message = format!("[{}{SAMPLE}]", "{},".repeat(19_999));
    let elements = decode_with(&message, Profile::Strict);
    assert_eq!(elements.len(), 20_000);
    assert!(elements[19_999].order.is_ok());
    let counts = elements.iter().filter_map(|element| element.order.as_ref().err().map(Vec::len));
    let counts: Vec<usize> = counts.collect();
    assert_eq!((counts.len(), counts[0], counts[19_998]), (19_999, 15, 1));
    assert!(counts.iter().sum::<usize>() < 40_000);

    let item = serde_json::json!({
        "chrt_id": "", "track_number": 1, "price": "", "rid": 1, "name": 1, "sale": "", "size": 1,
        "total_price": "", "nm_id": "", "brand": 1, "status": "",
    });
    let items = vec![item.to_string(); 1000];
    let order = format!("{{\"items\":[{}]}}", items.join(","));
    assert_eq!(judge(order, Profile::Lenient).unwrap_err().len(), 11_002, "none is left out");
}

/// The payload of an element shares the message's memory.
#[test]
fn payloads_are_not_copied() {
    let message = Bytes::from(format!("[{SAMPLE}]"));
    let elements = decode(&message, Profile::Lenient, now());
    let inside = message.as_ptr() as usize..message.as_ptr() as usize + message.len();
    assert!(inside.contains(&(elements[0].payload.as_ptr() as usize)));
}

/// Nothing vanishes: what holds no order is an element with a violation.
#[test]
fn what_is_no_order_is_one_refused_element() {
    let deep = "[".repeat(100_000);
    let closed = format!("{deep}{}", "]".repeat(100_000));
    let cases: &[(&[u8], &str)] = &[
        (b"", " syntax"),
        (b" \n", " syntax"),
        (b"\xEF\xBB\xBF", " syntax"),
        (b"[]", " required"),
        (b"[ ]", " required"),
        (b"[{}", " syntax"),
        (b"[{}] x", " syntax"),
        (b"[{},]", " syntax"),
        (b"{} {}", " syntax"),
        (b"{}x", " syntax"),
        (b"nil", " syntax"),
        (b"null", " type"),
        (b"7", " type"),
        (b"\"order\"", " type"),
        (b"\0", " syntax"),
        (b"\x1b[2J", " syntax"),
        (b"\xFF", " syntax"),
        (deep.as_bytes(), " syntax"),
    ];
    for (bytes, expected) in cases {
        let start = &bytes[..bytes.len().min(20)];
        assert_eq!(judge(bytes, Profile::Lenient), refused(expected), "{start:?}");
    }
    let elements = decode_with(closed, Profile::Lenient);
    assert_eq!(elements[0].order.as_ref().unwrap_err()[0].code, Code::OutOfRange);
    let objects = "{\"a\":".repeat(100_000);
    assert_eq!(judge(objects, Profile::Lenient), refused(" out_of_range"));
}

/// "Unknown fields ignored", whatever they hold: nesting, numbers that no float holds, repeated
/// names. Only nesting has a limit, as JSON allows.
#[test]
fn an_unknown_field_may_hold_anything() {
    let order = judge(SAMPLE, Profile::Lenient).unwrap();
    let arrays = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth| format!("{}0{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for deep in [arrays(1024), arrays(100_000), objects(1024), objects(100_000)] {
        let bytes = with_field(&format!("\"extra\":{deep}"));
        assert_eq!(judge(bytes, Profile::Lenient), refused(" out_of_range"));
    }
    let (arrays, objects) = (arrays(1000), objects(1000));
    let long = "9".repeat(1000);
    let values = [
        &arrays,
        &objects,
        &long,
        "1e999",
        "-1e999",
        "1e-999",
        "18446744073709551616",
        "-0",
        "1.5",
        "\"\\u0000\"",
        "{\"x\\\"1e999\":[1e999,-2E+400,\"1e999\"]}",
    ];
    for value in values {
        let bytes = with_field(&format!("\"extra\":{value},\"extra\":1"));
        let judged = judge(bytes, Profile::Lenient);
        assert_eq!(judged.as_ref(), Ok(&order), "{:.40}", value);
    }
    let bytes = with_field("\"extra\":01e999");
    assert_eq!(judge(bytes, Profile::Lenient), refused(" syntax"), "no JSON is no JSON");
}

/// "A code and a sentence": what is no JSON is said in words, with the place where it ends to be.
#[test]
fn what_is_no_json_is_said_with_its_place() {
    for (text, expected) in [
        ("abc", "expected value at line 1 column 1"),
        ("{\"a\":\n1,}", "key must be a string at line 2 column 3"),
        ("{\"a\":\"\u{7f}\u{1}\"}", "control character"),
        ("{\"a\":[1,2}", "expected `,` or `]` at line 1 column 10"),
        (&"[".repeat(500).replacen('[', "{\"a\":", 1), "EOF while parsing"),
    ] {
        let element = decode_with(text, Profile::Lenient).pop().unwrap();
        let violations = element.order.unwrap_err();
        let message = &violations[0].message;
        assert_eq!(violations.len(), 1, "{text:.40}");
        assert!(message.starts_with("The text is no JSON: "), "{text:.40}: {message}");
        assert!(message.contains(expected), "{text:.40}: {message}");
    }
}

/// "Any other missing or null field is `""` or 0."
#[test]
fn missing_and_null_fields_read_as_their_defaults() {
    let least = json!({"order_uid": "u", "date_created": "2021-11-26T06:22:19Z", "items": [{}]});
    let mut nulls = sample();
    for (name, value) in nulls.as_object_mut().unwrap() {
        match name.as_str() {
            "order_uid" => *value = json!("u"),
            "date_created" => {}
            "items" => {
                value[0].as_object_mut().unwrap().values_mut().for_each(|v| *v = Value::Null);
            }
            _ => *value = Value::Null,
        }
    }
    let expected = Document {
        order_uid: "u".to_owned(),
        track_number: String::new(),
        entry: String::new(),
        delivery: Delivery::default(),
        payment: Payment::default(),
        items: vec![Item::default()],
        locale: String::new(),
        internal_signature: String::new(),
        customer_id: String::new(),
        delivery_service: String::new(),
        shardkey: String::new(),
        sm_id: 0,
        date_created: "2021-11-26T06:22:19Z".parse().unwrap(),
        oof_shard: String::new(),
    };
    assert_eq!(lenient(&least).unwrap().document(), &expected);
    assert_eq!(lenient(&nulls).unwrap().document(), &expected);
}

/// "`order_uid`, `date_created` and `items` required", and every violation at once.
#[test]
fn all_violations_are_reported_at_once() {
    let order = json!({
        "track_number": 5, "sm_id": "x", "delivery": [], "payment": {"amount": 1.0, "bank": {}},
        "items": [{}, null, {"price": true, "name": 1}],
    });
    let expected = [
        "order_uid required",
        "track_number type",
        "delivery type",
        "payment.amount type",
        "payment.bank type",
        "items[1] type",
        "items[2].price type",
        "items[2].name type",
        "sm_id type",
        "date_created required",
    ];
    assert_eq!(lenient(&order).unwrap_err(), expected);
    assert_eq!(lenient(&json!({})).unwrap_err().len(), 3);
    for field in ["/order_uid", "/date_created", "/items"] {
        let expected = refused(&format!("{} required", &field[1..]));
        assert_eq!(lenient(&without(field)), expected);
        assert_eq!(lenient(&with(field, Value::Null)), expected);
    }
}

/// "An order-level string `status` stands in for a missing `oof_shard`."
#[test]
fn status_stands_in_for_a_missing_oof_shard() {
    let shard = |order: &Value| lenient(order).unwrap().document().oof_shard.clone();
    let mut order = without("/oof_shard");
    order["status"] = json!("7");
    assert_eq!(shard(&order), "7");
    assert!(strict(&order).is_ok(), "a field that is used isn't unknown");
    order["oof_shard"] = Value::Null;
    assert_eq!(shard(&order), "7");
    order["oof_shard"] = json!("2");
    assert_eq!(shard(&order), "2");
    order["oof_shard"] = Value::Null;
    order["status"] = json!(7);
    assert_eq!(shard(&order), "", "only a string stands in");
    order["status"] = json!("\0");
    assert_eq!(lenient(&order), refused("status format"));
}

/// A known field that occurs twice is refused; readers disagree on which value counts.
#[test]
fn a_repeated_field_is_refused() {
    let cases = [("\"entry\":\"WBIL\"", "entry"), ("\"ent\\u0072y\":\"X\"", "entry")];
    for (field, name) in cases {
        let judged = judge(with_field(field), Profile::Lenient);
        assert_eq!(judged, refused(&format!("{name} duplicate")));
    }
    let nested = SAMPLE.replace("\"bank\"", "\"bank\": \"beta\", \"bank\"");
    assert_eq!(judge(nested, Profile::Lenient), refused("payment.bank duplicate"));
    let ignored = with_field("\"status\":1,\"status\":2");
    assert!(judge(ignored, Profile::Lenient).is_ok(), "nobody reads this status");
}

/// Row 6: an array of more elements than any array of orders has is one dead letter with its bytes.
#[test]
fn an_array_of_too_many_elements_is_refused_as_a_whole() {
    let array = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    assert_eq!(decode_with(array(20_000), Profile::Lenient).len(), 20_000);
    assert_eq!(judge(array(20_001), Profile::Lenient).unwrap_err(), [" out_of_range"]);
}
