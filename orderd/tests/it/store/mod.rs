//! What every store promises, on each of them.

mod connecting;
mod embedded;
mod letters;
mod postgres;
mod sample;
mod schema;

use crate::servers::TestDatabase;
use crate::servers::database;
use letters::a_letter_that_named_no_order_replaces_none;
use letters::a_letter_that_was_overtaken_is_refused_unless_forced;
use letters::a_replay_lands_once;
use letters::every_letter_is_published;
use letters::letters_are_dropped_once_and_come_back_by_force;
use letters::letters_are_listed_by_what_is_asked_for;
use orderd::embedded::Embedded;
use orderd::order::Order;
use orderd::store::Advance;
use orderd::store::Batch;
use orderd::store::Connect;
use orderd::store::Counts;
use orderd::store::Outcome;
use orderd::store::Store;
use orderd::store::StoreError;
use orderd::store::StoredOrder;
use orderd::store::postgres::Postgres;
use sample::GROUP;
use sample::TOPIC;
use sample::batch;
use sample::dead_letter;
use sample::document;
use sample::order;
use sample::simple;
use sample::uid;
use tempfile::TempDir;

/// A fresh store of a test's own, whose schema is up to date.
enum Place {
    Embedded { embedded: Embedded, folder: TempDir },
    Postgres { postgres: Postgres, database: TestDatabase },
}

impl Place {
    fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::Embedded { embedded: Embedded::open(folder.path()).unwrap(), folder }
    }

    fn postgres() -> Self {
        let database = database();
        let postgres = Postgres::new(database.url()).unwrap();
        postgres.migrate().unwrap();
        Self::Postgres { postgres, database }
    }

    /// The same store after everything that was open is closed.
    fn reopen(self) -> Self {
        match self {
            Self::Embedded { embedded, folder } => {
                drop(embedded);
                Self::Embedded { embedded: Embedded::open(folder.path()).unwrap(), folder }
            }
            Self::Postgres { database, .. } => {
                Self::Postgres { postgres: Postgres::new(database.url()).unwrap(), database }
            }
        }
    }

    fn connect(&self) -> Box<dyn Store> {
        match self {
            Self::Embedded { embedded, .. } => embedded.connect().unwrap(),
            Self::Postgres { postgres, .. } => postgres.connect().unwrap(),
        }
    }

    /// A connection with partition 0 at offset 0.
    fn assigned(&self) -> Box<dyn Store> {
        let mut store = self.connect();
        assert_eq!(store.assign(GROUP, TOPIC, &[(0, 0)]).unwrap(), vec![(0, 0)]);
        store
    }
}

