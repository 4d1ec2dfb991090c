//! Replays in a running daemon, and what its cache makes of them.

use crate::coherence::Scene;
use crate::dead_letters::incomplete;
use crate::stores;
use crate::stores::Fresh;
use crate::stores::order;
use bytes::Bytes;
use orderd::catalog::Lookup;
use orderd::dead_letters::Desk;
use orderd::dead_letters::Verdict;
use orderd::order::OrderUid;
use orderd::order::decode::Part;
use orderd::order::validate::Profile;
use orderd::store::Advance;
use orderd::store::Batch;
use orderd::store::DeadLetter;
use orderd::store::Incoming;
use orderd::store::Origin;
use orderd::store::Outcome;
use orderd::store::letters::Filter;
use orderd::store::letters::Force;
use std::time::Duration;

fn desk(scene: &Scene) -> Desk {
    let wait_max = Duration::from_secs(20);
    Desk::new(scene.catalog.clone(), Profile::Lenient, scene.clock.clone(), wait_max)
}

/// Saves an order, as its first version, and then a letter about it.
fn save_order_and_letter(scene: &Scene, uid: &str) -> i64 {
    let mut store = scene.connect.connect().unwrap();
    store.assign("desk", "orders", &[(0, 0)]).unwrap();
    let origin = |offset| Origin { partition: 0, offset, element: 0 };
    let order = order(uid, 1);
    let payload = order.body().clone();
    let batch = Batch {
        group: "desk".to_owned(),
        topic: "orders".to_owned(),
        advances: vec![Advance { partition: 0, from: 0, to: 2 }],
        orders: vec![Incoming { order, origin: origin(0), payload }],
        dead_letters: vec![DeadLetter {
            origin: origin(1),
            code: "required".to_owned(),
            reason: "delivery.name: required: The field is empty.".to_owned(),
            part: Part::Message,
            payload: Bytes::from(incomplete(uid)),
        }],
    };
    store.save(&batch).unwrap();
    store.letters().ids(&Filter::open(), i64::MIN, 9).unwrap()[0]
}

/// Issue: a replay that replaces an order is served at once, on either store, although the old one
/// was cached; and the letter lands once however often and by however many it is replayed.
#[test]
fn a_replayed_order_replaces_the_cached_one_and_lands_once() {
    for make in [stores::embedded as fn() -> Fresh, stores::postgres] {
        let scene = Scene::new(make());
        let id = save_order_and_letter(&scene, "a");
        let uid = OrderUid::parse("a").unwrap();
        assert_eq!(scene.read(&uid), Some(1));
        let desk = desk(&scene);
        let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
            let replaying = [(); 8].map(|()| scope.spawn(|| desk.replay(id, Force::No).unwrap()));
            replaying.map(|replay| replay.join().unwrap()).into()
        });
        let landed: Vec<_> = verdicts
            .iter()
            .filter_map(|verdict| match verdict {
                Verdict::Landed(orders) => Some(orders.clone()),
                Verdict::Already => None,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(landed, [[(uid.clone(), Outcome::Replaced)]]);
        // Those that came too late left the cache without the order, or with the right one.
        assert_eq!(scene.read(&uid), Some(0));
        let Lookup::Hit(cached) = scene.catalog.lookup(&uid).unwrap() else { panic!("not cached") };
        let stored = scene.connect.connect().unwrap().load(std::slice::from_ref(&uid)).unwrap();
        assert_eq!([cached], stored[..]);
    }
}
