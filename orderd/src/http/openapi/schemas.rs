//! What is sent and what comes back, as JSON Schema (2020-12).
//!
//! Two schemas for an order: what is taken is the lenient profile's rules, what is served has every
//! field. Two rules can't be said in a schema and stand in the descriptions: a string's length is
//! in bytes, and an integer is written without a fraction.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The text fields, the integer fields and their owner, in the order in which they are served.
const DELIVERY: &[&str] = &["name", "phone", "zip", "city", "address", "region", "email"];
const PAYMENT: &[(&str, Kind)] = &[
    ("transaction", Kind::Text),
    ("request_id", Kind::Text),
    ("currency", Kind::Text),
    ("provider", Kind::Text),
    ("amount", Kind::Integer),
    ("payment_dt", Kind::Integer),
    ("bank", Kind::Text),
    ("delivery_cost", Kind::Integer),
    ("goods_total", Kind::Integer),
    ("custom_fee", Kind::Integer),
];
const ITEM: &[(&str, Kind)] = &[
    ("chrt_id", Kind::Integer),
    ("track_number", Kind::Text),
    ("price", Kind::Integer),
    ("rid", Kind::Text),
    ("name", Kind::Text),
    ("sale", Kind::Integer),
    ("size", Kind::Text),
    ("total_price", Kind::Integer),
    ("nm_id", Kind::Integer),
    ("brand", Kind::Text),
    ("status", Kind::Integer),
];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
}

/// Whether a schema is of what is taken or of what is served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// All schemas by their names.
pub(super) fn all() -> Value {
    json!({
        "OrderUid": uid(),
        "NewOrder": order(Way::In),
        "Order": order(Way::Out),
        "Orders": page(),
        "Accepted": accepted(),
        "DeadLetter": dead_letter(),
        "DeadLetters": dead_letters(),
        "Settled": settled(),
        "Problem": problem(),
        "Readiness": readiness(),
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn uid() -> Value {
    json!({
        "type": "string",
        "description": "1 to 64 visible ASCII characters without a slash.",
        "pattern": "^[!-.0-~]{1,64}$",
        "maxLength": 64,
        "minLength": 1,
        "examples": ["b563feb7b2b84b6test"],
    })
}

fn field(kind: Kind, way: Way) -> Value {
    let of_type = |name: &str| match way {
        // What is missing or null is "" or 0.
        Way::In => json!([name, "null"]),
        Way::Out => json!(name),
    };
    match (kind, way) {
        (Kind::Text, Way::In) => json!({
            "type": of_type("string"),
            "description": "At most 1024 bytes of UTF-8.",
            "pattern": "^[^\u{0}]*$",
        }),
        (Kind::Text, Way::Out) => json!({ "type": of_type("string") }),
        (Kind::Integer, _) => json!({
            "type": of_type("integer"),
            "format": "int64",
            "minimum": i64::MIN,
            "maximum": i64::MAX,
        }),
    }
}

fn object(fields: &[(&str, Kind)], way: Way) -> Value {
    let properties: Map<_, _> =
        fields.iter().map(|&(name, kind)| (name.to_owned(), field(kind, way))).collect();
    match way {
        Way::In => json!({ "type": ["object", "null"], "properties": properties }),
        Way::Out => {
            let required: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
            json!({ "type": "object", "properties": properties, "required": required })
        }
    }
}

fn order(way: Way) -> Value {
    let delivery: Vec<_> = DELIVERY.iter().map(|name| (*name, Kind::Text)).collect();
    let mut item = object(ITEM, way);
    // An item that is null is no item.
    item["type"] = json!("object");
    let text = || field(Kind::Text, way);
    let properties = json!({
        "order_uid": reference("OrderUid"),
        "track_number": text(),
        "entry": text(),
        "delivery": object(&delivery, way),
        "payment": object(PAYMENT, way),
        "items": { "type": "array", "items": item, "minItems": 1, "maxItems": 1000 },
        "locale": text(),
        "internal_signature": text(),
        "customer_id": text(),
        "delivery_service": text(),
        "shardkey": text(),
        "sm_id": field(Kind::Integer, way),
        "date_created": {
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339, years 1 to 9999, cut to microseconds; served in UTC.",
        },
        "oof_shard": text(),
    });
    let required: Vec<_> = match way {
        Way::In => ["order_uid", "date_created", "items"].map(str::to_owned).to_vec(),
        Way::Out => properties.as_object().into_iter().flat_map(Map::keys).cloned().collect(),
    };
    let description = match way {
        Way::In => "An order as it is taken; fields that orders don't have are ignored.",
        Way::Out => {
            "An order as it is served: the same bytes from the cache and from the database."
        }
    };
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
    })
}

fn page() -> Value {
    json!({
        "type": "object",
        "properties": {
            "orders": { "type": "array", "items": reference("Order"), "maxItems": 100 },
            "next_cursor": {
                "type": ["string", "null"],
                "description": "The parameter cursor of the next page; null on the last one.",
            },
        },
        "required": ["orders", "next_cursor"],
    })
}

fn accepted() -> Value {
    json!({
        "type": "object",
        "properties": {
            "order_uids": { "type": "array", "items": reference("OrderUid"), "minItems": 1 },
        },
        "required": ["order_uids"],
    })
}

fn dead_letter() -> Value {
    let origin = || {
        json!({
            "type": "object",
            "properties": {
                "topic": { "type": "string" },
                "partition": { "type": "integer" },
                "offset": { "type": "integer" },
                "element": { "type": "integer", "description": "Its number in the array, from 0." },
            },
            "required": ["topic", "partition", "offset", "element"],
        })
    };
    let mut overtaken_by = origin();
    overtaken_by["type"] = json!(["object", "null"]);
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "integer" },
            "state": { "enum": ["open", "replayed", "dropped"] },
            "code": { "type": "string", "description": "The stable name of the first reason." },
            "reason": { "type": "string", "description": "All reasons, one a line." },
            "origin": origin(),
            "part": { "enum": ["message", "element"] },
            "order_uid": { "type": ["string", "null"] },
            "received_at": { "type": "string", "format": "date-time" },
            "settled_at": { "type": ["string", "null"], "format": "date-time" },
            "overtaken_by": overtaken_by,
            "payload_bytes": { "type": "integer" },
            "payload": { "type": "string", "contentEncoding": "base64" },
            "payload_text": { "type": ["string", "null"] },
        },
        "required": ["id", "state", "code", "reason", "origin", "part", "received_at"],
    })
}

