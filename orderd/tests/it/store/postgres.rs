//! What PostgreSQL's store promises when the database refuses, is slow, or dies.

use crate::servers::TestDatabase;
use crate::servers::database;
use crate::store::Place;
use crate::store::extremes;
use crate::store::sample::GROUP;
use crate::store::sample::TOPIC;
use crate::store::sample::batch;
use crate::store::sample::dead_letter;
use crate::store::sample::document;
use crate::store::sample::order;
use crate::store::sample::simple;
use crate::store::sample::uid;
use crate::store::uids;
use orderd::order::Moment;
use orderd::order::Order;
use orderd::store::Connect;
use orderd::store::Counts;
use orderd::store::Outcome;
use orderd::store::Store;
use orderd::store::StoreError;
use orderd::store::postgres::Postgres;
use orderd::supervise::StopToken;
use postgres::Client;
use postgres::NoTls;
use std::time::Duration;

/// A store with partition 0 at offset 0, its database, and a session of the operator's own.
fn opened(options: &str) -> (TestDatabase, Postgres, Box<dyn Store>, Client) {
    let database = database();
    let postgres = Postgres::new(&format!("{}{options}", database.url())).unwrap();
    postgres.migrate().unwrap();
    let mut store = postgres.connect().unwrap();
    store.assign(GROUP, TOPIC, &[(0, 0)]).unwrap();
    let operator = Client::connect(database.url(), NoTls).unwrap();
    (database, postgres, store, operator)
}

/// Ends the store's session as soon as it waits in this way.
fn terminate(operator: &mut Client, wait_event: &str) {
    let end = "select pg_terminate_backend(pid) from pg_stat_activity \
         where application_name = 'orderd' and datname = current_database() \
         and wait_event = $1";
    let pause = StopToken::new();
    for _ in 0..2000 {
        if !operator.query(end, &[&wait_event]).unwrap().is_empty() {
            return;
        }
        pause.wait(Duration::from_millis(5));
    }
    panic!("no session waits for {wait_event}");
}

fn poisoned(order_uid: &str) -> Order {
    let mut poisoned = document(order_uid, "1", 2);
    poisoned.track_number = "poison".to_owned();
    order(poisoned)
}

/// Row 6: what the database refuses becomes a dead letter of the same transaction, and everything
/// around it is saved.
#[test]
fn poison_is_bisected_out_of_its_batch() {
    let (_database, _, mut store, mut operator) = opened("");
    let constraint = "alter table orders add check (track_number <> 'poison'); \
         alter table items add check (name <> 'poison')";
    operator.batch_execute(constraint).unwrap();
    let mut orders: Vec<Order> =
        (0..700).map(|number| simple(&format!("id-{number:03}"), "1")).collect();
    orders[0] = poisoned("id-000");
    orders[444] = poisoned("id-444");
    let mut deep = document("id-699", "1", 3);
    deep.items[2].name = "poison".to_owned();
    orders[699] = order(deep);
    // The version before a refused one counts.
    orders.push(simple("id-100", "2"));
    orders.push(poisoned("id-100"));

    let saved = store.save(&batch(0, orders.clone())).unwrap();
    let mut refused: Vec<i64> = saved.refused.iter().map(|l| l.origin.offset).collect();
    refused.sort_unstable();
    assert_eq!(refused, [0, 444, 699, 701]);
    for letter in &saved.refused {
        assert_eq!(letter.code, "database");
        assert!(letter.reason.contains("SQLSTATE 23514"), "{}", letter.reason);
        assert!(letter.reason.contains("check"), "{}", letter.reason);
    }
    let mut letters = saved.refused.clone();
    letters.sort_unstable_by_key(|letter| letter.origin);
    assert_eq!(store.dead_letters(TOPIC, 9).unwrap(), letters);
    assert_eq!(letters[0].payload, "payload of id-000");

    assert_eq!(saved.orders.len(), 697);
    assert!(saved.orders.iter().all(|(_, outcome)| *outcome == Outcome::Inserted));
    assert_eq!(store.counts().unwrap(), Counts { orders: 697, dead_letters: 4 });
    let found = store.load(&["id-000", "id-444", "id-699", "id-100"].map(uid)).unwrap();
    assert_eq!(uids(&found), ["id-100"]);
    assert_eq!(found[0].body, simple("id-100", "2").body());
    assert_eq!(store.assign(GROUP, TOPIC, &[(0, 0)]).unwrap(), vec![(0, 702)]);
    // The places in the answer are those of the messages, not of the ids.
    assert_eq!(store.newest(1).unwrap(), [uid("id-698")]);
}

