//! Rows 13 and 24: what the producer makes up, and what it breaks.

use bytes::Bytes;
use jiff::Timestamp;
use orderd::generate::Generator;
use orderd::generate::Produced;
use orderd::generate::Template;
use orderd::generate::damage::Damage;
use orderd::order::Order;
use orderd::order::decode::decode;
use orderd::order::validate::Code;
use orderd::order::validate::Profile;
use std::collections::HashSet;

const SAMPLE: &str = include_str!("../../assets/model.json");

fn start() -> Timestamp {
    "2026-11-20T10:20:30.123456789Z".parse().unwrap()
}

fn produce(seed: u64, template: Template, bad_share: f64, count: usize) -> Vec<Produced> {
    Generator::new(seed, template, bad_share).starting_at(start()).take(count).collect()
}

fn strict(message: &Bytes) -> Order {
    let elements = decode(message, Profile::Strict, start());
    assert_eq!(elements.len(), 1);
    elements.into_iter().next().unwrap().order.unwrap()
}

/// Row 13: orders from `model.json`, which differ from it in identity and time only.
#[test]
fn model_orders_are_the_sample_with_another_identity() {
    let mut tracks = HashSet::new();
    for produced in produce(1, Template::Model, 0.0, 500) {
        let order = strict(&produced.record.value);
        let (uid, document) = (order.uid().as_str(), order.document());
        assert_eq!(produced.uid.as_ref(), Some(order.uid()));
        assert_eq!(produced.record.key, uid.as_bytes());
        assert_eq!(produced.body.as_ref(), Some(order.body()));
        assert_eq!(produced.damage, None);

        let (hexadecimal, ending) = uid.split_at(16);
        assert!(hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()), "{uid}");
        assert_eq!(ending, "test");
        let digits = document.track_number.strip_prefix("WBILM").unwrap();
        assert!(digits.len() == 7 && digits.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(document.payment.transaction, uid);
        assert_eq!(document.items[0].track_number, document.track_number);
        tracks.insert(document.track_number.clone());

        let mut restored = document.clone();
        let sample = strict(&Bytes::from_static(SAMPLE.as_bytes())).document().clone();
        restored.order_uid.clone_from(&sample.order_uid);
        restored.payment.transaction.clone_from(&sample.payment.transaction);
        restored.track_number.clone_from(&sample.track_number);
        restored.items[0].track_number.clone_from(&sample.track_number);
        restored.date_created = sample.date_created;
        assert_eq!(restored, sample);
    }
    assert!(tracks.len() > 490, "{} different track numbers", tracks.len());
}

/// Row 24: fully random orders, which pass the strict profile with their sums right.
#[test]
fn random_orders_are_made_up_and_pass_the_strict_profile() {
    let (mut names, mut cities, mut sizes) = (HashSet::new(), HashSet::new(), HashSet::new());
    for produced in produce(7, Template::Random, 0.0, 2000) {
        let order = strict(&produced.record.value);
        assert_eq!(produced.body.as_ref(), Some(order.body()));
        names.insert(order.document().delivery.name.clone());
        cities.insert(order.document().delivery.city.clone());
        sizes.insert(order.document().items.len());
    }
    assert!(names.len() > 1000 && cities.len() > 100, "{} {}", names.len(), cities.len());
    assert_eq!(sizes, HashSet::from([1, 2, 3, 4, 5]));
}

/// Row 13: seeded, so that a run can be repeated.
#[test]
fn the_same_seed_and_time_give_the_same_bytes() {
    for template in [Template::Model, Template::Random] {
        assert_eq!(produce(3, template, 0.3, 300), produce(3, template, 0.3, 300));
        assert_ne!(produce(3, template, 0.3, 1), produce(4, template, 0.3, 1));
    }
}

/// Ids are unique within a seed and over seeds, neighbouring ones included.
#[test]
fn ids_are_unique_within_and_over_seeds() {
    let mut uids = HashSet::new();
    for seed in [0, 1, 2, 3, u64::MAX] {
        let produced = produce(seed, Template::Model, 0.0, 4000);
        uids.extend(produced.into_iter().map(|produced| produced.uid.unwrap()));
    }
    assert_eq!(uids.len(), 5 * 4000);
}

