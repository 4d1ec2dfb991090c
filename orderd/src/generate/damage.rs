//! Fifty ways in which a message can fail to be an order, all of which the lenient profile refuses.
//!
//! They are what producers get wrong in practice (cut messages, wrong types, wrong times, wrong
//! encodings) and what they do on purpose. Each is made from a valid order and is refused as one
//! element, so that fifty damaged messages are fifty dead letters.

use crate::order::validate::Code;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

/// How a valid order is damaged.
enum Edit {
    /// The field at this pointer is taken out.
    Remove(&'static str),
    /// The value at this pointer is replaced by these bytes.
    Set(&'static str, &'static [u8]),
    /// The value at this pointer is replaced by a string of so many `x`.
    Long(&'static str, usize),
    /// The message is replaced by these bytes.
    Whole(&'static [u8]),
    /// The message is replaced by what is made of it.
    Remade(fn(&[u8]) -> Vec<u8>),
}

struct Kind {
    damage: Damage,
    name: &'static str,
    description: &'static str,
    code: Code,
    edit: Edit,
}

/// Declares the enum and its table together, so that neither can lack a kind.
macro_rules! kinds {
    ($($damage:ident, $name:literal, $description:literal, $code:ident, $edit:expr;)*) => {
        /// One kind of damage.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Damage {
            $(#[doc = $description] $damage,)*
        }

        const KINDS: [Kind; 50] = [$(Kind {
            damage: Damage::$damage,
            name: $name,
            description: $description,
            code: Code::$code,
            edit: $edit,
        },)*];
    };
}

use Edit::Long;
use Edit::Remade;
use Edit::Remove;
use Edit::Set;
use Edit::Whole;

kinds! {
    Empty, "empty", "The message has no bytes.", Syntax, Whole(b"");
    HalfMessage, "half_message", "The message ends half way.", Syntax,
        Remade(|body| body[..body.len() / 2].to_vec());
    LastByteMissing, "last_byte_missing", "The last brace is missing.", Syntax,
        Remade(|body| body[..body.len() - 1].to_vec());
    PlainText, "plain_text", "The message is plain text.", Syntax, Whole(b"not an order");
    TrailingText, "trailing_text", "Something follows the order.", Syntax,
        Remade(|body| [body, b" and more"].concat());
    TwoOrders, "two_orders", "Two orders follow each other without an array.", Syntax,
        Remade(|body| [body, b"\n", body].concat());
    SingleQuotes, "single_quotes", "Strings stand in single quotes.", Syntax,
        Remade(|body| body.iter().map(|&byte| if byte == b'"' { b'\'' } else { byte }).collect());
    TrailingComma, "trailing_comma", "A comma follows the last field.", Syntax,
        Remade(|body| [&body[..body.len() - 1], b",}"].concat());
    Comment, "comment", "The order begins with a comment.", Syntax,
        Remade(|body| [b"/* order */ ", body].concat());
    InvalidUtf8, "invalid_utf8", "A string holds bytes that are no UTF-8.", Syntax,
        Set("/delivery/city", b"\"\xFF\xFE\"");
    LoneSurrogate, "lone_surrogate", "A string holds half of a surrogate pair.", Syntax,
        Set("/delivery/city", b"\"\\ud800\"");
    LeadingZero, "leading_zero", "A number begins with a zero.", Syntax, Set("/sm_id", b"099");
    NotANumber, "not_a_number", "A number is NaN.", Syntax, Set("/payment/amount", b"NaN");
    Utf16, "utf16", "The message is UTF-16.", Syntax, Remade(utf_16);
    TooDeep, "too_deep", "An unknown field is nested too deeply.", OutOfRange,
        Remade(|body| {
            let (deep, closed) = (b"[".repeat(2000), b"]".repeat(2000));
            [b"{\"extra\":", deep.as_slice(), &closed, b",", &body[1..]].concat()
        });
    EmptyArray, "empty_array", "The message is an array without orders.", Required, Whole(b"[]");
    ArrayOfNull, "array_of_null", "The message is an array with null in it.", Type,
        Whole(b"[null]");
    NullMessage, "null_message", "The message is null.", Type, Whole(b"null");
    EncodedTwice, "encoded_twice", "The message is a string with the order in it.", Type,
        Remade(|body| json!(String::from_utf8_lossy(body)).to_string().into_bytes());
    NestedArray, "nested_array", "The order stands in an array in an array.", Type,
        Remade(|body| [b"[[", body, b"]]"].concat());
    EmptyObject, "empty_object", "The message is an object without fields.", Required,
        Whole(b"{}");
    RepeatedField, "repeated_field", "A field occurs twice.", Duplicate,
        Remade(|body| [b"{\"entry\":\"X\",", &body[1..]].concat());
    MissingUid, "missing_uid", "There is no order_uid.", Required, Remove("/order_uid");
    NullUid, "null_uid", "The order_uid is null.", Required, Set("/order_uid", b"null");
    EmptyUid, "empty_uid", "The order_uid is empty.", Required, Set("/order_uid", b"\"\"");
    NumberUid, "number_uid", "The order_uid is a number.", Type, Set("/order_uid", b"563");
    UidWithSlash, "uid_with_slash", "The order_uid holds a slash.", Format,
        Set("/order_uid", b"\"b563/feb7\"");
    UidWithSpace, "uid_with_space", "The order_uid holds a space.", Format,
        Set("/order_uid", b"\"b563 feb7\"");
    UidNotAscii, "uid_not_ascii", "The order_uid holds a letter beyond ASCII.", Format,
        Set("/order_uid", "\"заказ\"".as_bytes());
    UidTooLong, "uid_too_long", "The order_uid has 65 characters.", OutOfRange,
        Long("/order_uid", 65);
    MissingTime, "missing_time", "There is no date_created.", Required, Remove("/date_created");
    NumberTime, "number_time", "The date_created is a number.", Type,
        Set("/date_created", b"1637907739");
    TimeWithoutOffset, "time_without_offset", "The date_created has no offset.", Format,
        Set("/date_created", b"\"2021-11-26T06:22:19\"");
    LeapSecond, "leap_second", "The date_created has a 60th second.", Format,
        Set("/date_created", b"\"2016-12-31T23:59:60Z\"");
    NoSuchDay, "no_such_day", "The date_created is a day that never was.", Format,
        Set("/date_created", b"\"2021-02-30T06:22:19Z\"");
    YearZero, "year_zero", "The date_created lies before the year 1.", OutOfRange,
        Set("/date_created", b"\"0000-11-26T06:22:19Z\"");
    MissingItems, "missing_items", "There are no items.", Required, Remove("/items");
    EmptyItems, "empty_items", "The items are an empty array.", Required, Set("/items", b"[]");
    TooManyItems, "too_many_items", "There are 1001 items.", OutOfRange,
        Remade(|body| {
            let items = json!(vec![json!({}); 1001]).to_string();
            replaced(body, "/items", items.as_bytes())
        });
    NullItem, "null_item", "An item is null.", Type, Set("/items/0", b"null");
    ItemsObject, "items_object", "The items are an object.", Type, Set("/items", b"{\"0\":{}}");
    NumberAsText, "number_as_text", "A price is a string.", Type,
        Set("/items/0/price", b"\"453\"");
    FractionalAmount, "fractional_amount", "An amount has a fraction.", Type,
        Set("/payment/amount", b"1817.5");
    TooLargeNumber, "too_large_number", "A number doesn't fit into 64 bits.", OutOfRange,
        Set("/items/0/chrt_id", b"9223372036854775808");
    EndlessNumber, "endless_number", "A number is larger than any float.", OutOfRange,
        Set("/payment/goods_total", b"1e999");
    LongText, "long_text", "A string has 1025 bytes.", OutOfRange, Long("/delivery/address", 1025);
    NulInText, "nul_in_text", "A string holds the character NUL.", Format,
        Set("/customer_id", b"\"te\\u0000st\"");
    BooleanText, "boolean_text", "A track number is a boolean.", Type,
        Set("/track_number", b"true");
    DeliveryText, "delivery_text", "The delivery is a string.", Type,
        Set("/delivery", b"\"Ploshad Mira 15\"");
    PaymentArray, "payment_array", "The payment is an array.", Type, Set("/payment", b"[]");
}

impl Damage {
    /// Every kind, the bytes' own first and the fields' after them.
    pub const ALL: [Self; KINDS.len()] = {
        let mut all = [Self::Empty; KINDS.len()];
        let mut place = 0;
        while place < KINDS.len() {
            all[place] = KINDS[place].damage;
            place += 1;
        }
        all
    };

    /// The kind's stable name.
    pub fn name(self) -> &'static str {
        KINDS[self as usize].name
    }

    /// What is wrong, in one sentence.
    pub fn description(self) -> &'static str {
        KINDS[self as usize].description
    }

    /// The code of the first violation that the lenient profile finds.
    pub fn code(self) -> Code {
        KINDS[self as usize].code
    }

    /// The message that this kind of damage makes of the canonical form of an order.
    pub fn applied_to(self, body: &[u8]) -> Bytes {
        Bytes::from(match KINDS[self as usize].edit {
            Remove(pointer) => removed(body, pointer),
            Set(pointer, bytes) => replaced(body, pointer, bytes),
            Long(pointer, length) => {
                replaced(body, pointer, json!("x".repeat(length)).to_string().as_bytes())
            }
            Whole(bytes) => bytes.to_vec(),
            Remade(remake) => remake(body),
        })
    }
}

fn tree(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("the canonical form of an order is JSON")
}

fn removed(body: &[u8], pointer: &str) -> Vec<u8> {
    let mut order = tree(body);
    order.as_object_mut().and_then(|fields| fields.remove(&pointer[1..]));
    order.to_string().into_bytes()
}

/// The order with the value at `pointer` replaced by any bytes, JSON or not.
fn replaced(body: &[u8], pointer: &str, bytes: &[u8]) -> Vec<u8> {
    // No order holds this text, since strings of a valid order are free of NUL.
    let mark = json!("\0here\0");
    let mut order = tree(body);
    if let Some(value) = order.pointer_mut(pointer) {
        *value = mark.clone();
    }
    let (order, mark) = (order.to_string(), mark.to_string());
    let (before, after) = order.split_once(&mark).unwrap_or((&order, ""));
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}

fn utf_16(body: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(body).encode_utf16().flat_map(u16::to_le_bytes).collect()
}
