//! From a tree of JSON to the fields of an order, with everything that is wrong about them.
//!
//! These are the rules of the lenient profile, which hold in the strict one too. A wrong field
//! reads as `""` or 0, so that the reading goes on to the next; such a document never leaves the
//! decoder, because its report isn't empty.
//!
//! A field that occurs twice is refused: readers disagree on which value counts, and an order must
//! not mean one thing here and another elsewhere. Fields that orders don't have may occur as often
//! as they like.

use crate::order::Moment;
use crate::order::OrderUid;
use crate::order::document::Delivery;
use crate::order::document::Document;
use crate::order::document::Item;
use crate::order::document::Payment;
use crate::order::report::Parent;
use crate::order::report::Report;
use crate::order::time;
use crate::order::validate::Code;
use crate::order::validate::Profile;
use simd_json::ValueType;
use simd_json::prelude::TypedValue;
use simd_json::prelude::ValueAsScalar;
use simd_json::tape::Value;

/// The longest string, in bytes.
const STRING_BYTES_MAX: usize = 1024;

/// The most items of an order. What comes after them is not looked at.
const ITEMS_MAX: usize = 1000;

/// How much of an unknown field's name a violation repeats, in characters.
const NAME_SHOWN_MAX: usize = 64;

/// From here on no 64-bit integer holds a number: 2^63.
const INTEGER_END: f64 = 9_223_372_036_854_775_808.0;

/// One producer writes the order's `oof_shard` under this name.
const STAND_IN: &str = "status";

const ORDER: &[&str] = &[
    "order_uid",
    "track_number",
    "entry",
    "delivery",
    "payment",
    "items",
    "locale",
    "internal_signature",
    "customer_id",
    "delivery_service",
    "shardkey",
    "sm_id",
    "date_created",
    "oof_shard",
    STAND_IN,
];
const DELIVERY: &[&str] = &["name", "phone", "zip", "city", "address", "region", "email"];
const PAYMENT: &[&str] = &[
    "transaction",
    "request_id",
    "currency",
    "provider",
    "amount",
    "payment_dt",
    "bank",
    "delivery_cost",
    "goods_total",
    "custom_fee",
];
const ITEM: &[&str] = &[
    "chrt_id",
    "track_number",
    "price",
    "rid",
    "name",
    "sale",
    "size",
    "total_price",
    "nm_id",
    "brand",
    "status",
];

/// The most fields that one of the objects above has.
const FIELDS_MAX: usize = ORDER.len();

/// Reads an order. `None` if `value` is no object, with its violation in `report`.
pub(crate) fn document(value: Value<'_, '_>, report: &mut Report) -> Option<Document> {
    let fields = Fields::of(value, Parent::Order, ORDER, report)?;
    Some(Document {
        order_uid: order_uid(&fields, report),
        track_number: fields.text("track_number", report),
        entry: fields.text("entry", report),
        delivery: delivery(&fields, report),
        payment: payment(&fields, report),
        items: items(&fields, report),
        locale: fields.text("locale", report),
        internal_signature: fields.text("internal_signature", report),
        customer_id: fields.text("customer_id", report),
        delivery_service: fields.text("delivery_service", report),
        shardkey: fields.text("shardkey", report),
        sm_id: fields.integer("sm_id", report),
        date_created: date_created(&fields, report),
        oof_shard: oof_shard(&fields, report),
    })
}

fn delivery(order: &Fields<'_, '_>, report: &mut Report) -> Delivery {
    let value = order.get("delivery");
    let fields = value.and_then(|value| Fields::of(value, Parent::Delivery, DELIVERY, report));
    fields.map_or_else(Delivery::default, |fields| Delivery {
        name: fields.text("name", report),
        phone: fields.text("phone", report),
        zip: fields.text("zip", report),
        city: fields.text("city", report),
        address: fields.text("address", report),
        region: fields.text("region", report),
        email: fields.text("email", report),
    })
}

