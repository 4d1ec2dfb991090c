//! Writing orders: one upsert a table for up to [`CHUNK_MAX`] orders, with its rows as arrays.
//!
//! With 500 orders a transaction 28.5 k orders/s were written so, against 3.1 k/s in a transaction
//! each (2026-11-20, one idle machine). Saving 500 orders of three items takes 28 ms if they are
//! unknown, 8 ms if they are duplicates and 44 ms if they are replaced (2026-11-20, the same
//! machine busy with other work).

use crate::order::document::Document;
use crate::order::document::Item;
use crate::store::Incoming;
use crate::store::Outcome;
use crate::store::StoredOrder;
use crate::store::postgres::Prepared;
use postgres::Transaction;
use std::collections::HashMap;
use std::time::SystemTime;

/// How many orders one statement writes at most.
pub(super) const CHUNK_MAX: usize = 500;

/// How many items one statement inserts at most: 500 orders may have half a million, which would
/// run into the statement timeout.
const ITEM_ROWS_MAX: usize = 5000;

/// An order as it's about to be written.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) incoming: &'a Incoming,
    /// The number that it gets if it's unknown so far.
    pub(super) arrival: i64,
}

impl<'a> Candidate<'a> {
    fn uid(&self) -> &'a str {
        self.incoming.order.uid().as_str()
    }
}

/// Rows come back for orders that were inserted or changed. An order with the same digest isn't
/// written, only locked, like every row that an upsert meets.
const ORDERS: &str = "insert into orders as o (order_uid, track_number, entry, locale, \
     internal_signature, customer_id, delivery_service, shardkey, sm_id, date_created, oof_shard, \
     arrival, digest) \
     select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
     $7::text[], $8::text[], $9::bigint[], $10::timestamptz[], $11::text[], $12::bigint[], \
     $13::bytea[]) \
     on conflict (order_uid) do update set track_number = excluded.track_number, \
     entry = excluded.entry, locale = excluded.locale, \
     internal_signature = excluded.internal_signature, customer_id = excluded.customer_id, \
     delivery_service = excluded.delivery_service, shardkey = excluded.shardkey, \
     sm_id = excluded.sm_id, date_created = excluded.date_created, \
     oof_shard = excluded.oof_shard, digest = excluded.digest \
     where o.digest <> excluded.digest returning o.order_uid, o.arrival";

const ARRIVALS: &str = "select order_uid, arrival from orders where order_uid = any($1::text[])";

const DELIVERIES: &str = "insert into deliveries (order_uid, name, phone, zip, city, address, \
     region, email) select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], \
     $5::text[], $6::text[], $7::text[], $8::text[]) \
     on conflict (order_uid) do update set name = excluded.name, phone = excluded.phone, \
     zip = excluded.zip, city = excluded.city, address = excluded.address, \
     region = excluded.region, email = excluded.email";

const PAYMENTS: &str = "insert into payments (order_uid, transaction, request_id, currency, \
     provider, amount, payment_dt, bank, delivery_cost, goods_total, custom_fee) \
     select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], \
     $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[]) \
     on conflict (order_uid) do update set transaction = excluded.transaction, \
     request_id = excluded.request_id, currency = excluded.currency, \
     provider = excluded.provider, amount = excluded.amount, payment_dt = excluded.payment_dt, \
     bank = excluded.bank, delivery_cost = excluded.delivery_cost, \
     goods_total = excluded.goods_total, custom_fee = excluded.custom_fee";

const OLD_ITEMS: &str = "delete from items where order_uid = any($1::text[])";

const ITEMS: &str = "insert into items (order_uid, position, chrt_id, track_number, price, rid, \
     name, sale, size, total_price, nm_id, brand, status) \
     select * from unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::bigint[], \
     $6::text[], $7::text[], $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], \
     $12::text[], $13::bigint[])";

/// What became of each order; `None` if the database took it and doesn't have it, as a trigger that
/// returns null makes it.
pub(super) type Upserted = Vec<Option<(StoredOrder, Outcome)>>;

/// Writes orders with distinct ids, ascending by id so that two writers can't deadlock. What is
/// returned has the order of `chunk`.
pub(super) fn upsert(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    chunk: &[Candidate<'_>],
) -> Result<Upserted, postgres::Error> {
    let changed = upsert_orders(transaction, prepared, chunk)?;
    let (written, unchanged): (Vec<Candidate<'_>>, Vec<Candidate<'_>>) =
        chunk.iter().partition(|candidate| changed.contains_key(candidate.uid()));
    // A number that was drawn for this batch can only be stored by this batch.
    let is_replaced = |candidate: &Candidate<'_>| changed[candidate.uid()] != candidate.arrival;
    let replaced: Vec<&str> =
        written.iter().filter(|candidate| is_replaced(candidate)).map(Candidate::uid).collect();

    let documents: Vec<&Document> = documents(&written);
    upsert_deliveries(transaction, prepared, &documents)?;
    upsert_payments(transaction, prepared, &documents)?;
    if !replaced.is_empty() {
        let statement = prepared.statement(transaction, OLD_ITEMS)?;
        transaction.execute(&statement, &[&replaced])?;
    }
    insert_items(transaction, prepared, &documents)?;
    let unchanged: Vec<&str> = unchanged.iter().map(Candidate::uid).collect();
    let known = arrivals(transaction, prepared, &unchanged)?;

    let stored = chunk.iter().map(|candidate| {
        let (arrival, outcome) = match changed.get(candidate.uid()) {
            Some(arrival) if is_replaced(candidate) => (*arrival, Outcome::Replaced),
            Some(arrival) => (*arrival, Outcome::Inserted),
            None => (*known.get(candidate.uid())?, Outcome::Duplicate),
        };
        let order = &candidate.incoming.order;
        let (uid, body, digest) = (order.uid().clone(), order.body().clone(), order.digest());
        Some((StoredOrder { uid, arrival, body, digest }, outcome))
    });
    Ok(stored.collect())
}

fn documents<'a>(candidates: &[Candidate<'a>]) -> Vec<&'a Document> {
    candidates.iter().map(|candidate| candidate.incoming.order.document()).collect()
}

