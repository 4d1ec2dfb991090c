//! What readers of the catalog rely on beside the coherence of single fills.

use crate::coherence::Change;
use crate::coherence::Scene;
use crate::coherence::on_both_stores;
use crate::daemon::wait_until;
use crate::stores;
use crate::stores::order;
use crate::stores::save;
use crossbeam_channel::unbounded;
use orderd::catalog::ABSENT_FOR_MAX;
use orderd::clock::Clock;
use orderd::hotset::HotSet;
use orderd::order::Order;
use orderd::store::database::Database;
use orderd::store::database::Urgency;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::warmup;
use postgres::Client;
use postgres::NoTls;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

/// Row 9: a reader joins a load that is on its way, and never one that has ended, though something
/// else still holds a ticket of the same order.
#[test]
fn a_reader_does_not_join_a_load_that_has_ended() {
    let scene = Scene::new(stores::embedded());
    let wanted = order("a", 1);
    let _warming = scene.catalog.begin_warming(&[wanted.uid().clone()]);
    assert_eq!(scene.read(wanted.uid()), None);
    scene.clock.advance(ABSENT_FOR_MAX);
    save(&*scene.connect, std::slice::from_ref(&wanted));
    assert_eq!(scene.read(wanted.uid()), Some(1));
}

/// Design: unknown ids are forgotten when such an order arrives, and stay so when it is evicted.
#[test]
fn an_order_that_is_evicted_at_once_is_not_unknown_again() {
    let scene = Scene::new(stores::embedded());
    let wanted = order("a", 1);
    assert_eq!(scene.read(wanted.uid()), None);
    Change::Published.happen(&scene, &wanted);
    let others: Vec<Order> = (0..100).map(|n| order(&format!("o{n}"), 1)).collect();
    for other in &others {
        Change::Published.happen(&scene, other);
    }
    assert!(!scene.catalog.uids_by_recency().contains(wanted.uid()), "it is evicted");
    assert_eq!(scene.read(wanted.uid()), Some(1));
}

/// Design: writes that end in a panic before they are published forget their orders.
#[test]
fn a_panic_while_publishing_leaves_nothing_old() {
    let scene = Scene::new(stores::embedded());
    let (old, new) = (order("a", 1), order("a", 2));
    Change::Published.happen(&scene, &old);
    let writes = scene.catalog.begin_writes([old.uid()]);
    let saved = save(&*scene.connect, &[order("unannounced", 1), new]);
    let saved = saved.orders.into_iter().map(|(order, _)| order).collect();
    // A build with debug assertions panics at the order that wasn't announced.
    let _ = catch_unwind(AssertUnwindSafe(|| writes.publish(saved)));
    assert_eq!(scene.read(old.uid()), Some(2));
}

/// Design: a read that finds its connection broken is made once more on another, so nobody notices
/// that the database ended its sessions.
#[test]
fn broken_connections_are_replaced_unnoticed() {
    let fresh = stores::postgres();
    let mut operator = Client::connect(fresh.url.as_ref().unwrap(), NoTls).unwrap();
    let scene = Scene::new(fresh);
    let orders: Vec<Order> = (0..20).map(|n| order(&format!("o{n}"), 1)).collect();
    save(&*scene.connect, &orders);
    let end = "select pg_terminate_backend(pid, 20000) from pg_stat_activity \
         where application_name = 'orderd' and datname = current_database()";
    for (number, order) in orders.iter().enumerate() {
        if number % 5 == 4 {
            assert!(!operator.query(end, &[]).unwrap().is_empty(), "a session was open");
        }
        assert_eq!(scene.read(order.uid()), Some(1));
    }
}

/// Row 7: warming up never goes before readers that somebody waits for.
#[test]
fn readers_go_before_background_reads() {
    let fresh = stores::embedded();
    let crew = Crew::new(StopToken::new());
    let database = Database::start(&crew, &fresh.connect, &Clock::system(), 1).unwrap();
    let (open, gate) = unbounded::<()>();
    let (done, order_of_reads) = unbounded();
    let read = |urgency, name: &'static str| {
        let (gate, done) = (gate.clone(), done.clone());
        let query = move |_: &mut dyn orderd::store::Store| {
            gate.recv().unwrap();
            Ok(())
        };
        database.read(urgency, query, move |_| done.send(name).unwrap()).unwrap();
    };
    read(Urgency::Background, "first");
    read(Urgency::Background, "second");
    read(Urgency::Background, "third");
    read(Urgency::Foreground, "reader");
    // At most one of the background reads had begun before the reader came.
    (0..4).for_each(|_| open.send(()).unwrap());
    let names: Vec<_> =
        (0..4).map(|_| order_of_reads.recv_timeout(Duration::from_secs(20)).unwrap()).collect();
    let place = names.iter().position(|name| *name == "reader").unwrap();
    assert!(place <= 1, "{names:?}");
    let _ = crew.stop_and_join(Duration::from_secs(20));
}

/// Issue: warming up as a whole, overtaken between its statement and the cache, leaves nothing old.
#[test]
fn a_warm_up_that_is_overtaken_leaves_nothing_old() {
    on_both_stores(|scene, change| {
        let (old, new) = (order("a", 1), order("a", 2));
        save(&*scene.connect, std::slice::from_ref(&old));
        let crew = Arc::new(Crew::new(StopToken::new()));
        let options = warmup::Options { orders: 10, threads: 2, hot: HotSet::default() };
        scene.held(|| warmup::start(&crew, &scene.catalog, options).unwrap());
        change.happen(scene, &new);
        scene.open_gate();
        wait_until("warming up has ended", || crew.running().is_empty());
        assert_ne!(scene.cached(old.uid()), Some(1));
        assert_eq!(scene.read(old.uid()), Some(2));
        let _ = crew.stop_and_join(Duration::from_secs(20));
    });
}