fn dead_letters() -> Value {
    json!({
        "type": "object",
        "properties": {
            "dead_letters": { "type": "array", "items": reference("DeadLetter"), "maxItems": 100 },
            "next_cursor": { "type": ["string", "null"] },
        },
        "required": ["dead_letters", "next_cursor"],
    })
}

fn settled() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "integer" },
            "outcome": { "enum": ["replayed", "already_replayed", "dropped"] },
            "orders": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "order_uid": reference("OrderUid"),
                        "outcome": { "enum": ["inserted", "replaced", "duplicate"] },
                    },
                    "required": ["order_uid", "outcome"],
                },
            },
        },
        "required": ["id", "outcome"],
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "A problem document (RFC 9457).",
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "One sentence for people." },
            "code": { "type": "string", "description": "The stable name for programs." },
            "request_id": { "type": "string" },
            "errors": {
                "type": "array",
                "description": "Everything that is wrong with an order.",
                "items": {
                    "type": "object",
                    "properties": {
                        "path": { "type": "string", "examples": ["items[0].price"] },
                        "code": { "type": "string" },
                        "message": { "type": "string" },
                    },
                    "required": ["path", "code", "message"],
                },
            },
        },
        "required": ["type", "title", "status", "detail", "code", "request_id"],
    })
}

fn readiness() -> Value {
    json!({
        "type": "object",
        "properties": {
            "status": { "enum": ["ready", "not ready"] },
            "parts": {
                "type": "object",
                "description": "Each part with `ok`, or a sentence on what it lacks.",
                "additionalProperties": { "type": "string" },
            },
        },
        "required": ["status", "parts"],
    })
}
