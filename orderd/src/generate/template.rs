//! The documents of produced orders: the sample with another identity, or all made up.

use crate::generate::Template;
use crate::order::Moment;
use crate::order::OrderUid;
use crate::order::decode::decode;
use crate::order::document::Delivery;
use crate::order::document::Document;
use crate::order::document::Item;
use crate::order::document::Payment;
use crate::order::validate::Profile;
use bytes::Bytes;
use fake::Fake;
use fake::faker::address::en::CityName;
use fake::faker::address::en::StateName;
use fake::faker::address::en::StreetName;
use fake::faker::company::en::Buzzword;
use fake::faker::company::en::CompanyName;
use fake::faker::internet::en::SafeEmail;
use fake::faker::internet::en::Username;
use fake::faker::name::en::Name;
use jiff::Timestamp;
use rand::RngExt;
use rand::rngs::StdRng;
use std::sync::LazyLock;

/// The sample order of the task that all of this is about.
static MODEL: LazyLock<Document> = LazyLock::new(|| {
    let message = Bytes::from_static(include_bytes!("../../assets/model.json"));
    let order = decode(&message, Profile::Strict, Timestamp::MAX).swap_remove(0).order;
    order.expect("the sample passes both profiles").document().clone()
});

const CURRENCIES: [&str; 7] = ["USD", "EUR", "RUB", "KZT", "BYN", "AMD", "CNY"];
const LOCALES: [&str; 6] = ["en", "ru", "uk", "cs", "es", "da"];
const PROVIDERS: [&str; 3] = ["wbpay", "applepay", "googlepay"];
const BANKS: [&str; 4] = ["alpha", "sber", "tinkoff", "vtb"];
const SERVICES: [&str; 4] = ["meest", "cdek", "dhl", "dpd"];

/// An order with this id and of this time.
pub(crate) fn document(
    template: Template,
    uid: &OrderUid,
    now: Moment,
    random: &mut StdRng,
) -> Document {
    let track_number = format!("WBILM{:07}", random.random_range(0..10_000_000));
    match template {
        Template::Model => model(uid, now, track_number),
        Template::Random => made_up(uid, now, track_number, random),
    }
}

fn model(uid: &OrderUid, now: Moment, track_number: String) -> Document {
    let mut document = MODEL.clone();
    uid.as_str().clone_into(&mut document.order_uid);
    uid.as_str().clone_into(&mut document.payment.transaction);
    for item in &mut document.items {
        item.track_number.clone_from(&track_number);
    }
    document.track_number = track_number;
    document.date_created = now;
    document
}

fn made_up(uid: &OrderUid, now: Moment, track_number: String, random: &mut StdRng) -> Document {
    let items = items(&track_number, random);
    let payment = payment(uid, now, &items, random);
    Document {
        order_uid: uid.as_str().to_owned(),
        track_number,
        entry: "WBIL".to_owned(),
        delivery: delivery(random),
        payment,
        items,
        locale: one_of(&LOCALES, random),
        internal_signature: String::new(),
        customer_id: Username().fake_with_rng(random),
        delivery_service: one_of(&SERVICES, random),
        shardkey: random.random_range(0..10).to_string(),
        sm_id: random.random_range(1..100),
        date_created: now,
        oof_shard: random.random_range(1..3).to_string(),
    }
}

fn delivery(random: &mut StdRng) -> Delivery {
    let street: String = StreetName().fake_with_rng(random);
    Delivery {
        name: Name().fake_with_rng(random),
        phone: format!("+{}", random.random_range(10_000_000_000_u64..100_000_000_000)),
        zip: random.random_range(100_000..1_000_000).to_string(),
        city: CityName().fake_with_rng(random),
        address: format!("{street} {}", random.random_range(1..200)),
        region: StateName().fake_with_rng(random),
        email: SafeEmail().fake_with_rng(random),
    }
}

fn payment(uid: &OrderUid, now: Moment, items: &[Item], random: &mut StdRng) -> Payment {
    let goods_total = items.iter().map(|item| item.total_price).sum();
    let delivery_cost = random.random_range(0..3000);
    let custom_fee = if random.random_bool(0.2) { random.random_range(1..500) } else { 0 };
    Payment {
        transaction: uid.as_str().to_owned(),
        request_id: String::new(),
        currency: one_of(&CURRENCIES, random),
        provider: one_of(&PROVIDERS, random),
        amount: goods_total + delivery_cost + custom_fee,
        payment_dt: now.as_second(),
        bank: one_of(&BANKS, random),
        delivery_cost,
        goods_total,
        custom_fee,
    }
}

fn items(track_number: &str, random: &mut StdRng) -> Vec<Item> {
    let first_rid: u64 = random.random();
    let count = random.random_range(1..=5);
    (0..count)
        .map(|position| {
            let price = random.random_range(100..100_000);
            let sale = random.random_range(0..=90);
            Item {
                chrt_id: random.random_range(1_000_000..10_000_000),
                track_number: track_number.to_owned(),
                price,
                rid: format!("{:016x}test", first_rid.wrapping_add(position)),
                name: Buzzword().fake_with_rng(random),
                sale,
                size: random.random_range(0..60).to_string(),
                total_price: price * (100 - sale) / 100,
                nm_id: random.random_range(1_000_000..10_000_000),
                brand: CompanyName().fake_with_rng(random),
                status: 202,
            }
        })
        .collect()
}

fn one_of(choices: &[&str], random: &mut StdRng) -> String {
    choices[random.random_range(0..choices.len())].to_owned()
}