fn payment(order: &Fields<'_, '_>, report: &mut Report) -> Payment {
    let value = order.get("payment");
    let fields = value.and_then(|value| Fields::of(value, Parent::Payment, PAYMENT, report));
    fields.map_or_else(Payment::default, |fields| Payment {
        transaction: fields.text("transaction", report),
        request_id: fields.text("request_id", report),
        currency: fields.text("currency", report),
        provider: fields.text("provider", report),
        amount: fields.integer("amount", report),
        payment_dt: fields.integer("payment_dt", report),
        bank: fields.text("bank", report),
        delivery_cost: fields.integer("delivery_cost", report),
        goods_total: fields.integer("goods_total", report),
        custom_fee: fields.integer("custom_fee", report),
    })
}

fn items(order: &Fields<'_, '_>, report: &mut Report) -> Vec<Item> {
    let Some(value) = order.required("items", report) else { return Vec::new() };
    let Some(array) = value.as_array() else {
        report.add("items", Code::Type, wrong_type("an array", value));
        return Vec::new();
    };
    if array.is_empty() {
        report.add("items", Code::Required, "An order has at least one item.");
    }
    if array.len() > ITEMS_MAX {
        let sentence = format!("An order has at most {ITEMS_MAX} items, not {}.", array.len());
        report.add("items", Code::OutOfRange, sentence);
    }
    let items = array.iter().take(ITEMS_MAX).enumerate();
    items.map(|(position, value)| item(value, position, report)).collect()
}

fn item(value: Value<'_, '_>, position: usize, report: &mut Report) -> Item {
    let fields = Fields::of(value, Parent::Item(position), ITEM, report);
    fields.map_or_else(Item::default, |fields| Item {
        chrt_id: fields.integer("chrt_id", report),
        track_number: fields.text("track_number", report),
        price: fields.integer("price", report),
        rid: fields.text("rid", report),
        name: fields.text("name", report),
        sale: fields.integer("sale", report),
        size: fields.text("size", report),
        total_price: fields.integer("total_price", report),
        nm_id: fields.integer("nm_id", report),
        brand: fields.text("brand", report),
        status: fields.integer("status", report),
    })
}

fn order_uid(fields: &Fields<'_, '_>, report: &mut Report) -> String {
    let Some(value) = fields.required("order_uid", report) else { return String::new() };
    let Some(text) = value.as_str() else {
        report.add("order_uid", Code::Type, wrong_type("a string", value));
        return String::new();
    };
    if let Err(error) = OrderUid::parse(text) {
        let code = match text.len() {
            0 => Code::Required,
            1..=OrderUid::LENGTH_MAX => Code::Format,
            _ => Code::OutOfRange,
        };
        report.add("order_uid", code, format!("This is no id: {error}."));
        return String::new();
    }
    text.to_owned()
}

fn date_created(fields: &Fields<'_, '_>, report: &mut Report) -> Moment {
    let Some(value) = fields.required("date_created", report) else { return Moment::default() };
    let Some(text) = value.as_str() else {
        report.add("date_created", Code::Type, wrong_type("a string", value));
        return Moment::default();
    };
    time::parse(text).unwrap_or_else(|(code, sentence)| {
        let code = if text.is_empty() { Code::Required } else { code };
        report.add("date_created", code, sentence);
        Moment::default()
    })
}

/// [`STAND_IN`] stands in for a missing `oof_shard` if it is a string; else it is a field like any
/// that orders don't have.
fn oof_shard(fields: &Fields<'_, '_>, report: &mut Report) -> String {
    let status = fields.get(STAND_IN);
    if fields.get("oof_shard").is_none() && status.is_some_and(|value| value.as_str().is_some()) {
        fields.refuse_repeated(STAND_IN, report);
        return fields.text(STAND_IN, report);
    }
    if fields.sent(STAND_IN).is_some() {
        unknown(Parent::Order, STAND_IN, report);
    }
    fields.text("oof_shard", report)
}

/// In the strict profile a field that its object doesn't know is a violation.
fn unknown(parent: Parent, name: &str, report: &mut Report) {
    if report.profile() == Profile::Strict {
        // Escaped and cut, because a name may be anything and the sentence is read by people.
        let shown: String = name.escape_debug().take(NAME_SHOWN_MAX).collect();
        report.add(parent.field(&shown), Code::Format, "There is no such field.");
    }
}

