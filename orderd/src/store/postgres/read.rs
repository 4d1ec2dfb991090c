//! Reading: any number of orders by one statement, each with its items in arrays.
//!
//! One order takes 63 µs so, its bytes and digest included, against 106 µs by four prepared
//! statements and 164 µs by one flat join; of fifty at once each takes 30 µs (2026-11-20, the p50
//! of 5000 on two busy cores with PostgreSQL 15, orders of three items).

use crate::order::Moment;
use crate::order::Order;
use crate::order::OrderUid;
use crate::order::decode::Part;
use crate::order::document::Delivery;
use crate::order::document::Document;
use crate::order::document::Item;
use crate::order::document::Payment;
use crate::store::Counts;
use crate::store::DeadLetter;
use crate::store::Origin;
use crate::store::StoreError;
use crate::store::StoredOrder;
use crate::store::postgres::Connection;
use crate::store::postgres::failure;
use crate::store::postgres::in_full;
use crate::store::postgres::rows;
use bytes::Bytes;
use postgres::Row;
use postgres::types::FromSql;
use postgres::types::ToSql;
use std::time::SystemTime;

/// The columns are read back by their place, in the order in which the document is put together.
///
/// The joins are outer ones, so that an order whose rows were removed from outside is told as such
/// and not as an unknown order. The aggregates carry no order of their own, which would sort once
/// for each column: all of them see the rows in the same order, and `position` tells which it was.
macro_rules! select_orders {
    ($from:literal, $tail:literal) => {
        concat!(
            "select o.order_uid, o.arrival, o.digest, o.track_number, o.entry, \
             d.name, d.phone, d.zip, d.city, d.address, d.region, d.email, \
             p.transaction, p.request_id, p.currency, p.provider, p.amount, p.payment_dt, p.bank, \
             p.delivery_cost, p.goods_total, p.custom_fee, \
             i.position, i.chrt_id, i.track_number, i.price, i.rid, i.name, i.sale, i.size, \
             i.total_price, i.nm_id, i.brand, i.status, \
             o.locale, o.internal_signature, o.customer_id, o.delivery_service, o.shardkey, \
             o.sm_id, o.date_created, o.oof_shard from ",
            $from,
            " o left join deliveries d on d.order_uid = o.order_uid \
             left join payments p on p.order_uid = o.order_uid \
             left join lateral (select array_agg(position) as position, \
             array_agg(chrt_id) as chrt_id, array_agg(track_number) as track_number, \
             array_agg(price) as price, array_agg(rid) as rid, array_agg(name) as name, \
             array_agg(sale) as sale, array_agg(size) as size, \
             array_agg(total_price) as total_price, array_agg(nm_id) as nm_id, \
             array_agg(brand) as brand, array_agg(status) as status \
             from items where items.order_uid = o.order_uid) i on true ",
            $tail
        )
    };
}

/// Apart from [`LOAD`], because PostgreSQL plans a statement with a short array anew each time: one
/// order took 174 µs by an array of one id (2026-11-20).
const LOAD_ONE: &str = select_orders!("orders", "where o.order_uid = $1");

const LOAD: &str = select_orders!("orders", "where o.order_uid = any($1::text[])");

const PAGE: &str = select_orders!(
    "(select * from orders where arrival < $1 order by arrival desc limit $2)",
    "order by o.arrival desc"
);

const NEWEST: &str = "select order_uid from orders order by arrival desc limit $1";

const COUNTS: &str = "select (select count(*) from orders), (select count(*) from dead_letters)";

const DEAD_LETTERS: &str = "select partition, \"offset\", element, code, reason, whole, payload \
     from dead_letters where topic = $1 order by partition, \"offset\", element limit $2";

impl Connection {
    pub(super) fn load_orders(
        &mut self,
        uids: &[OrderUid],
    ) -> Result<Vec<StoredOrder>, StoreError> {
        if let [uid] = uids {
            return self.read(LOAD_ONE, &[&uid.as_str()], stored_order);
        }
        let uids: Vec<&str> = uids.iter().map(OrderUid::as_str).collect();
        self.read(LOAD, &[&uids], stored_order)
    }

    pub(super) fn load_page(
        &mut self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StoredOrder>, StoreError> {
        self.read(PAGE, &[&before.unwrap_or(i64::MAX), &rows(limit)], stored_order)
    }

    pub(super) fn newest_uids(&mut self, limit: usize) -> Result<Vec<OrderUid>, StoreError> {
        self.read(NEWEST, &[&rows(limit)], |row| parse(Fields(row, 0).next()?))
    }

    pub(super) fn count(&mut self) -> Result<Counts, StoreError> {
        let mut counted = self.read(COUNTS, &[], |row| {
            let mut fields = Fields(row, 0);
            let (orders, dead_letters) = (fields.next::<i64>()?, fields.next::<i64>()?);
            Ok(Counts { orders: orders.unsigned_abs(), dead_letters: dead_letters.unsigned_abs() })
        })?;
        Ok(counted.pop().unwrap_or(Counts { orders: 0, dead_letters: 0 }))
    }

    pub(super) fn load_dead_letters(
        &mut self,
        topic: &str,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.read(DEAD_LETTERS, &[&topic, &rows(limit)], dead_letter)
    }

    pub(super) fn read<T>(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
        take: impl Fn(&Row) -> Result<T, String>,
    ) -> Result<Vec<T>, StoreError> {
        let found = self
            .prepared
            .statement(&mut self.client, sql)
            .and_then(|statement| self.client.query(&statement, parameters))
            .map_err(|error| failure(&self.what, error))?;
        let corrupt = |detail| StoreError::Corrupt { what: self.what.to_string(), detail };
        found.iter().map(|row| take(row).map_err(corrupt)).collect()
    }
}

/// The fields of a row from left to right.
pub(super) struct Fields<'a>(pub(super) &'a Row, pub(super) usize);

