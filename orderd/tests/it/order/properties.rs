//! What holds for any order and for any bytes.

use crate::order::SAMPLE;
use crate::order::decode_with;
use crate::order::judge;
use jiff::SignedDuration;
use jiff::Timestamp;
use orderd::order::Moment;
use orderd::order::document::Delivery;
use orderd::order::document::Document;
use orderd::order::document::Item;
use orderd::order::document::Payment;
use orderd::order::validate::Profile;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prop_assert;
use proptest::prop_assert_eq;
use proptest::proptest;

fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[^\0]{0,40}").unwrap()
}

fn item() -> impl Strategy<Value = Item> {
    let texts = (text(), text(), text(), text(), text());
    (texts, any::<[i64; 6]>()).prop_map(|((track_number, rid, name, size, brand), numbers)| {
        let [chrt_id, price, sale, total_price, nm_id, status] = numbers;
        Item {
            chrt_id,
            track_number,
            price,
            rid,
            name,
            sale,
            size,
            total_price,
            nm_id,
            brand,
            status,
        }
    })
}

fn delivery() -> impl Strategy<Value = Delivery> {
    (text(), text(), text(), text(), text(), text(), text()).prop_map(
        |(name, phone, zip, city, address, region, email)| Delivery {
            name,
            phone,
            zip,
            city,
            address,
            region,
            email,
        },
    )
}

fn payment() -> impl Strategy<Value = Payment> {
    let texts = (text(), text(), text(), text(), text());
    (texts, any::<[i64; 5]>()).prop_map(|(texts, numbers)| {
        let (transaction, request_id, currency, provider, bank) = texts;
        let [amount, payment_dt, delivery_cost, goods_total, custom_fee] = numbers;
        Payment {
            transaction,
            request_id,
            currency,
            provider,
            amount,
            payment_dt,
            bank,
            delivery_cost,
            goods_total,
            custom_fee,
        }
    })
}

fn document() -> impl Strategy<Value = Document> {
    let moment = (Moment::MIN.as_microsecond()..=Moment::MAX.as_microsecond())
        .prop_map(|microsecond| Moment::from_microsecond(microsecond).unwrap());
    let texts = (text(), text(), text(), text(), text(), text(), text(), text());
    let items = proptest::collection::vec(item(), 1..5);
    let rest = (delivery(), payment(), items, moment, any::<i64>());
    ("[!-.0-~]{1,64}", texts, rest).prop_map(|(order_uid, texts, rest)| {
        let (delivery, payment, items, date_created, sm_id) = rest;
        let (track_number, entry, locale, internal_signature, customer_id, ..) = texts.clone();
        let (.., delivery_service, shardkey, oof_shard) = texts;
        Document {
            order_uid,
            track_number,
            entry,
            delivery,
            payment,
            items,
            locale,
            internal_signature,
            customer_id,
            delivery_service,
            shardkey,
            sm_id,
            date_created,
            oof_shard,
        }
    })
}

proptest! {
    /// What is served can be sent again and is the same order.
    #[test]
    fn the_canonical_form_reads_back_as_itself(document in document()) {
        let bytes = document.canonical();
        let order = judge(&bytes, Profile::Lenient).unwrap();
        prop_assert_eq!(order.document(), &document);
        prop_assert_eq!(order.body(), &bytes);
    }

    /// Where jiff has the moment too, it is the same one and reads the same, but for the
    /// nanoseconds.
    #[test]
    fn a_moment_reads_as_in_the_calendar_of_jiff(
        microsecond in Moment::MIN.as_microsecond()..=Timestamp::MAX.as_microsecond(),
        nanosecond in 0..1000_i64,
    ) {
        let time = Timestamp::from_microsecond(microsecond).unwrap();
        let exact = time + SignedDuration::from_nanos(nanosecond);
        prop_assert_eq!(Moment::from(exact), Moment::from_microsecond(microsecond).unwrap());
        prop_assert_eq!(Moment::from(exact).to_string(), time.to_string());
        prop_assert_eq!(time.to_string().parse(), Ok(Moment::from(time)));
    }

    /// Bad input never panics, and is always answered.
    #[test]
    fn arbitrary_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for profile in [Profile::Lenient, Profile::Strict] {
            let elements = decode_with(&bytes, profile);
            prop_assert!(elements.iter().all(|element| element.order.is_err()));
            prop_assert!(!elements.is_empty());
        }
    }

    /// The sample with some bytes changed, lost or doubled is judged and never panics.
    #[test]
    fn a_damaged_sample_is_judged(
        at in 0..SAMPLE.len(),
        until in 0..SAMPLE.len(),
        with in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let (at, until) = (at.min(until), at.max(until));
        let bytes = [&SAMPLE.as_bytes()[..at], &with, &SAMPLE.as_bytes()[until..]].concat();
        for bytes in [bytes.clone(), [b"[", bytes.as_slice(), b",", &bytes, b"]"].concat()] {
            let lenient = decode_with(&bytes, Profile::Lenient);
            let strict = decode_with(&bytes, Profile::Strict);
            prop_assert_eq!(lenient.len(), strict.len());
            let pairs = lenient.iter().zip(&strict);
            for (lenient, strict) in pairs {
                prop_assert!(lenient.order.is_ok() || strict.order.is_err());
                prop_assert_eq!(&lenient.payload, &strict.payload);
            }
        }
    }
}
