//! What anyone with SQL finds in the database.

use crate::servers::TestDatabase;
use crate::servers::database;
use crate::store::sample::GROUP;
use crate::store::sample::TOPIC;
use crate::store::sample::batch;
use crate::store::sample::document;
use crate::store::sample::order;
use crate::store::uids;
use orderd::order::document::Document;
use orderd::store::Connect;
use orderd::store::postgres::Postgres;
use postgres::Client;
use postgres::NoTls;
use serde_json::Value;

fn saved(documents: &[Document]) -> (TestDatabase, Client) {
    let database = database();
    let postgres = Postgres::new(database.url()).unwrap();
    postgres.migrate().unwrap();
    let mut store = postgres.connect().unwrap();
    store.assign(GROUP, TOPIC, &[(0, 0)]).unwrap();
    let saved = store.save(&batch(0, documents.iter().cloned().map(order))).unwrap();
    assert!(saved.refused.is_empty());
    let page = store.page(None, documents.len()).unwrap();
    let expected: Vec<&str> = documents.iter().rev().map(|d| d.order_uid.as_str()).collect();
    assert_eq!(uids(&page), expected);
    let client = Client::connect(database.url(), NoTls).unwrap();
    (database, client)
}

fn json(client: &mut Client, sql: &str) -> Value {
    let text: String = client.query_one(sql, &[]).unwrap().get(0);
    serde_json::from_str(&text).unwrap()
}

/// Row 25: an order lies in four tables, each field in the column of its name.
#[test]
fn every_field_is_in_its_column() {
    let document = document("a", "1", 3);
    let (_database, mut client) = saved(std::slice::from_ref(&document));
    let delivery = json(&mut client, "select (to_jsonb(d) - 'order_uid')::text from deliveries d");
    assert_eq!(delivery, serde_json::to_value(&document.delivery).unwrap());
    let payment = json(&mut client, "select (to_jsonb(p) - 'order_uid')::text from payments p");
    assert_eq!(payment, serde_json::to_value(&document.payment).unwrap());
    let items = "select jsonb_agg(to_jsonb(i) - 'order_uid' - 'position' order by position)::text \
         from items i where order_uid = 'a'";
    assert_eq!(json(&mut client, items), serde_json::to_value(&document.items).unwrap());

    let order = "select (to_jsonb(o) - 'arrival' - 'digest' - 'date_created')::text from orders o";
    let mut expected = serde_json::to_value(&document).unwrap();
    for elsewhere in ["delivery", "payment", "items", "date_created"] {
        expected.as_object_mut().unwrap().remove(elsewhere);
    }
    assert_eq!(json(&mut client, order), expected);
    let time = "select to_jsonb(to_char(date_created at time zone 'UTC', \
         'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))::text from orders";
    assert_eq!(json(&mut client, time), "2021-11-26T06:22:19.000001Z");
}

/// Row 12: an index serves the items of an order, and one the newest orders.
#[test]
fn the_indexes_of_row_12_exist() {
    let (_database, mut client) = saved(&[document("a", "1", 1)]);
    let definitions = "select i.indexdef from pg_indexes i where i.tablename = $1";
    for (table, columns) in [("items", "(order_uid, \"position\")"), ("orders", "(arrival DESC)")] {
        let rows = client.query(definitions, &[&table]).unwrap();
        let found = rows.iter().any(|row| row.get::<_, &str>(0).ends_with(columns));
        assert!(found, "{table} has an index on {columns}");
    }
}

/// Orders, lenient rules: an order may have 1000 items, and a batch many such orders.
#[test]
fn a_batch_may_hold_thousands_of_items() {
    let documents: Vec<Document> =
        (0..7).map(|number| document(&format!("id-{number}"), "1", 1000)).collect();
    let (_database, mut client) = saved(&documents);
    let count: i64 = client.query_one("select count(*) from items", &[]).unwrap().get(0);
    assert_eq!(count, 7000);
}

/// Orders: deleting an order takes its rows with it.
#[test]
fn an_order_is_deleted_with_its_rows() {
    let (_database, mut client) = saved(&[document("a", "1", 2), document("b", "1", 2)]);
    client.batch_execute("delete from orders where order_uid = 'a'").unwrap();
    for (table, rows) in [("deliveries", 1), ("payments", 1), ("items", 2)] {
        let sql = format!("select count(*) from {table}");
        assert_eq!(client.query_one(&sql, &[]).unwrap().get::<_, i64>(0), rows, "{table}");
    }
}