/// The given time is the order's, cut to microseconds as the daemon keeps it.
#[test]
fn the_given_time_is_the_time_of_the_order() {
    for time in ["2026-11-20T10:20:30.123456789Z", "1969-12-31T23:59:59.9999999Z"] {
        let produced = Generator::new(1, Template::Random, 0.0).produce(time.parse().unwrap());
        let served = strict(&produced.record.value).document().date_created.to_string();
        assert_eq!(served, format!("{}Z", &time[..26]));
    }
}

/// Row 13: "with a share of invalid ones", all kinds in turn.
#[test]
fn a_share_of_the_messages_is_damaged() {
    let produced = produce(5, Template::Random, 0.1, 5000);
    let damaged: Vec<_> = produced.iter().filter_map(|produced| produced.damage).collect();
    assert!((400..600).contains(&damaged.len()), "{} of 5000", damaged.len());
    assert_eq!(damaged[..50], Damage::ALL);
    assert!(produced.iter().all(|produced| produced.damage.is_some() == produced.body.is_none()));
    assert!(produce(5, Template::Model, 1.0, 100).iter().all(|p| p.damage.is_some()));
    assert!(produce(5, Template::Model, f64::NAN, 100).iter().all(|p| p.damage.is_none()));
}

/// Issue: "50 broken in different ways": each is refused as one element, with its own code.
#[test]
fn all_fifty_kinds_of_damage_are_refused_with_their_code() {
    assert_eq!(Damage::ALL.len(), 50);
    for template in [Template::Model, Template::Random] {
        let body = produce(9, template, 0.0, 1).remove(0).body.unwrap();
        let mut messages = HashSet::new();
        for damage in Damage::ALL {
            let message = damage.applied_to(&body);
            for profile in [Profile::Lenient, Profile::Strict] {
                let elements = decode(&message, profile, start());
                assert_eq!(elements.len(), 1, "{damage:?}");
                let violations = elements[0].order.as_ref().unwrap_err();
                assert_eq!(violations[0].code, damage.code(), "{damage:?}: {violations:?}");
            }
            assert!(messages.insert(message), "{damage:?} looks like another kind");
        }
    }
    let names: HashSet<&str> = Damage::ALL.iter().map(|damage| damage.name()).collect();
    let sentences: HashSet<&str> = Damage::ALL.iter().map(|damage| damage.description()).collect();
    assert_eq!((names.len(), sentences.len()), (50, 50));
}

/// Damage that isn't about the bytes breaks one rule and no other.
#[test]
fn a_damaged_field_is_the_only_violation() {
    let body = produce(9, Template::Model, 0.0, 1).remove(0).body.unwrap();
    for damage in Damage::ALL {
        let message = damage.applied_to(&body);
        let violations = decode(&message, Profile::Lenient, start()).remove(0).order.unwrap_err();
        let expected = if damage == Damage::EmptyObject { 3 } else { 1 };
        assert_eq!(violations.len(), expected, "{damage:?}: {violations:?}");
        assert!(violations.iter().all(|v| v.code == damage.code() || v.code == Code::Required));
    }
}

/// The id is given where the message still shows one, and is then its key.
#[test]
fn damaged_messages_have_the_id_that_they_show() {
    for produced in produce(2, Template::Model, 1.0, 50) {
        let key = produced.uid.as_ref().map_or("", |uid| uid.as_str());
        assert_eq!(produced.record.key, key.as_bytes());
        let shown = match produced.damage.unwrap() {
            Damage::MissingUid | Damage::UidWithSlash | Damage::Empty | Damage::HalfMessage => {
                false
            }
            Damage::NumberAsText | Damage::MissingItems | Damage::NoSuchDay => true,
            _ => continue,
        };
        assert_eq!(produced.uid.is_some(), shown, "{:?}", produced.damage);
    }
}