/// Row 4: an order that the database takes and doesn't keep is no success: nothing is saved, the
/// position least of all.
#[test]
fn an_order_that_a_trigger_swallows_is_not_passed_over() {
    let (_database, _, mut store, mut operator) = opened("");
    let trigger = "create function swallow() returns trigger language plpgsql as \
         $$ begin if new.order_uid = 'id-2' then return null; end if; return new; end $$; \
         create trigger swallow before insert on orders for each row execute function swallow()";
    operator.batch_execute(trigger).unwrap();
    let orders = ["id-1", "id-2", "id-3"].map(|id| simple(id, "1")).to_vec();
    let error = store.save(&batch(0, orders.clone())).unwrap_err();
    assert!(error.to_string().contains("id-2"), "{error}");
    assert_eq!(store.counts().unwrap(), Counts { orders: 0, dead_letters: 0 });
    assert_eq!(store.assign(GROUP, TOPIC, &[(0, 0)]).unwrap(), vec![(0, 0)]);
    operator.batch_execute("drop trigger swallow on orders").unwrap();
    assert_eq!(store.save(&batch(0, orders)).unwrap().orders.len(), 3);
}

/// Design: a sequence behind its table is no order's fault, and must not turn orders into dead
/// letters.
#[test]
fn a_sequence_behind_its_table_is_an_outage() {
    let (_database, _, mut store, mut operator) = opened("");
    store.save(&batch(0, [simple("a", "1")])).unwrap();
    operator.batch_execute("alter sequence orders_arrival restart").unwrap();
    let failed = store.save(&batch(1, [simple("b", "1")]));
    assert!(matches!(failed, Err(StoreError::Outage { .. })), "{failed:?}");
    assert_eq!(store.counts().unwrap(), Counts { orders: 1, dead_letters: 0 });
}

/// Design: 57014 asks for less; the connection stays usable. So does the end of a wait for a lock.
#[test]
fn a_slow_statement_is_too_slow_and_no_outage() {
    for options in ["statement_timeout%3D300", "lock_timeout%3D300"] {
        let (_database, _, mut store, mut operator) = opened(&format!("?options=-c%20{options}"));
        let mut transaction = operator.transaction().unwrap();
        transaction.batch_execute("lock table orders in access exclusive mode").unwrap();
        let slow = store.save(&batch(0, [simple("a", "1")]));
        assert!(matches!(slow, Err(StoreError::TooSlow { .. })), "{slow:?}");
        let slow = store.load(&[uid("a")]);
        assert!(matches!(slow, Err(StoreError::TooSlow { .. })), "{slow:?}");
        transaction.rollback().unwrap();
        store.save(&batch(0, [simple("a", "1")])).unwrap();
        assert_eq!(uids(&store.page(None, 9).unwrap()), ["a"]);
    }
}

/// Rows 3 and 6: a session that dies is an outage; nothing of its batch is saved, and the next
/// works.
#[test]
fn a_killed_session_is_an_outage_and_saves_nothing() {
    let (database, postgres, mut store, mut operator) = opened("");
    let mut doomed = batch(0, [simple("a", "1")]);
    doomed.dead_letters.push(dead_letter(0, 1, "broken"));
    let mut locker = Client::connect(database.url(), NoTls).unwrap();
    let mut lock = locker.transaction().unwrap();
    lock.batch_execute("lock table payments in exclusive mode").unwrap();
    let failed = std::thread::scope(|scope| {
        let saving = scope.spawn(|| store.save(&doomed));
        terminate(&mut operator, "relation");
        saving.join().unwrap()
    });
    assert!(matches!(failed, Err(StoreError::Outage { .. })), "{failed:?}");
    lock.rollback().unwrap();
    assert!(matches!(store.counts(), Err(StoreError::Outage { .. })));

    let mut next = postgres.connect().unwrap();
    assert_eq!(next.counts().unwrap(), Counts { orders: 0, dead_letters: 0 });
    next.save(&doomed).unwrap();
    assert_eq!(next.counts().unwrap(), Counts { orders: 1, dead_letters: 1 });
}