/// The known fields of one object, each with its value if it has one.
struct Fields<'tape, 'text> {
    parent: Parent,
    names: &'static [&'static str],
    values: [Option<Value<'tape, 'text>>; FIELDS_MAX],
    repeated: [bool; FIELDS_MAX],
}

impl<'tape, 'text> Fields<'tape, 'text> {
    /// Sorts the fields of the object `value`. `None` if it is no object.
    fn of(
        value: Value<'tape, 'text>,
        parent: Parent,
        names: &'static [&'static str],
        report: &mut Report,
    ) -> Option<Self> {
        let Some(object) = value.as_object() else {
            report.add(parent.path(), Code::Type, wrong_type("an object", value));
            return None;
        };
        let (values, repeated) = ([None; FIELDS_MAX], [false; FIELDS_MAX]);
        let mut fields = Self { parent, names, values, repeated };
        for (name, value) in object.iter() {
            match fields.place(name) {
                Some(place) if fields.values[place].is_some() => fields.repeated[place] = true,
                Some(place) => fields.values[place] = Some(value),
                None => unknown(parent, name, report),
            }
        }
        for name in names.iter().filter(|name| !parent.is_order() || **name != STAND_IN) {
            fields.refuse_repeated(name, report);
        }
        Some(fields)
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| *known == name)
    }

    fn refuse_repeated(&self, name: &str, report: &mut Report) {
        if self.place(name).is_some_and(|place| self.repeated[place]) {
            report.add(self.parent.field(name), Code::Duplicate, "The field occurs twice.");
        }
    }

    /// The value as it was sent, null included.
    fn sent(&self, name: &str) -> Option<Value<'tape, 'text>> {
        self.values[self.place(name)?]
    }

    /// The value; null is as good as missing.
    fn get(&self, name: &str) -> Option<Value<'tape, 'text>> {
        self.sent(name).filter(|value| value.value_type() != ValueType::Null)
    }

    fn required(&self, name: &str, report: &mut Report) -> Option<Value<'tape, 'text>> {
        let value = self.get(name);
        if value.is_none() {
            report.add(self.parent.field(name), Code::Required, "The field must not be missing.");
        }
        value
    }

    fn text(&self, name: &str, report: &mut Report) -> String {
        let Some(value) = self.get(name) else { return String::new() };
        let Some(text) = value.as_str() else {
            report.add(self.parent.field(name), Code::Type, wrong_type("a string", value));
            return String::new();
        };
        if text.len() > STRING_BYTES_MAX {
            let sentence =
                format!("A string has at most {STRING_BYTES_MAX} bytes, not {}.", text.len());
            report.add(self.parent.field(name), Code::OutOfRange, sentence);
            return String::new();
        }
        if text.contains('\0') {
            let sentence = "A string must not hold the character NUL.";
            report.add(self.parent.field(name), Code::Format, sentence);
            return String::new();
        }
        text.to_owned()
    }

    fn integer(&self, name: &str, report: &mut Report) -> i64 {
        let Some(value) = self.get(name) else { return 0 };
        if let Some(integer) = value.as_i64() {
            return integer;
        }
        let too_large = value.value_type() == ValueType::U64
            || value.as_f64().is_some_and(|number| number.abs() >= INTEGER_END);
        if too_large {
            let sentence = "The number doesn't fit into 64 bits.";
            report.add(self.parent.field(name), Code::OutOfRange, sentence);
        } else {
            report.add(self.parent.field(name), Code::Type, wrong_type("an integer", value));
        }
        0
    }
}

fn wrong_type(wanted: &str, found: Value<'_, '_>) -> String {
    let found = match found.value_type() {
        ValueType::Null => "null",
        ValueType::Bool => "a boolean",
        ValueType::String => "a string",
        ValueType::Array => "an array",
        ValueType::Object => "an object",
        ValueType::F64 => "a number with a fraction or an exponent",
        _ => "an integer",
    };
    format!("This must be {wanted} and is {found}.")
}
