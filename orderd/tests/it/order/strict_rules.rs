//! What the strict profile adds.

use crate::order::judge;
use crate::order::lenient;
use crate::order::refused;
use crate::order::sample;
use crate::order::strict;
use crate::order::with;
use crate::order::with_field;
use orderd::order::validate::Profile;
use serde_json::Value;
use serde_json::json;

/// "Strict adds: no unknown field."
#[test]
fn strict_refuses_unknown_fields_at_every_level() {
    for pointer in ["/extra", "/delivery/extra", "/payment/extra", "/items/0/extra", "/status"] {
        let order = with(pointer, json!(1));
        let path = pointer[1..].replace("/0/", "[0].").replace('/', ".");
        assert_eq!(strict(&order), refused(&format!("{path} format")));
        assert!(lenient(&order).is_ok());
    }
    let hostile = judge(with_field("\"\\u0000\\u001b\":1"), Profile::Strict).unwrap_err();
    assert_eq!(hostile, ["\\0\\u{1b} format"]);
}

/// "Strict adds", rule by rule; the lenient profile takes every one of these.
#[test]
fn strict_adds_exactly_its_rules() {
    let item = sample()["items"][0].clone();
    let cases = [
        ("/track_number", json!(""), "track_number required"),
        ("/entry", Value::Null, "entry required"),
        ("/customer_id", json!(""), "customer_id required"),
        ("/delivery_service", json!(""), "delivery_service required"),
        ("/delivery/name", json!(""), "delivery.name required"),
        ("/delivery/phone", json!(""), "delivery.phone required"),
        ("/delivery/zip", json!(""), "delivery.zip required"),
        ("/delivery/city", json!(""), "delivery.city required"),
        ("/delivery/address", json!(""), "delivery.address required"),
        ("/delivery/region", json!(""), "delivery.region required"),
        ("/delivery/email", json!(""), "delivery.email required"),
        ("/delivery/email", json!("test"), "delivery.email format"),
        ("/delivery/email", json!("a@b@c.de"), "delivery.email format"),
        ("/delivery/email", json!("Test <a@b.de>"), "delivery.email format"),
        ("/delivery/phone", json!("9720000000"), "delivery.phone format"),
        ("/delivery/phone", json!("+1234"), "delivery.phone format"),
        ("/delivery/phone", json!("+1234567890123456"), "delivery.phone format"),
        ("/delivery/phone", json!("+12345 6"), "delivery.phone format"),
        ("/payment/currency", json!("usd"), "payment.currency format"),
        ("/payment/currency", json!("XYZ"), "payment.currency format"),
        ("/payment/amount", json!(1818), "payment.amount inconsistent"),
        ("/items/0/total_price", json!(318), "payment.goods_total inconsistent"),
        ("/items/0/price", json!(-1), "items[0].price out_of_range"),
        ("/items/0/sale", json!(101), "items[0].sale out_of_range"),
        ("/items/0/sale", json!(-1), "items[0].sale out_of_range"),
        ("/date_created", json!("2026-11-20T00:05:00.000001Z"), "date_created out_of_range"),
        ("/date_created", json!("9999-12-31T23:59:59Z"), "date_created out_of_range"),
    ];
    for (pointer, value, expected) in cases {
        let order = with(pointer, value);
        assert_eq!(strict(&order), refused(expected));
        assert!(lenient(&order).is_ok(), "{expected}");
    }
    for (pointer, value) in [
        ("/locale", json!("")),
        ("/shardkey", json!("")),
        ("/payment/request_id", json!("")),
        ("/payment/bank", json!("")),
        ("/items/0/brand", json!("")),
        ("/items/0/sale", json!(0)),
        ("/items/0/sale", json!(100)),
        ("/delivery/phone", json!("+12345")),
        ("/payment/currency", json!("KZT")),
        ("/date_created", json!("2026-11-20T00:05:00Z")),
    ] {
        assert!(strict(&with(pointer, value.clone())).is_ok(), "{pointer} {value}");
    }
    let mut twice = with("/items", json!([item, item]));
    twice["payment"]["goods_total"] = json!(634);
    twice["payment"]["amount"] = json!(2134);
    assert_eq!(strict(&twice), refused("items[1].rid duplicate"));
}

/// Sums of 64-bit numbers don't wrap round, and a mistake is reported once.
#[test]
fn sums_neither_overflow_nor_repeat_a_mistake() {
    let mut order = sample();
    let huge = json!({"rid": "b", "total_price": i64::MAX});
    order["items"] =
        json!([huge, {"rid": "c", "total_price": i64::MAX}, {"rid": "d", "total_price": 2}]);
    order["payment"]["goods_total"] = json!(0);
    order["payment"]["amount"] = json!(1500);
    assert_eq!(strict(&order), refused("payment.goods_total inconsistent"));
    order["payment"]["goods_total"] = json!(i64::MAX);
    order["payment"]["delivery_cost"] = json!(i64::MAX);
    order["payment"]["custom_fee"] = json!(2);
    order["payment"]["amount"] = json!(0);
    let expected = vec!["payment.amount inconsistent", "payment.goods_total inconsistent"];
    assert_eq!(strict(&order).unwrap_err(), expected);
    let negative = strict(&with("/payment/custom_fee", json!(-1))).unwrap_err();
    assert_eq!(negative, ["payment.custom_fee out_of_range", "payment.amount inconsistent"]);

    for (pointer, expected) in [
        ("/payment/amount", "payment.amount type"),
        ("/payment/goods_total", "payment.goods_total type"),
        ("/items/0/total_price", "items[0].total_price type"),
        ("/items/0/rid", "items[0].rid type"),
        ("/payment", "payment type"),
        ("/items/0", "items[0] type"),
        ("/delivery/phone", "delivery.phone type"),
    ] {
        assert_eq!(strict(&with(pointer, json!(true))), refused(expected));
    }
}
