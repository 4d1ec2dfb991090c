//! Dead letters in the hands of an operator, on each store.

use crate::store::Place;
use crate::store::load;
use crate::store::outcomes;
use crate::store::sample::GROUP;
use crate::store::sample::TOPIC;
use crate::store::sample::batch;
use crate::store::sample::simple;
use crate::store::sample::uid;
use bytes::Bytes;
use orderd::order::Order;
use orderd::order::decode::Part;
use orderd::store::Advance;
use orderd::store::Batch;
use orderd::store::DeadLetter;
use orderd::store::Incoming;
use orderd::store::Origin;
use orderd::store::Outcome;
use orderd::store::Store;
use orderd::store::letters::Filter;
use orderd::store::letters::Force;
use orderd::store::letters::Letter;
use orderd::store::letters::REASON_CHARS_MAX;
use orderd::store::letters::Refusal;
use orderd::store::letters::Replayed;
use orderd::store::letters::State;

/// A letter at this offset of partition 0, whose bytes name an order.
fn naming(offset: i64, order_uid: &str, code: &str) -> DeadLetter {
    DeadLetter {
        origin: Origin { partition: 0, offset, element: 0 },
        code: code.to_owned(),
        reason: format!("items[0].price: {code}: too high at {offset}"),
        part: Part::Message,
        payload: Bytes::from(format!(r#"{{"order_uid":"{order_uid}","items":0}}"#)),
    }
}

/// Saves what the messages from `from` to `to` of partition 0 are.
fn save(store: &mut dyn Store, from: i64, to: i64, orders: &[(i64, Order)], dead: &[DeadLetter]) {
    let mut batch = batch(from, orders.iter().map(|(_, order)| order.clone()));
    for (incoming, (offset, _)) in batch.orders.iter_mut().zip(orders) {
        incoming.origin.offset = *offset;
    }
    batch.advances = vec![Advance { partition: 0, from, to }];
    batch.dead_letters = dead.to_vec();
    store.save(&batch).unwrap();
}

/// All letters, newest first.
fn all(store: &mut dyn Store) -> Vec<Letter> {
    store.letters().list(&Filter::default(), None, 100).unwrap()
}

fn id_at(store: &mut dyn Store, offset: i64) -> i64 {
    let found = all(store).into_iter().find(|letter| letter.place.origin.offset == offset);
    found.unwrap().id
}

fn replay(store: &mut dyn Store, id: i64, order: &Order, force: Force) -> Replayed {
    let (letter, payload) = store.letters().find(id).unwrap().unwrap();
    let incoming = Incoming { order: order.clone(), origin: letter.place.origin, payload };
    let batch = Batch { topic: letter.place.topic, orders: vec![incoming], ..Batch::default() };
    store.letters().replay(id, &batch, force).unwrap()
}

fn landed(replayed: Replayed) -> Outcome {
    match replayed {
        Replayed::Landed(orders) => outcomes(&orders)[0].1,
        Replayed::Refused(refusal) => panic!("{refusal:?}"),
    }
}

/// Issue: dead letters are listed, newest first, by page and by reason, and shown with their bytes.
pub(super) fn letters_are_listed_by_what_is_asked_for(place: Place) {
    let mut store = place.assigned();
    let dead: Vec<DeadLetter> = (0..25)
        .map(|at| naming(at, &format!("u{at}"), if at % 5 == 0 { "type" } else { "required" }))
        .collect();
    save(&mut *store, 0, 25, &[], &dead);
    let offsets = |letters: &[Letter]| -> Vec<i64> {
        letters.iter().map(|letter| letter.place.origin.offset).collect()
    };
    let first = store.letters().list(&Filter::open(), None, 10).unwrap();
    assert_eq!(offsets(&first), (15..25).rev().collect::<Vec<_>>());
    let before = first.last().map(|letter| letter.id);
    let second = store.letters().list(&Filter::open(), before, 100).unwrap();
    assert_eq!(offsets(&second), (0..15).rev().collect::<Vec<_>>());

    let types = Filter { code: Some("type".to_owned()), ..Filter::default() };
    assert_eq!(offsets(&store.letters().list(&types, None, 9).unwrap()), [20, 15, 10, 5, 0]);
    assert_eq!(store.letters().count(&types).unwrap(), 5);
    let ids = store.letters().ids(&types, i64::MIN, 2).unwrap();
    assert_eq!(ids, [0, 5].map(|at| id_at(&mut *store, at)), "oldest first");
    let rest = store.letters().ids(&types, ids[1], 9).unwrap();
    assert_eq!(rest, [10, 15, 20].map(|at| id_at(&mut *store, at)));
    let about = |text: &str| Filter { reason: Some(text.to_owned()), ..Filter::default() };
    assert_eq!(store.letters().count(&about("too high at 24")).unwrap(), 1);
    assert_eq!(store.letters().count(&about("50%_\\")).unwrap(), 0, "a text and no pattern");
    assert_eq!(store.letters().count(&about("\0")).unwrap(), 0);
    let dropped = Filter { state: Some(State::Dropped), ..Filter::default() };
    assert_eq!(store.letters().count(&dropped).unwrap(), 0);

    let (letter, payload) = store.letters().find(ids[1]).unwrap().unwrap();
    assert_eq!(payload, dead[5].payload);
    assert_eq!((&letter.code, &letter.reason), (&dead[5].code, &dead[5].reason));
    assert_eq!((&*letter.place.topic, letter.place.origin), (TOPIC, dead[5].origin));
    assert_eq!((letter.order_uid.unwrap(), letter.part), (uid("u5"), Part::Message));
    assert_eq!((letter.state, letter.settled_at), (State::Open, None));
    assert_eq!(store.letters().find(i64::MAX).unwrap(), None);

    let mut endless = naming(25, "long", "type");
    endless.reason = "ж".repeat(REASON_CHARS_MAX + 1);
    save(&mut *store, 25, 26, &[], std::slice::from_ref(&endless));
    let listed = all(&mut *store).remove(0);
    assert_eq!(listed.reason.chars().count(), REASON_CHARS_MAX);
    assert_eq!(store.letters().find(listed.id).unwrap().unwrap().0.reason, endless.reason);
}

/// Issue: a replay lands once, also after the store was closed, and after its message came again.
pub(super) fn a_replay_lands_once(place: Place) {
    let mut store = place.assigned();
    let dead = [naming(0, "a", "type")];
    save(&mut *store, 0, 1, &[], &dead);
    let id = id_at(&mut *store, 0);
    assert_eq!(
        landed(replay(&mut *store, id, &simple("a", "mended"), Force::No)),
        Outcome::Inserted
    );
    assert_eq!(load(&mut *store, "a").body, simple("a", "mended").body());
    let (letter, _) = store.letters().find(id).unwrap().unwrap();
    assert!(letter.state == State::Replayed && letter.settled_at.is_some(), "{letter:?}");
    assert_eq!(store.counts().unwrap().orders, 1);
    assert_eq!(store.letters().count(&Filter::open()).unwrap(), 0);
    drop(store);

    let place = place.reopen();
    let mut store = place.connect();
    for force in [Force::No, Force::Yes] {
        let again = replay(&mut *store, id, &simple("a", "other"), force);
        assert_eq!(again, Replayed::Refused(Refusal::Settled(State::Replayed)));
    }
    save(&mut *store, 1, 2, &[], &dead);
    assert_eq!(all(&mut *store).len(), 1, "the message came again and its letter didn't");
    assert_eq!(load(&mut *store, "a").body, simple("a", "mended").body());
    let unknown = Batch { topic: TOPIC.to_owned(), ..batch(0, [simple("b", "1")]) };
    let unknown = Batch { group: String::new(), advances: Vec::new(), ..unknown };
    let refused = store.letters().replay(i64::MAX, &unknown, Force::Yes).unwrap();
    assert_eq!(refused, Replayed::Refused(Refusal::Unknown));
    assert!(store.load(&[uid("b")]).unwrap().is_empty(), "nothing of it is saved");
}

/// Issue: a replay is refused if the order was saved from a later message since, which is named;
/// unless it is forced. An earlier message, or another order, is no reason.
pub(super) fn a_letter_that_was_overtaken_is_refused_unless_forced(place: Place) {
    let mut store = place.assigned();
    let dead = [naming(5, "a", "type"), naming(6, "b", "type")];
    // In one batch: the order before its letter, and another order after it.
    save(&mut *store, 0, 7, &[(4, simple("a", "4")), (6, simple("z", "6"))], &dead);
    let (first, second) = (id_at(&mut *store, 5), id_at(&mut *store, 6));
    assert!(all(&mut *store).iter().all(|letter| letter.overtaken_by.is_none()));
    // The same content again, and still a later message: nothing is written, and the letter is old.
    save(&mut *store, 7, 8, &[(7, simple("a", "4"))], &[]);
    let refused = replay(&mut *store, first, &simple("a", "5"), Force::No);
    let Replayed::Refused(Refusal::Overtaken(Some(by))) = refused else { panic!("{refused:?}") };
    assert_eq!(by.to_string(), format!("{TOPIC}/0/7/0"));
    assert_eq!(load(&mut *store, "a").body, simple("a", "4").body());
    assert_eq!(
        landed(replay(&mut *store, second, &simple("b", "6"), Force::No)),
        Outcome::Inserted
    );
    assert_eq!(
        landed(replay(&mut *store, first, &simple("a", "5"), Force::Yes)),
        Outcome::Replaced
    );
    assert_eq!(load(&mut *store, "a").body, simple("a", "5").body());

    // A letter that is replayed overtakes the older ones about its order, and not the later ones.
    save(&mut *store, 8, 11, &[], &[8, 9, 10].map(|at| naming(at, "c", "type")));
    let ids = [8, 9, 10].map(|at| id_at(&mut *store, at));
    assert_eq!(
        landed(replay(&mut *store, ids[1], &simple("c", "9"), Force::No)),
        Outcome::Inserted
    );
    let old = replay(&mut *store, ids[0], &simple("c", "8"), Force::No);
    assert!(matches!(old, Replayed::Refused(Refusal::Overtaken(Some(_)))), "{old:?}");
    assert_eq!(
        landed(replay(&mut *store, ids[2], &simple("c", "10"), Force::No)),
        Outcome::Replaced
    );

    // Messages of other partitions have no order among them: what is saved since is later.
    save(&mut *store, 11, 12, &[], &[naming(11, "d", "type")]);
    store.assign(GROUP, TOPIC, &[(1, 0)]).unwrap();
    let mut elsewhere = batch(0, [simple("d", "1")]);
    elsewhere.advances[0].partition = 1;
    elsewhere.orders[0].origin.partition = 1;
    store.save(&elsewhere).unwrap();
    let id = id_at(&mut *store, 11);
    let refused = replay(&mut *store, id, &simple("d", "2"), Force::No);
    assert!(matches!(refused, Replayed::Refused(Refusal::Overtaken(Some(_)))), "{refused:?}");
}

/// Issue: a letter whose order nobody could tell when it came may not undo what is stored.
pub(super) fn a_letter_that_named_no_order_replaces_none(place: Place) {
    let mut store = place.assigned();
    let cut =
        |offset| DeadLetter { payload: Bytes::from_static(b"{"), ..naming(offset, "", "syntax") };
    save(&mut *store, 0, 3, &[(0, simple("a", "0"))], &[cut(1), cut(2)]);
    let (first, second) = (id_at(&mut *store, 1), id_at(&mut *store, 2));
    let refused = replay(&mut *store, first, &simple("a", "1"), Force::No);
    assert_eq!(refused, Replayed::Refused(Refusal::Overtaken(None)));
    assert_eq!(load(&mut *store, "a").body, simple("a", "0").body());
    assert_eq!(
        landed(replay(&mut *store, first, &simple("a", "1"), Force::Yes)),
        Outcome::Replaced
    );
    assert_eq!(
        landed(replay(&mut *store, second, &simple("b", "2"), Force::No)),
        Outcome::Inserted
    );
}

/// Issue: letters are dropped, once, and a dropped one is replayed by force only.
pub(super) fn letters_are_dropped_once_and_come_back_by_force(place: Place) {
    let mut store = place.assigned();
    save(&mut *store, 0, 3, &[], &[0, 1, 2].map(|at| naming(at, "a", "type")));
    let ids = [0, 1, 2].map(|at| id_at(&mut *store, at));
    let mut dropped = store.letters().discard(&[ids[1], ids[0], i64::MAX]).unwrap();
    dropped.sort_unstable();
    assert_eq!(dropped, ids[..2]);
    assert!(store.letters().discard(&ids[..2]).unwrap().is_empty());
    assert_eq!(store.letters().ids(&Filter::open(), i64::MIN, 9).unwrap(), ids[2..]);
    let refused = replay(&mut *store, ids[0], &simple("a", "0"), Force::No);
    assert_eq!(refused, Replayed::Refused(Refusal::Settled(State::Dropped)));
    assert_eq!(
        landed(replay(&mut *store, ids[0], &simple("a", "0"), Force::Yes)),
        Outcome::Inserted
    );
}

/// Row 6: each letter is published, by one instance at a time, and once that is noted never again.
pub(super) fn every_letter_is_published(place: Place) {
    let mut store = place.assigned();
    let dead: Vec<_> = (0..5).map(|at| naming(at, "a", "type")).collect();
    save(&mut *store, 0, 5, &[], &dead);
    let claimed = store.letters().claim_unpublished(3).unwrap();
    let payloads: Vec<_> = claimed.iter().map(|(_, payload)| payload.clone()).collect();
    assert_eq!(payloads, dead[..3].iter().map(|l| l.payload.clone()).collect::<Vec<_>>());
    let ids: Vec<i64> = claimed.iter().map(|(letter, _)| letter.id).collect();
    store.letters().published(&ids).unwrap();
    let rest = store.letters().claim_unpublished(9).unwrap();
    let offsets: Vec<_> = rest.iter().map(|(letter, _)| letter.place.origin.offset).collect();
    assert_eq!(offsets, [3, 4]);
    let ids: Vec<i64> = rest.iter().map(|(letter, _)| letter.id).collect();
    store.letters().published(&ids).unwrap();
    drop(store);
    let place = place.reopen();
    assert!(place.connect().letters().claim_unpublished(9).unwrap().is_empty());
}
