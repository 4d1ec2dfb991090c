//! The fields of an order, in the order in which they are served.
//!
//! Serializing a [`Document`] gives the canonical form, because serde writes fields in the order of
//! their declaration; so the declarations below are part of the interface and never sorted.

use crate::order::Moment;
use serde::Serialize;

/// Everything that an order says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are the document's own names; orders carry no more")]
pub struct Document {
    pub order_uid: String,
    pub track_number: String,
    pub entry: String,
    pub delivery: Delivery,
    pub payment: Payment,
    pub items: Vec<Item>,
    pub locale: String,
    pub internal_signature: String,
    pub customer_id: String,
    pub delivery_service: String,
    pub shardkey: String,
    pub sm_id: i64,
    pub date_created: Moment,
    pub oof_shard: String,
}

/// Where the order goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are the document's own names; orders carry no more")]
pub struct Delivery {
    pub name: String,
    pub phone: String,
    pub zip: String,
    pub city: String,
    pub address: String,
    pub region: String,
    pub email: String,
}

/// How the order was paid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are the document's own names; orders carry no more")]
pub struct Payment {
    pub transaction: String,
    pub request_id: String,
    pub currency: String,
    pub provider: String,
    pub amount: i64,
    pub payment_dt: i64,
    pub bank: String,
    pub delivery_cost: i64,
    pub goods_total: i64,
    pub custom_fee: i64,
}

/// One thing that was ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are the document's own names; orders carry no more")]
pub struct Item {
    pub chrt_id: i64,
    pub track_number: String,
    pub price: i64,
    pub rid: String,
    pub name: String,
    pub sale: i64,
    pub size: String,
    pub total_price: i64,
    pub nm_id: i64,
    pub brand: String,
    pub status: i64,
}

impl Document {
    /// The canonical JSON form, without spaces.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1024 + 256 * self.items.len());
        // Writing strings, integers and moments to memory has no way to fail.
        serde_json::to_writer(&mut bytes, self).expect("a document is always writable");
        bytes
    }
}
