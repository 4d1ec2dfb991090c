//! Orders without a pause: new ones, later contents of recent ones, and damaged messages.
//!
//! The number of a content, counted from 1 for each order, is in its `sm_id`, so that a sum over
//! the table tells whether all contents are the latest.

use crate::daemon::now;
use jiff::Timestamp;
use orderd::generate::Generator;
use orderd::generate::Produced;
use orderd::generate::Template;
use orderd::supervise::StopToken;
use orderd::topic::OpenSink as _;
use orderd::topic::Record;
use orderd::topic::Sink;
use orderd::topic::kafka::KafkaTopic;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

/// How many messages are appended at once.
const BATCH: usize = 50;

/// The share of later contents and of damaged messages.
const REPLACED: f64 = 0.3;
const DAMAGED: f64 = 0.01;

/// A later content is one of so many orders: recent ones, whose earlier content may still be on its
/// way.
const RECENT: usize = 3000;

/// How long a batch may be refused.
const REFUSED_MAX: Duration = Duration::from_secs(240);

/// Where the number of a content stands in an order.
const NUMBER: &str = "\"sm_id\":";

type Endless = Box<dyn Iterator<Item = Produced> + Send>;

/// Produces, and knows what it has produced.
pub(crate) struct Producer {
    topic: KafkaTopic,
    orders: Endless,
    broken: Endless,
    random: StdRng,
    uids: Vec<String>,
    /// How many contents of each order are acknowledged.
    pub(crate) contents: HashMap<String, i64>,
    /// Damaged messages with their code, and how often each is acknowledged.
    pub(crate) damaged: HashMap<Bytes, (&'static str, usize)>,
}

impl Producer {
    pub(crate) fn new(seed: u64, topic: KafkaTopic) -> Self {
        let endless = |seed, bad_share| -> Endless {
            let generator = Generator::new(seed, Template::Random, bad_share);
            Box::new(generator.starting_at(Timestamp::UNIX_EPOCH))
        };
        Self {
            topic,
            orders: endless(seed, 0.0),
            broken: endless(!seed, 1.0),
            random: StdRng::seed_from_u64(seed),
            uids: Vec::new(),
            contents: HashMap::new(),
            damaged: HashMap::new(),
        }
    }

    /// Sends until `stop`, at most `rate` messages a second, each until it is acknowledged. Counts
    /// in `sent` what is.
    pub(crate) fn run(&mut self, rate: usize, sent: &AtomicUsize, stop: &StopToken) {
        let pause = Duration::from_secs_f64(BATCH as f64 / rate as f64);
        let mut sink = None;
        while !stop.is_stopped() {
            let batch_at = now();
            let batch: Vec<Record> = (0..BATCH).map(|_| self.message()).collect();
            while let Err(error) = append(&self.topic, &mut sink, &batch) {
                assert!(batch_at.elapsed() < REFUSED_MAX, "a batch isn't taken: {error}");
                stop.wait(Duration::from_millis(50));
                sink = None;
            }
            sent.fetch_add(BATCH, Ordering::Relaxed);
            stop.wait(pause.saturating_sub(batch_at.elapsed()));
        }
    }

    fn message(&mut self) -> Record {
        if self.random.random_bool(DAMAGED) {
            let produced = self.broken.next().unwrap();
            let code = produced.damage.unwrap().code().as_str();
            self.damaged.entry(produced.record.value.clone()).or_insert((code, 0)).1 += 1;
            return produced.record;
        }
        let produced = self.orders.next().unwrap();
        let own = produced.uid.unwrap().as_str().to_owned();
        let replaces = !self.uids.is_empty() && self.random.random_bool(REPLACED);
        let uid = if replaces {
            let first = self.uids.len().saturating_sub(RECENT);
            self.uids[self.random.random_range(first..self.uids.len())].clone()
        } else {
            self.uids.push(own.clone());
            own.clone()
        };
        let number = self.contents.entry(uid.clone()).or_default();
        *number += 1;
        let body = String::from_utf8(produced.body.unwrap().to_vec()).unwrap();
        let value = Bytes::from(with_number(&body.replace(&own, &uid), *number));
        Record { key: Bytes::from(uid), value }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        let orders: i64 = self.contents.values().sum();
        usize::try_from(orders).unwrap() + self.damaged()
    }

    pub(crate) fn replaced(&self) -> usize {
        self.contents.values().filter(|contents| **contents > 1).count()
    }

    pub(crate) fn damaged(&self) -> usize {
        self.damaged.values().map(|(_, count)| count).sum()
    }
}

fn append(
    topic: &KafkaTopic,
    sink: &mut Option<Box<dyn Sink>>,
    batch: &[Record],
) -> Result<(), orderd::topic::TopicError> {
    if sink.is_none() {
        *sink = Some(topic.open()?);
    }
    sink.as_mut().unwrap().append(batch)
}

/// The order with this number.
fn with_number(body: &str, number: i64) -> String {
    let (before, after) = body.split_once(NUMBER).unwrap();
    let rest = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
    format!("{before}{NUMBER}{number}{rest}")
}

/// The number of the content.
pub(crate) fn number_of(body: &[u8]) -> i64 {
    let body = std::str::from_utf8(body).unwrap();
    let after = body.split_once(NUMBER).unwrap().1;
    let end = after.find(|digit: char| !digit.is_ascii_digit()).unwrap();
    after[..end].parse().unwrap()
}
