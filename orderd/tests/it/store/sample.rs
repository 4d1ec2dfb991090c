//! Orders and batches to save.

use bytes::Bytes;
use orderd::order::Order;
use orderd::order::OrderUid;
use orderd::order::decode::Part;
use orderd::order::document::Delivery;
use orderd::order::document::Document;
use orderd::order::document::Item;
use orderd::order::document::Payment;
use orderd::store::Advance;
use orderd::store::Batch;
use orderd::store::DeadLetter;
use orderd::store::Incoming;
use orderd::store::Origin;

pub(crate) const GROUP: &str = "group";
pub(crate) const TOPIC: &str = "orders";

pub(crate) fn uid(text: &str) -> OrderUid {
    OrderUid::parse(text).unwrap()
}

/// An order with so many items, in which `content` is told everywhere.
pub(crate) fn document(order_uid: &str, content: &str, items: usize) -> Document {
    let text = |field: &str| format!("{field} {content}");
    Document {
        order_uid: order_uid.to_owned(),
        track_number: text("track"),
        entry: text("entry"),
        delivery: Delivery {
            name: text("name"),
            phone: text("phone"),
            zip: text("zip"),
            city: text("city"),
            address: text("address"),
            region: text("region"),
            email: text("email"),
        },
        payment: Payment {
            transaction: text("transaction"),
            request_id: text("request"),
            currency: text("currency"),
            provider: text("provider"),
            amount: 1,
            payment_dt: 2,
            bank: text("bank"),
            delivery_cost: 3,
            goods_total: 4,
            custom_fee: 5,
        },
        items: (0..items).map(|number| item(number, content)).collect(),
        locale: text("locale"),
        internal_signature: text("signature"),
        customer_id: text("customer"),
        delivery_service: text("service"),
        shardkey: text("shardkey"),
        sm_id: 6,
        date_created: "2021-11-26T06:22:19.000001Z".parse().unwrap(),
        oof_shard: text("oof"),
    }
}

fn item(number: usize, content: &str) -> Item {
    let place = i64::try_from(number).unwrap();
    Item {
        chrt_id: place,
        track_number: format!("item track {content}"),
        price: place + 1,
        rid: format!("rid {number}"),
        name: format!("item name {content}"),
        sale: place + 2,
        size: format!("size {number}"),
        total_price: place + 3,
        nm_id: place + 4,
        brand: format!("brand {content}"),
        status: place + 5,
    }
}

pub(crate) fn order(document: Document) -> Order {
    Order::restore(uid(&document.order_uid), document)
}

/// An order with two items.
pub(crate) fn simple(order_uid: &str, content: &str) -> Order {
    order(document(order_uid, content, 2))
}

/// A batch of partition 0 with one message an order, the first at `from`.
pub(crate) fn batch(from: i64, orders: impl IntoIterator<Item = Order>) -> Batch {
    let orders: Vec<Incoming> = (from..).zip(orders).map(|(at, o)| incoming(at, o)).collect();
    let to = from + i64::try_from(orders.len()).unwrap();
    Batch {
        group: GROUP.to_owned(),
        topic: TOPIC.to_owned(),
        advances: vec![Advance { partition: 0, from, to }],
        orders,
        dead_letters: Vec::new(),
    }
}

fn incoming(offset: i64, order: Order) -> Incoming {
    let payload = Bytes::from(format!("payload of {}", order.uid()));
    Incoming { order, origin: Origin { partition: 0, offset, element: 0 }, payload }
}

pub(crate) fn dead_letter(offset: i64, element: u32, reason: &str) -> DeadLetter {
    DeadLetter {
        origin: Origin { partition: 0, offset, element },
        code: "required".to_owned(),
        reason: reason.to_owned(),
        part: Part::Message,
        payload: Bytes::from_static(b"\0\xff no order"),
    }
}
