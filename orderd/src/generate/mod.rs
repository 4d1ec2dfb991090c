//! An endless row of orders that nobody has placed: for trying the daemon out and for testing it.
//!
//! The same seed and the same times give the same messages, byte for byte, so that a failed run can
//! be repeated. Ids never repeat within a seed, and those of different seeds meet only by a chance
//! of one in 2^64 or so for each pair of orders.
//!
//! A share of the messages can be damaged, kind after kind, so that a run of fifty bad ones shows
//! each kind of [`damage`] once.

pub mod damage;
mod template;

use crate::generate::damage::Damage;
use crate::order::Order;
use crate::order::OrderUid;
use crate::topic::Record;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::ToSpan;
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// What the orders are made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Template {
    /// The sample order, with an id, a track number and a time of its own.
    #[default]
    Model,
    /// Everything made up; the sums are right, so that the strict profile takes it too.
    Random,
}

/// One message, and what it is supposed to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Produced {
    /// The message, with the id of the order as its key, or an empty key if it has none.
    pub record: Record,
    /// The id that the message shows; `None` where the damage leaves none.
    pub uid: Option<OrderUid>,
    /// The order as it will be served; `None` if the message is damaged.
    pub body: Option<Bytes>,
    /// What is wrong with the message, on purpose.
    pub damage: Option<Damage>,
}

/// Makes messages.
#[derive(Debug)]
pub struct Generator {
    template: Template,
    bad_share: f64,
    random: StdRng,
    /// Where the ids of this seed begin.
    first: u64,
    produced: u64,
    damaged: usize,
}

impl Generator {
    /// A generator whose messages depend on `seed`, and of which `bad_share` are damaged: 0.0 for
    /// none, 1.0 for all; what lies outside or is no number counts as the nearer end or as none.
    pub fn new(seed: u64, template: Template, bad_share: f64) -> Self {
        let bad_share = if bad_share.is_nan() { 0.0 } else { bad_share.clamp(0.0, 1.0) };
        let random = StdRng::seed_from_u64(seed);
        Self { template, bad_share, random, first: scattered(seed), produced: 0, damaged: 0 }
    }

    /// The next message, with an order of the time `now`, cut to microseconds.
    pub fn produce(&mut self, now: Timestamp) -> Produced {
        let uid = self.uid();
        let document = template::document(self.template, &uid, now.into(), &mut self.random);
        let order = Order::restore(uid, document);
        if self.bad_share > 0.0 && self.random.random_bool(self.bad_share) {
            return self.damaged(&order);
        }
        let key = Bytes::copy_from_slice(order.uid().as_str().as_bytes());
        let record = Record { key, value: order.body().clone() };
        let (uid, body) = (order.uid().clone(), order.body().clone());
        Produced { record, uid: Some(uid), body: Some(body), damage: None }
    }

    /// The messages, without an end. The first order is of the time `start` and each one after it a
    /// millisecond later.
    pub fn starting_at(mut self, start: Timestamp) -> impl Iterator<Item = Produced> {
        let mut now = start;
        std::iter::repeat_with(move || {
            let produced = self.produce(now);
            now = now.checked_add(1.millisecond()).unwrap_or(now);
            produced
        })
    }

    fn damaged(&mut self, order: &Order) -> Produced {
        let damage = Damage::ALL[self.damaged % Damage::ALL.len()];
        self.damaged += 1;
        let value = damage.applied_to(order.body());
        let uid = shown_uid(&value);
        let key = uid.as_ref().map_or_else(Bytes::new, |uid| Bytes::from(uid.as_str().to_owned()));
        Produced { record: Record { key, value }, uid, body: None, damage: Some(damage) }
    }

    /// 16 hexadecimal digits and `test`, like the sample's.
    fn uid(&mut self) -> OrderUid {
        let number = scattered(self.first.wrapping_add(self.produced));
        self.produced += 1;
        OrderUid::parse(&format!("{number:016x}test")).expect("20 letters and digits are an id")
    }
}

/// Scatters numbers over all 64-bit numbers: the finalizer of SplitMix64. It is a bijection, which
/// is why the ids of one seed can't repeat.
fn scattered(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// The id that a damaged message still shows.
fn shown_uid(message: &[u8]) -> Option<OrderUid> {
    let value: serde_json::Value = serde_json::from_slice(message).ok()?;
    OrderUid::parse(value.get("order_uid")?.as_str()?).ok()
}