/// Each of these functions, as a test on each store.
macro_rules! on_each_store {
    ($($case:ident),* $(,)?) => {
        mod on_embedded {
            $(#[test] fn $case() { super::$case(super::Place::embedded()); })*
        }
        mod on_postgres {
            $(#[test] fn $case() { super::$case(super::Place::postgres()); })*
        }
    };
}

on_each_store!(
    extreme_orders_read_back_byte_for_byte,
    the_same_content_changes_nothing,
    other_content_replaces_the_order_with_its_items,
    an_order_three_times_in_a_batch_is_one_order,
    arrival_is_the_order_of_the_messages,
    pages_are_cut_by_their_cursor,
    a_stale_writer_writes_nothing,
    a_replayed_batch_changes_nothing,
    of_two_owners_one_saves,
    positions_begin_where_they_are_told_and_stay,
    dead_letters_are_kept_once,
    a_batch_may_hold_no_orders,
    a_new_connection_finds_everything,
    letters_are_listed_by_what_is_asked_for,
    a_replay_lands_once,
    a_letter_that_was_overtaken_is_refused_unless_forced,
    a_letter_that_named_no_order_replaces_none,
    letters_are_dropped_once_and_come_back_by_force,
    every_letter_is_published,
);

fn outcomes(saved: &[(StoredOrder, Outcome)]) -> Vec<(&str, Outcome)> {
    saved.iter().map(|(order, outcome)| (order.uid.as_str(), *outcome)).collect()
}

fn uids(orders: &[StoredOrder]) -> Vec<&str> {
    orders.iter().map(|order| order.uid.as_str()).collect()
}

/// The one order with this id, which must be there.
fn load(store: &mut dyn Store, order_uid: &str) -> StoredOrder {
    let mut found = store.load(&[uid(order_uid)]).unwrap();
    assert_eq!(found.len(), 1, "{order_uid} is stored once");
    found.remove(0)
}

/// Orders at the bounds of what is valid.
fn extremes() -> Vec<Order> {
    let mut numbers = document("numbers", "n", 2);
    numbers.sm_id = i64::MIN;
    numbers.payment.amount = i64::MAX;
    numbers.payment.payment_dt = i64::MIN;
    numbers.payment.custom_fee = -1;
    numbers.items[0].price = i64::MIN;
    numbers.items[1].status = i64::MAX;

    let mut texts = document("!visible-ASCII~", "", 1);
    texts.track_number = String::new();
    texts.delivery.name = "Мария \u{1F4E6} \u{202E}\"\\\u{7f}\n\t\u{1}".to_owned();
    texts.delivery.city = "x".repeat(1024);
    texts.payment.bank = "NULL".to_owned();
    texts.items[0].name = "{a,\"b\"}".to_owned();

    let times = [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.000001Z",
        "1969-12-31T23:59:59.999999Z",
        "2000-01-01T00:00:00Z",
        "2024-02-29T12:00:00.1Z",
        "9999-12-30T22:00:00.999999Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999999Z",
    ];
    let timed = times.iter().enumerate().map(|(number, time)| {
        let mut timed = document(&format!("time-{number}"), "t", 1);
        timed.date_created = time.parse().unwrap();
        order(timed)
    });
    let longest_uid = "u".repeat(64);
    let mut all = vec![order(numbers), order(texts)];
    all.push(order(document(&longest_uid, "many", 1000)));
    all.extend(timed);
    all
}

/// Design: the same bytes answer from every store.
fn extreme_orders_read_back_byte_for_byte(place: Place) {
    let orders = extremes();
    let mut store = place.assigned();
    store.save(&batch(0, orders.clone())).unwrap();
    let ids: Vec<_> = orders.iter().map(|order| order.uid().clone()).collect();
    assert_eq!(store.load(&ids).unwrap().len(), orders.len());
    for order in &orders {
        let stored = load(&mut *store, order.uid().as_str());
        assert_eq!(stored.body, order.body(), "{}", order.uid());
        assert_eq!(stored.digest, order.digest());
    }
    assert!(store.load(&[uid("unknown")]).unwrap().is_empty());
    assert!(store.load(&[]).unwrap().is_empty());
}

/// Orders, a repeated order_uid: the same content changes nothing and is told as a duplicate.
fn the_same_content_changes_nothing(place: Place) {
    let mut store = place.assigned();
    let first = store.save(&batch(0, [simple("a", "1"), simple("b", "1")])).unwrap();
    assert_eq!(outcomes(&first.orders), [("a", Outcome::Inserted), ("b", Outcome::Inserted)]);
    let again = store.save(&batch(2, [simple("b", "1"), simple("a", "1")])).unwrap();
    assert_eq!(outcomes(&again.orders), [("b", Outcome::Duplicate), ("a", Outcome::Duplicate)]);
    assert_eq!(again.orders[1].0, first.orders[0].0);
    assert_eq!(load(&mut *store, "a"), first.orders[0].0);
}

/// Orders, a repeated order_uid: other content replaces the order, its items included.
fn other_content_replaces_the_order_with_its_items(place: Place) {
    let mut store = place.assigned();
    let with_items = |items| order(document("a", &format!("with {items}"), items));
    let first = store.save(&batch(0, [with_items(3)])).unwrap();
    for (offset, items) in [(1, 1), (2, 7), (3, 2)] {
        let version = with_items(items);
        let saved = store.save(&batch(offset, [version.clone()])).unwrap();
        assert_eq!(outcomes(&saved.orders), [("a", Outcome::Replaced)]);
        let stored = load(&mut *store, "a");
        assert_eq!(stored, saved.orders[0].0);
        assert_eq!(stored.body, version.body());
        assert_eq!(stored.arrival, first.orders[0].0.arrival, "the arrival is kept");
    }
    assert_eq!(store.counts().unwrap().orders, 1);
}

/// Design: within a batch the last version wins, and the first one gives the arrival.
fn an_order_three_times_in_a_batch_is_one_order(place: Place) {
    let mut store = place.assigned();
    let orders = [simple("z", "1"), simple("a", "1"), simple("z", "2"), simple("z", "3")];
    let saved = store.save(&batch(0, orders)).unwrap();
    assert_eq!(outcomes(&saved.orders), [("z", Outcome::Inserted), ("a", Outcome::Inserted)]);
    assert_eq!(load(&mut *store, "z").body, simple("z", "3").body());
    assert!(load(&mut *store, "z").arrival < load(&mut *store, "a").arrival);
    // Back to what is stored by a detour is no change.
    let detour = store.save(&batch(4, [simple("z", "4"), simple("z", "3")])).unwrap();
    assert_eq!(outcomes(&detour.orders), [("z", Outcome::Duplicate)]);
    assert_eq!(load(&mut *store, "z").body, simple("z", "3").body());
}

/// Orders: newest means highest arrival, given in message order, whatever the ids are.
fn arrival_is_the_order_of_the_messages(place: Place) {
    let mut store = place.assigned();
    store.save(&batch(0, ["m", "z", "a"].map(|id| simple(id, "1")))).unwrap();
    store.save(&batch(3, ["k", "B", "z"].map(|id| simple(id, "2")))).unwrap();
    let newest: Vec<_> = store.newest(10).unwrap();
    assert_eq!(newest, ["B", "k", "a", "z", "m"].map(uid));
    assert_eq!(store.newest(2).unwrap(), ["B", "k"].map(uid));
    assert_eq!(uids(&store.page(None, 10).unwrap()), ["B", "k", "a", "z", "m"]);
}

/// Row 16: pages, newest first, each beginning before the last arrival of the page before it.
fn pages_are_cut_by_their_cursor(place: Place) {
    let mut store = place.assigned();
    let ids: Vec<String> = (0..25).map(|number| format!("id-{number}")).collect();
    store.save(&batch(0, ids.iter().map(|id| simple(id, "1")))).unwrap();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store.page(before, 10).unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.arrival);
        assert!(page.iter().all(|stored| stored.body == simple(stored.uid.as_str(), "1").body()));
        seen.extend(page.into_iter().map(|stored| stored.uid.as_str().to_owned()));
    }
    assert_eq!(seen, ids.into_iter().rev().collect::<Vec<_>>());
}

