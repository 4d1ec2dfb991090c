//! Both stores, fresh, for tests that must hold on either; and orders to put into them.

use crate::servers;
use bytes::Bytes;
use orderd::embedded::Embedded;
use orderd::order::Order;
use orderd::order::decode::decode;
use orderd::order::validate::Profile;
use orderd::store::Advance;
use orderd::store::Batch;
use orderd::store::Connect;
use orderd::store::Incoming;
use orderd::store::Origin;
use orderd::store::Saved;
use orderd::store::postgres::Postgres;
use std::any::Any;
use std::sync::Arc;

/// A fresh store, and what keeps it alive.
pub(crate) struct Fresh {
    /// The way to the store.
    pub(crate) connect: Arc<dyn Connect>,
    /// Where the operator reaches it, if it is a PostgreSQL.
    pub(crate) url: Option<String>,
    _alive: Box<dyn Any>,
}

/// An embedded store in a temporary folder.
pub(crate) fn embedded() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let connect = Arc::new(Embedded::open(folder.path()).unwrap());
    Fresh { connect, url: None, _alive: Box::new(folder) }
}

/// A database of its own on the real PostgreSQL, with the newest schema.
pub(crate) fn postgres() -> Fresh {
    let database = servers::database();
    let connect = Arc::new(Postgres::new(database.url()).unwrap());
    connect.migrate().unwrap();
    let url = Some(database.url().to_owned());
    Fresh { connect, url, _alive: Box::new(database) }
}

/// The order with this id and this amount, which stands for its version.
pub(crate) fn order(uid: &str, amount: i64) -> Order {
    let body = format!(
        r#"{{"order_uid":"{uid}","date_created":"2021-11-26T06:22:19Z",
            "payment":{{"amount":{amount}}},"items":[{{"name":"thing"}}]}}"#
    );
    let mut elements = decode(&Bytes::from(body), Profile::Lenient, jiff::Timestamp::UNIX_EPOCH);
    elements.remove(0).order.unwrap()
}

/// Saves `orders` as messages of partition 0 of the topic `orders`, after those saved before.
pub(crate) fn save(connect: &dyn Connect, orders: &[Order]) -> Saved {
    let mut store = connect.connect().unwrap();
    let from = store.assign("stores", "orders", &[(0, 0)]).unwrap()[0].1;
    let incoming = (from..).zip(orders).map(|(offset, order)| Incoming {
        order: order.clone(),
        origin: Origin { partition: 0, offset, element: 0 },
        payload: order.body().clone(),
    });
    let to = from + i64::try_from(orders.len()).unwrap();
    let batch = Batch {
        group: "stores".to_owned(),
        topic: "orders".to_owned(),
        advances: vec![Advance { partition: 0, from, to }],
        orders: incoming.collect(),
        dead_letters: Vec::new(),
    };
    store.save(&batch).unwrap()
}
