//! A known stream of messages, and the check that a store holds exactly what it says.

use crate::servers;
use bytes::Bytes;
use jiff::Timestamp;
use orderd::clock::Clock;
use orderd::generate::Generator;
use orderd::generate::Template;
use orderd::generate::damage::Damage;
use orderd::order::OrderUid;
use orderd::store::Connect;
use orderd::store::Store;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::Message;
use orderd::topic::OpenSource as _;
use orderd::topic::Record;
use orderd::topic::kafka::Client;
use orderd::topic::kafka::KafkaSettings;
use orderd::topic::kafka::KafkaTopic;
use orderd::topic::kafka::Security;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

/// What is sent, in its order, and what has to come of it.
pub(crate) struct Workload {
    pub(crate) records: Vec<Record>,
    /// The bytes of every order.
    pub(crate) orders: HashMap<OrderUid, Bytes>,
    /// The bytes of every broken message, with the reason that it has to be refused for.
    pub(crate) broken: Vec<(Bytes, Damage)>,
}

impl Workload {
    /// `orders` orders, `twice` of them sent twice, and one message of each kind of damage,
    /// shuffled.
    pub(crate) fn new(seed: u64, orders: usize, twice: usize) -> Self {
        eprintln!("the workload's seed is {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let mut source =
            Generator::new(seed, Template::Random, 0.0).starting_at(Timestamp::UNIX_EPOCH);
        let produced: Vec<_> = source.by_ref().take(orders).collect();
        let mut records: Vec<_> = produced.iter().map(|message| message.record.clone()).collect();
        records.extend_from_within(..twice);
        let mut broken = Vec::new();
        for (damage, victim) in Damage::ALL.into_iter().zip(source) {
            let value = damage.applied_to(&victim.body.unwrap());
            broken.push((value.clone(), damage));
            records.push(Record { key: victim.record.key, value });
        }
        records.shuffle(&mut random);
        let orders = produced
            .into_iter()
            .map(|message| (message.uid.unwrap(), message.body.unwrap()))
            .collect();
        Self { records, orders, broken }
    }

    /// Checks that `connect` holds each order as it was sent, and each broken message with its
    /// reason and with the place in `topic` where it really lies.
    pub(crate) fn check(&self, connect: &dyn Connect, topic: &str) {
        self.check_orders(connect);
        self.check_dead_letters(&mut *connect.connect().unwrap(), topic);
    }

    /// Checks that `connect` holds each order as it was sent, and as many dead letters as there are
    /// broken messages.
    pub(crate) fn check_orders(&self, connect: &dyn Connect) {
        let mut store = connect.connect().unwrap();
        let counts = store.counts().unwrap();
        assert_eq!(counts.orders, self.orders.len() as u64, "orders");
        assert_eq!(counts.dead_letters, self.broken.len() as u64, "dead letters");
        let uids: Vec<_> = self.orders.keys().cloned().collect();
        for chunk in uids.chunks(500) {
            let found = store.load(chunk).unwrap();
            assert_eq!(found.len(), chunk.len(), "orders are missing");
            for order in found {
                assert_eq!(order.body, self.orders[&order.uid], "{} differs", order.uid);
            }
        }
    }

    fn check_dead_letters(&self, store: &mut dyn Store, topic: &str) {
        let letters = store.dead_letters(topic, self.broken.len() + 1).unwrap();
        let log = log_of(topic);
        let mut expected: Vec<_> =
            self.broken.iter().map(|(bytes, damage)| (bytes.clone(), damage.code())).collect();
        for letter in letters {
            let place = (letter.origin.partition, letter.origin.offset);
            // The place is the real one: the message that lies there is one of the broken ones, and
            // the payload is the message, or the element of it that the letter is about.
            let message = &log[&place].value;
            let payload = &letter.payload[..];
            let is_part = message.windows(payload.len().max(1)).any(|part| part == payload);
            assert!(payload == message || is_part, "{letter:?} isn't from {message:?}");
            assert!(!letter.reason.is_empty());
            let found = expected
                .iter()
                .position(|(bytes, code)| bytes == message && code.as_str() == letter.code);
            let found = found.unwrap_or_else(|| panic!("nobody expects {letter:?}"));
            expected.swap_remove(found);
        }
        assert!(expected.is_empty(), "no dead letter for {expected:?}");
    }
}

/// A topic of the real broker.
pub(crate) fn kafka(crew: &Crew, topic: &str, partitions: i32) -> KafkaTopic {
    let settings = KafkaSettings {
        brokers: servers::brokers(),
        topic: topic.to_owned(),
        group: "orderd".to_owned(),
        partitions,
        message_bytes_max: 4 * 1024 * 1024,
        client: Client::Kafka,
        security: Security::default(),
        share: None,
    };
    KafkaTopic::start(crew, Clock::system(), settings).unwrap()
}

/// Every message of a topic, by partition and offset.
fn log_of(topic: &str) -> BTreeMap<(i32, i64), Message> {
    let crew = Crew::new(StopToken::new());
    let mut source = kafka(&crew, topic, 1).open().unwrap();
    let bounds = source.bounds().unwrap();
    let total: i64 = bounds.iter().map(|bounds| bounds.end - bounds.earliest).sum();
    source.seek(&bounds.iter().map(|b| (b.partition, b.earliest)).collect::<Vec<_>>());
    let mut log = BTreeMap::new();
    while log.len() < usize::try_from(total).unwrap() {
        let messages = source.fetch(Duration::from_secs(20)).unwrap();
        assert!(!messages.is_empty(), "{} of {total} messages came", log.len());
        log.extend(messages.into_iter().map(|m| ((m.partition, m.offset), m)));
    }
    drop(source);
    let _ = crew.stop_and_join(Duration::from_secs(5));
    log
}