/// Row 4: an owner that lost a partition can't write, and what it tried leaves no trace.
fn a_stale_writer_writes_nothing(place: Place) {
    let mut store = place.connect();
    store.assign(GROUP, TOPIC, &[(0, 0), (1, 5)]).unwrap();
    let mut stale = batch(0, [simple("stale", "1")]);
    stale.advances.push(Advance { partition: 1, from: 4, to: 9 });
    stale.advances.push(Advance { partition: 2, from: 0, to: 9 });
    stale.dead_letters.push(dead_letter(1, 0, "stale"));
    let refused = store.save(&stale);
    assert!(matches!(refused, Err(StoreError::PositionMoved { partition: 1 })), "{refused:?}");

    assert_eq!(store.counts().unwrap(), Counts { orders: 0, dead_letters: 0 });
    assert_eq!(store.assign(GROUP, TOPIC, &[(0, 9), (1, 9)]).unwrap(), vec![(0, 0), (1, 5)]);
    // The connection is usable, and the right position is taken.
    store.save(&batch(0, [simple("fresh", "1")])).unwrap();
    // A position that was never assigned is no position.
    let mut unknown = batch(0, [simple("other", "1")]);
    unknown.group = "nobody".to_owned();
    assert!(matches!(store.save(&unknown), Err(StoreError::PositionMoved { partition: 0 })));
    assert_eq!(uids(&store.page(None, 9).unwrap()), ["fresh"]);
}

/// Design: a crash at any point replays at most the unsaved batch, and replaying is harmless.
fn a_replayed_batch_changes_nothing(place: Place) {
    let mut store = place.assigned();
    let mut first = batch(0, [simple("a", "1"), simple("b", "1"), simple("a", "2")]);
    first.dead_letters.push(dead_letter(1, 1, "broken"));
    let before = store.save(&first).unwrap();
    let page = store.page(None, 9).unwrap();

    assert!(matches!(store.save(&first), Err(StoreError::PositionMoved { partition: 0 })));
    assert_eq!(store.page(None, 9).unwrap(), page);

    // The same messages once more, as after a position that was set back by hand.
    first.advances = vec![Advance { partition: 0, from: 3, to: 6 }];
    let after = store.save(&first).unwrap();
    assert_eq!(outcomes(&after.orders), [("a", Outcome::Duplicate), ("b", Outcome::Duplicate)]);
    let orders = |saved: &[(StoredOrder, Outcome)]| -> Vec<StoredOrder> {
        saved.iter().map(|(order, _)| order.clone()).collect()
    };
    assert_eq!(orders(&after.orders), orders(&before.orders));
    assert_eq!(store.page(None, 9).unwrap(), page);
    assert_eq!(store.counts().unwrap(), Counts { orders: 2, dead_letters: 1 });
}