/// A trigger that runs within COMMIT.
fn at_commit(operator: &mut Client, what: &str) {
    let sql = format!(
        "create function at_commit() returns trigger language plpgsql as \
         $$ begin {what}; return null; end $$; \
         create constraint trigger at_commit after insert on orders \
         deferrable initially deferred for each row execute function at_commit()"
    );
    operator.batch_execute(&sql).unwrap();
}

/// Design: when a session dies within COMMIT nobody knows the outcome, and the store says so.
#[test]
fn a_session_killed_within_commit_leaves_the_outcome_unknown() {
    let (_database, postgres, mut store, mut operator) = opened("");
    at_commit(&mut operator, "perform pg_sleep(4)");
    let unknown = std::thread::scope(|scope| {
        let saving = scope.spawn(|| store.save(&batch(0, [simple("a", "1")])));
        terminate(&mut operator, "PgSleep");
        saving.join().unwrap()
    });
    assert!(matches!(unknown, Err(StoreError::CommitUnknown { .. })), "{unknown:?}");
    let mut next = postgres.connect().unwrap();
    assert_eq!(next.assign(GROUP, TOPIC, &[(0, 9)]).unwrap(), vec![(0, 0)]);
}

/// Design: when the outcome of a COMMIT is unknown the position is read again, and what is read is
/// final: a transaction that may still move it is waited for.
#[test]
fn a_position_is_read_when_nobody_is_moving_it() {
    let (_database, _, mut store, mut operator) = opened("");
    let mut lost = operator.transaction().unwrap();
    lost.execute("update positions set next_offset = 5", &[]).unwrap();
    let (answer, answered) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || answer.send(store.assign(GROUP, TOPIC, &[(0, 0)])).unwrap());
        wait_for_lock(&mut lost);
        assert!(answered.try_recv().is_err(), "the position isn't final yet");
        lost.commit().unwrap();
        assert_eq!(answered.recv().unwrap().unwrap(), vec![(0, 5)]);
    });
}

/// Waits until a session of the store waits for a lock.
fn wait_for_lock(operator: &mut postgres::Transaction<'_>) {
    let waiting = "select count(*) from pg_locks l join pg_stat_activity a using (pid) \
         where not l.granted and a.application_name = 'orderd'";
    let pause = StopToken::new();
    for _ in 0..2000 {
        if operator.query_one(waiting, &[]).unwrap().get::<_, i64>(0) > 0 {
            return;
        }
        pause.wait(Duration::from_millis(5));
    }
    panic!("no session waits for a lock");
}

/// Design: a COMMIT that the server clearly rejects has saved nothing, and that is known.
#[test]
fn a_rejected_commit_is_no_unknown_outcome() {
    let (_database, _, mut store, mut operator) = opened("");
    at_commit(&mut operator, "raise exception 'rejected'");
    let rejected = store.save(&batch(0, [simple("a", "1")]));
    assert!(matches!(rejected, Err(StoreError::Outage { .. })), "{rejected:?}");
    assert_eq!(store.counts().unwrap(), Counts { orders: 0, dead_letters: 0 });
}