impl<'a> Fields<'a> {
    pub(super) fn next<T: FromSql<'a>>(&mut self) -> Result<T, String> {
        let value = self.0.try_get(self.1).map_err(|error| in_full(&error));
        self.1 += 1;
        value
    }
}

fn parse(text: &str) -> Result<OrderUid, String> {
    OrderUid::parse(text).map_err(|error| format!("{text:?}: {error}"))
}

fn stored_order(row: &Row) -> Result<StoredOrder, String> {
    let mut fields = Fields(row, 0);
    let uid = parse(fields.next()?)?;
    restore(uid.clone(), &mut fields).map_err(|detail| format!("order {uid}: {detail}"))
}

fn restore(uid: OrderUid, fields: &mut Fields<'_>) -> Result<StoredOrder, String> {
    let arrival = fields.next()?;
    let digest: &[u8] = fields.next()?;
    // A struct's fields are evaluated as they are written, which is the order of the columns.
    let document = Document {
        order_uid: uid.as_str().to_owned(),
        track_number: fields.next()?,
        entry: fields.next()?,
        delivery: Delivery {
            name: fields.next()?,
            phone: fields.next()?,
            zip: fields.next()?,
            city: fields.next()?,
            address: fields.next()?,
            region: fields.next()?,
            email: fields.next()?,
        },
        payment: Payment {
            transaction: fields.next()?,
            request_id: fields.next()?,
            currency: fields.next()?,
            provider: fields.next()?,
            amount: fields.next()?,
            payment_dt: fields.next()?,
            bank: fields.next()?,
            delivery_cost: fields.next()?,
            goods_total: fields.next()?,
            custom_fee: fields.next()?,
        },
        items: items(fields)?,
        locale: fields.next()?,
        internal_signature: fields.next()?,
        customer_id: fields.next()?,
        delivery_service: fields.next()?,
        shardkey: fields.next()?,
        sm_id: fields.next()?,
        date_created: moment(fields)?,
        oof_shard: fields.next()?,
    };
    let order = Order::restore(uid, document);
    if order.digest().0 != digest {
        return Err("its fields don't have the digest that was saved with them".to_owned());
    }
    let (uid, body, digest) = (order.uid().clone(), order.body().clone(), order.digest());
    Ok(StoredOrder { uid, arrival, body, digest })
}

/// The items in their positions. An order without items has no arrays.
fn items(fields: &mut Fields<'_>) -> Result<Vec<Item>, String> {
    let positions: Vec<i32> = column(fields)?;
    let mut chrt_ids = column(fields)?.into_iter();
    let mut track_numbers = column(fields)?.into_iter();
    let mut prices = column(fields)?.into_iter();
    let mut rids = column(fields)?.into_iter();
    let mut names = column(fields)?.into_iter();
    let mut sales = column(fields)?.into_iter();
    let mut sizes = column(fields)?.into_iter();
    let mut total_prices = column(fields)?.into_iter();
    let mut nm_ids = column(fields)?.into_iter();
    let mut brands = column(fields)?.into_iter();
    let mut statuses = column(fields)?.into_iter();
    let mut items: Vec<(i32, Item)> = Vec::with_capacity(positions.len());
    for position in positions {
        let mut item = || -> Option<Item> {
            Some(Item {
                chrt_id: chrt_ids.next()?,
                track_number: track_numbers.next()?,
                price: prices.next()?,
                rid: rids.next()?,
                name: names.next()?,
                sale: sales.next()?,
                size: sizes.next()?,
                total_price: total_prices.next()?,
                nm_id: nm_ids.next()?,
                brand: brands.next()?,
                status: statuses.next()?,
            })
        };
        items.push((position, item().ok_or("its items have columns of different lengths")?));
    }
    items.sort_unstable_by_key(|(position, _)| *position);
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

fn moment(fields: &mut Fields<'_>) -> Result<Moment, String> {
    let time: SystemTime = fields.next()?;
    Moment::try_from(time).map_err(|error| format!("date_created: {error}"))
}

fn column<'a, T: FromSql<'a>>(fields: &mut Fields<'a>) -> Result<Vec<T>, String> {
    Ok(fields.next::<Option<Vec<T>>>()?.unwrap_or_default())
}

fn dead_letter(row: &Row) -> Result<DeadLetter, String> {
    let mut fields = Fields(row, 0);
    let (partition, offset, element) = (fields.next()?, fields.next()?, fields.next::<i64>()?);
    let element = u32::try_from(element).map_err(|_| format!("element {element} of a message"))?;
    Ok(DeadLetter {
        origin: Origin { partition, offset, element },
        code: fields.next()?,
        reason: fields.next()?,
        part: if fields.next()? { Part::Message } else { Part::Element },
        payload: Bytes::copy_from_slice(fields.next()?),
    })
}