/// Row 4: two owners of the same position at the same time; exactly one saves.
fn of_two_owners_one_saves(place: Place) {
    let mut store = place.assigned();
    let mut owners = [("left", place.connect()), ("right", place.connect())];
    for round in 0..20 {
        let results = std::thread::scope(|scope| {
            let saving = owners.each_mut().map(|(side, owner)| {
                let batch = batch(round, [simple(&format!("{side}-{round}"), side)]);
                scope.spawn(move || owner.save(&batch))
            });
            saving.map(|owner| owner.join().unwrap())
        });
        let saved = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(saved, 1, "round {round}: {results:?}");
        for result in &results {
            let moved = matches!(result, Err(StoreError::PositionMoved { partition: 0 }));
            assert!(result.is_ok() || moved, "round {round}: {result:?}");
        }
    }
    assert_eq!(store.counts().unwrap().orders, 20);
}

/// Design: a position is inserted at the first assignment, by group, topic and partition.
fn positions_begin_where_they_are_told_and_stay(place: Place) {
    let mut store = place.connect();
    let starts = [(2, 20), (0, 0), (1, 10)];
    assert_eq!(store.assign(GROUP, TOPIC, &starts).unwrap(), starts.to_vec());
    assert_eq!(store.assign(GROUP, TOPIC, &[(1, 77)]).unwrap(), vec![(1, 10)]);
    assert_eq!(store.assign("other", TOPIC, &[(1, 77)]).unwrap(), vec![(1, 77)]);
    assert_eq!(store.assign(GROUP, "other", &[(1, 78)]).unwrap(), vec![(1, 78)]);
    assert_eq!(store.assign(GROUP, TOPIC, &[]).unwrap(), vec![]);

    let mut several = batch(0, [simple("a", "1")]);
    several.advances.push(Advance { partition: 1, from: 10, to: 12 });
    several.advances.push(Advance { partition: 2, from: 20, to: 30 });
    store.save(&several).unwrap();
    let positions = store.assign(GROUP, TOPIC, &starts).unwrap();
    assert_eq!(positions, vec![(2, 30), (0, 1), (1, 12)]);
}

/// Row 6: dead letters with reason and origin, once each, oldest first.
fn dead_letters_are_kept_once(place: Place) {
    let mut store = place.assigned();
    let first = [dead_letter(4, 1, "second"), dead_letter(4, 0, "first")];
    let save = |store: &mut dyn Store, from: i64, letters: &[_], topic: &str| {
        let batch = Batch {
            group: GROUP.to_owned(),
            topic: topic.to_owned(),
            advances: vec![Advance { partition: 0, from, to: from + 1 }],
            orders: Vec::new(),
            dead_letters: letters.to_vec(),
        };
        store.save(&batch).unwrap();
    };
    save(&mut *store, 0, &first, TOPIC);
    let again = [dead_letter(4, 1, "another reason"), dead_letter(3, 7, "with a NUL \0 in it")];
    save(&mut *store, 1, &again, TOPIC);
    store.assign(GROUP, "other", &[(0, 0)]).unwrap();
    save(&mut *store, 0, &first[..1], "other");

    let letters = store.dead_letters(TOPIC, 10).unwrap();
    let kept: Vec<_> = letters.iter().map(|l| (l.origin.offset, l.origin.element)).collect();
    assert_eq!(kept, [(3, 7), (4, 0), (4, 1)]);
    assert_eq!(letters[2], first[0]);
    assert_eq!(letters[1], first[1]);
    assert!(letters[0].reason.starts_with("with a NUL"));
    assert_eq!(store.dead_letters(TOPIC, 1).unwrap(), letters[..1]);
    assert_eq!(store.counts().unwrap().dead_letters, 4);
}

/// Row 4: a batch of messages without a valid order still moves its position.
fn a_batch_may_hold_no_orders(place: Place) {
    let mut store = place.assigned();
    let mut empty = batch(0, []);
    empty.advances[0].to = 5;
    assert!(store.save(&empty).unwrap().orders.is_empty());
    assert_eq!(store.assign(GROUP, TOPIC, &[(0, 0)]).unwrap(), vec![(0, 5)]);
}

/// Issue: the second start finds its data again.
fn a_new_connection_finds_everything(place: Place) {
    let mut store = place.assigned();
    let mut first = batch(0, [simple("a", "1"), simple("b", "1")]);
    first.dead_letters.push(dead_letter(0, 1, "broken"));
    store.save(&first).unwrap();
    let (page, letters) = (store.page(None, 9).unwrap(), store.dead_letters(TOPIC, 9).unwrap());
    drop(store);

    let place = place.reopen();
    let mut store = place.connect();
    assert_eq!(store.page(None, 9).unwrap(), page);
    assert_eq!(store.dead_letters(TOPIC, 9).unwrap(), letters);
    assert_eq!(store.assign(GROUP, TOPIC, &[(0, 0)]).unwrap(), vec![(0, 2)]);
    store.save(&batch(2, [simple("c", "1")])).unwrap();
    assert_eq!(store.newest(1).unwrap(), [uid("c")]);
}