/// Design: what was changed from outside is told as such, and never served.
#[test]
fn tampered_rows_are_corrupt() {
    let tampering = [
        "update orders set track_number = 'other' where order_uid = 'a'",
        "update orders set order_uid = 'a/b' where order_uid = 'a'",
        "update orders set date_created = 'infinity' where order_uid = 'a'",
        "update orders set date_created = '-infinity' where order_uid = 'a'",
        "update orders set date_created = '10000-01-01T00:00:00Z' where order_uid = 'a'",
        "update orders set date_created = '0001-12-31T23:59:59Z BC' where order_uid = 'a'",
        "delete from deliveries where order_uid = 'a'",
        "delete from payments where order_uid = 'a'",
        "delete from items where order_uid = 'a' and position = 1",
        "update items set position = position + 7 where order_uid = 'a' and position = 0",
    ];
    for sql in tampering {
        let (_database, _, mut store, mut operator) = opened("");
        store.save(&batch(0, [simple("a", "1"), simple("b", "1")])).unwrap();
        let unlink = "alter table deliveries drop constraint deliveries_order_uid_fkey; \
             alter table payments drop constraint payments_order_uid_fkey; \
             alter table items drop constraint items_order_uid_fkey;";
        operator.batch_execute(&format!("{unlink} {sql}")).unwrap();
        let corrupt = store.page(None, 9);
        let Err(StoreError::Corrupt { detail, .. }) = corrupt else { panic!("{sql}: {corrupt:?}") };
        assert!(detail.contains('a'), "{sql}: {detail}");
        assert_eq!(uids(&store.load(&[uid("b")]).unwrap()), ["b"]);
    }
}

/// "Times: years 1 to 9999": the database has the very moments that the orders say.
#[test]
fn the_column_holds_the_moment_of_the_order() {
    let (_database, _, mut store, mut operator) = opened("");
    store.save(&batch(0, extremes())).unwrap();
    let shown = "select to_char(date_created at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') \
         from orders where order_uid = $1";
    for order in extremes() {
        let row = operator.query_one(shown, &[&order.uid().as_str()]).unwrap();
        let moment: Moment = format!("{}Z", row.get::<_, &str>(0)).parse().unwrap();
        assert_eq!(moment, order.document().date_created, "{}", order.uid());
    }
}

/// Design: rows are locked in the order of their ids, so writers of the same orders never deadlock,
/// whatever the order of their messages is.
#[test]
fn writers_of_the_same_orders_do_not_deadlock() {
    let (database, postgres, mut store, mut operator) = opened("");
    let ids: Vec<String> = (0..100).map(|number| format!("id-{number:03}")).collect();
    let orders = |content: &str| ids.iter().map(|id| simple(id, content)).collect::<Vec<_>>();
    store.save(&batch(0, orders("first"))).unwrap();
    store.assign(GROUP, TOPIC, &[(1, 0), (2, 0)]).unwrap();

    // Both writers come to a halt in the middle: without an order each would hold a half by then.
    // A session sees the same activity for all of a transaction, so another one looks.
    let mut observer = Client::connect(database.url(), NoTls).unwrap();
    let mut halt = operator.transaction().unwrap();
    halt.batch_execute("select from orders where order_uid = 'id-050' for update").unwrap();
    std::thread::scope(|scope| {
        for partition in 1..=2 {
            let mut writer = postgres.connect().unwrap();
            let mut orders = orders(&format!("from partition {partition}"));
            if partition == 2 {
                orders.reverse();
            }
            let mut batch = batch(0, orders);
            batch.advances[0].partition = partition;
            scope.spawn(move || writer.save(&batch).unwrap());
        }
        let waiting = "select from pg_stat_activity where wait_event_type = 'Lock' \
             and application_name = 'orderd' and datname = current_database()";
        let pause = StopToken::new();
        let both_wait = (0..2000).any(|_| {
            pause.wait(Duration::from_millis(1));
            observer.query(waiting, &[]).unwrap().len() == 2
        });
        halt.rollback().unwrap();
        assert!(both_wait, "both writers wait for a lock");
    });
    assert_eq!(store.counts().unwrap().orders, 100);
    assert_eq!(store.page(None, 100).unwrap().len(), 100);
}

/// Design: an order reads byte for byte the same from both stores.
#[test]
fn both_stores_answer_with_the_same_pages() {
    let (embedded, postgres) = (Place::embedded(), Place::postgres());
    let pages = [&embedded, &postgres].map(|place| {
        let mut store = place.assigned();
        store.save(&batch(0, extremes())).unwrap();
        let page = store.page(None, 99).unwrap();
        page.into_iter().map(|stored| (stored.uid, stored.body, stored.digest)).collect::<Vec<_>>()
    });
    assert_eq!(pages[0].len(), extremes().len());
    assert_eq!(pages[0], pages[1]);
}