/// One column of rows: what a field of each of them is.
fn column<'a, R, T>(rows: &[&'a R], field: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(|row| field(row)).collect()
}

/// The ids that were inserted or changed, with their arrivals.
fn upsert_orders(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    chunk: &[Candidate<'_>],
) -> Result<HashMap<String, i64>, postgres::Error> {
    let rows = documents(chunk);
    let arrivals: Vec<i64> = chunk.iter().map(|candidate| candidate.arrival).collect();
    let digests: Vec<_> = chunk.iter().map(|candidate| candidate.incoming.order.digest()).collect();
    let digests: Vec<&[u8]> = digests.iter().map(|digest| &digest.0[..]).collect();
    let statement = prepared.statement(transaction, ORDERS)?;
    let changed = transaction.query(
        &statement,
        &[
            &column(&rows, |row| row.order_uid.as_str()),
            &column(&rows, |row| row.track_number.as_str()),
            &column(&rows, |row| row.entry.as_str()),
            &column(&rows, |row| row.locale.as_str()),
            &column(&rows, |row| row.internal_signature.as_str()),
            &column(&rows, |row| row.customer_id.as_str()),
            &column(&rows, |row| row.delivery_service.as_str()),
            &column(&rows, |row| row.shardkey.as_str()),
            &column(&rows, |row| row.sm_id),
            &column::<_, SystemTime>(&rows, |row| row.date_created.into()),
            &column(&rows, |row| row.oof_shard.as_str()),
            &arrivals,
            &digests,
        ],
    )?;
    changed.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

fn arrivals(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    uids: &[&str],
) -> Result<HashMap<String, i64>, postgres::Error> {
    if uids.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = prepared.statement(transaction, ARRIVALS)?;
    let found = transaction.query(&statement, &[&uids])?;
    found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

fn upsert_deliveries(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    rows: &[&Document],
) -> Result<(), postgres::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = prepared.statement(transaction, DELIVERIES)?;
    transaction.execute(
        &statement,
        &[
            &column(rows, |row| row.order_uid.as_str()),
            &column(rows, |row| row.delivery.name.as_str()),
            &column(rows, |row| row.delivery.phone.as_str()),
            &column(rows, |row| row.delivery.zip.as_str()),
            &column(rows, |row| row.delivery.city.as_str()),
            &column(rows, |row| row.delivery.address.as_str()),
            &column(rows, |row| row.delivery.region.as_str()),
            &column(rows, |row| row.delivery.email.as_str()),
        ],
    )?;
    Ok(())
}

fn upsert_payments(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    rows: &[&Document],
) -> Result<(), postgres::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = prepared.statement(transaction, PAYMENTS)?;
    transaction.execute(
        &statement,
        &[
            &column(rows, |row| row.order_uid.as_str()),
            &column(rows, |row| row.payment.transaction.as_str()),
            &column(rows, |row| row.payment.request_id.as_str()),
            &column(rows, |row| row.payment.currency.as_str()),
            &column(rows, |row| row.payment.provider.as_str()),
            &column(rows, |row| row.payment.amount),
            &column(rows, |row| row.payment.payment_dt),
            &column(rows, |row| row.payment.bank.as_str()),
            &column(rows, |row| row.payment.delivery_cost),
            &column(rows, |row| row.payment.goods_total),
            &column(rows, |row| row.payment.custom_fee),
        ],
    )?;
    Ok(())
}

fn insert_items(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    orders: &[&Document],
) -> Result<(), postgres::Error> {
    let rows: Vec<(&str, i32, &Item)> = orders
        .iter()
        .flat_map(|order| {
            (0..).zip(&order.items).map(|(position, item)| (&order.order_uid[..], position, item))
        })
        .collect();
    for rows in rows.chunks(ITEM_ROWS_MAX) {
        let items: Vec<&Item> = rows.iter().map(|(_, _, item)| *item).collect();
        let statement = prepared.statement(transaction, ITEMS)?;
        transaction.execute(
            &statement,
            &[
                &rows.iter().map(|(uid, _, _)| *uid).collect::<Vec<_>>(),
                &rows.iter().map(|(_, position, _)| *position).collect::<Vec<_>>(),
                &column(&items, |row| row.chrt_id),
                &column(&items, |row| row.track_number.as_str()),
                &column(&items, |row| row.price),
                &column(&items, |row| row.rid.as_str()),
                &column(&items, |row| row.name.as_str()),
                &column(&items, |row| row.sale),
                &column(&items, |row| row.size.as_str()),
                &column(&items, |row| row.total_price),
                &column(&items, |row| row.nm_id),
                &column(&items, |row| row.brand.as_str()),
                &column(&items, |row| row.status),
            ],
        )?;
    }
    Ok(())
}
