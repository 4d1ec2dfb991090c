//! Holds what is stored against the topic's log, which is read from its beginning when all is over.
//!
//! The log is what was sent, in the order that counts: a message whose sending failed may be in it
//! or not, or twice.

use crate::daemon::now;
use crate::kills::observer::Snapshot;
use crate::kills::producer::Producer;
use crate::kills::producer::number_of;
use crate::kills::scene::Scene;
use bytes::Bytes;
use orderd::order::OrderUid;
use orderd::store::Connect as _;
use orderd::store::postgres::Postgres;
use orderd::supervise::StopToken;
use orderd::topic::Message;
use orderd::topic::OpenSource as _;
use orderd::topic::kafka::Client;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

/// How many findings of one kind are shown.
const SHOWN: usize = 3;

/// How long everything that was sent may take to be saved after the last kill.
const CATCH_UP_MAX: Duration = Duration::from_secs(240);

/// How many orders are also asked of each daemon.
const ASKED: usize = 300;

/// What is wrong, by kind.
#[derive(Default)]
pub(crate) struct Findings(BTreeMap<&'static str, Vec<String>>);

impl Findings {
    fn add(&mut self, kind: &'static str, detail: String) {
        self.0.entry(kind).or_default().push(detail);
    }

    fn check(&mut self, kind: &'static str, holds: bool, detail: impl FnOnce() -> String) {
        if !holds {
            self.add(kind, detail());
        }
    }

    pub(crate) fn extend(&mut self, ends: Vec<String>) {
        ends.into_iter().for_each(|end| self.add("an unclean end", end));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn counted(&self) -> String {
        let all: Vec<_> =
            self.0.iter().map(|(kind, all)| format!("{} × {kind}", all.len())).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, details) in &self.0 {
            writeln!(f, "{} × {kind}", details.len())?;
            details.iter().take(SHOWN).try_for_each(|detail| writeln!(f, "    {detail}"))?;
        }
        Ok(())
    }
}

/// A message of the log.
enum Entry {
    Order { uid: String, number: i64 },
    Damaged(Bytes),
}

/// All that was sent.
pub(crate) struct Log {
    entries: BTreeMap<(i32, i64), Entry>,
    ends: BTreeMap<i32, i64>,
    /// The last content of each order.
    pub(crate) latest: HashMap<String, Bytes>,
    /// How many messages are in it that it had already.
    pub(crate) repeated: usize,
}

impl Log {
    fn add(&mut self, message: Message, producer: &Producer, seen: &mut HashSet<(String, i64)>) {
        let Message { partition, offset, key, value } = message;
        let entry = if producer.damaged.contains_key(&value) {
            Entry::Damaged(value)
        } else {
            let (uid, number) = (String::from_utf8(key.to_vec()).unwrap(), number_of(&value));
            // A copy, because the value may hold on to all that was fetched with it.
            self.latest.insert(uid.clone(), Bytes::copy_from_slice(&value));
            if !seen.insert((uid.clone(), number)) {
                self.repeated += 1;
            }
            Entry::Order { uid, number }
        };
        self.entries.insert((partition, offset), entry);
    }
}

/// Reads the whole topic.
///
/// # Panics
///
/// When the broker doesn't have every order that it has acknowledged: the drill can't judge the
/// daemon by a broker that loses messages.
pub(crate) fn read_log(scene: &Scene, producer: &Producer) -> Log {
    let mut source = scene.topic(Client::Kafka).open().unwrap();
    let bounds = source.bounds().unwrap();
    let ends: BTreeMap<_, _> = bounds.iter().map(|b| (b.partition, b.end)).collect();
    let total: i64 = bounds.iter().map(|b| b.end - b.earliest).sum();
    source.seek(&bounds.iter().map(|b| (b.partition, b.earliest)).collect::<Vec<_>>());
    let (entries, latest) = (BTreeMap::new(), HashMap::new());
    let mut log = Log { entries, ends, latest, repeated: 0 };
    let mut seen = HashSet::new();
    let mut count = 0;
    while count < total {
        let messages = source.fetch(Duration::from_secs(20)).unwrap();
        assert!(!messages.is_empty(), "{count} of {total} messages came");
        count += i64::try_from(messages.len()).unwrap();
        messages.into_iter().for_each(|message| log.add(message, producer, &mut seen));
    }
    for (uid, contents) in &producer.contents {
        for number in 1..=*contents {
            let has_it = seen.contains(&(uid.clone(), number));
            assert!(has_it, "the broker lost {uid}, content {number}");
        }
    }
    log
}

/// Waits until the positions are at the ends of the log. Returns how long it took.
pub(crate) fn wait_caught_up(scene: &Scene, log: &Log, findings: &mut Findings) -> Duration {
    let started = now();
    loop {
        let positions = scene.positions();
        if positions == log.ends {
            return started.elapsed();
        }
        if started.elapsed() > CATCH_UP_MAX {
            findings.add(
                "positions that aren't at the end of the log",
                format!("{positions:?} instead of {:?}", log.ends),
            );
            return started.elapsed();
        }
        StopToken::new().wait(Duration::from_millis(100));
    }
}

/// What a database must hold that has saved the log up to some positions.
#[derive(Default)]
struct Expected {
    positions: BTreeMap<i32, i64>,
    numbers: HashMap<String, i64>,
    sum: i64,
    letters: BTreeMap<i32, i64>,
}

impl Expected {
    fn advance(&mut self, log: &Log, partition: i32, to: i64) {
        let from = self.positions.insert(partition, to).unwrap_or(0);
        for ((_, _), entry) in log.entries.range((partition, from)..(partition, to)) {
            match entry {
                Entry::Damaged(_) => *self.letters.entry(partition).or_default() += 1,
                Entry::Order { uid, number } => {
                    let old = self.numbers.insert(uid.clone(), *number).unwrap_or(0);
                    self.sum += number - old;
                }
            }
        }
    }
}

/// At every moment: the positions only grow, and the database holds exactly what lies before them.
pub(crate) fn check_snapshots(snapshots: &[Snapshot], log: &Log, findings: &mut Findings) {
    let mut expected = Expected::default();
    for snapshot in snapshots {
        let Snapshot { at, positions, orders, numbers, letters } = snapshot;
        for (&partition, &position) in positions {
            let before = expected.positions.get(&partition).copied().unwrap_or(0);
            findings.check(
                "moments with positions before earlier ones",
                position >= before,
                || format!("partition {partition} from {before} to {position} at {at:?}"),
            );
            if position > before {
                expected.advance(log, partition, position);
            }
        }
        let lengths = (*orders, *numbers);
        let wanted = (i64::try_from(expected.numbers.len()).unwrap(), expected.sum);
        findings.check(
            "moments with other orders than the positions say",
            lengths == wanted,
            || {
                format!(
                    "orders and sum of contents are {lengths:?} instead of {wanted:?} at {at:?}"
                )
            },
        );
        findings.check(
            "moments with other dead letters than the positions say",
            *letters == expected.letters,
            || format!("{letters:?} instead of {:?} at {at:?}", expected.letters),
        );
    }
}

/// In the end: every order is there once, with the bytes that were sent last.
pub(crate) fn check_orders(scene: &Scene, producer: &Producer, log: &Log, findings: &mut Findings) {
    let mut store = Postgres::new(&scene.postgres.address).unwrap().connect().unwrap();
    let counted = store.counts().unwrap().orders;
    findings.check("wrong numbers of orders", counted == log.latest.len() as u64, || {
        format!("{counted} instead of {}", log.latest.len())
    });
    assert_eq!(log.latest.len(), producer.contents.len(), "the log has all orders, and no other");
    let uids: Vec<_> = log.latest.keys().map(|uid| OrderUid::parse(uid).unwrap()).collect();
    for chunk in uids.chunks(500) {
        let found = store.load(chunk).unwrap();
        let found: HashMap<_, _> = found.into_iter().map(|o| (o.uid, o.body)).collect();
        for uid in chunk {
            let sent = &log.latest[uid.as_str()];
            match found.get(uid) {
                None => findings.add("orders that are missing", uid.to_string()),
                Some(body) => findings.check("orders with other bytes", body == sent, || {
                    format!("{uid}: content {} of {}", number_of(body), number_of(sent))
                }),
            }
        }
    }
}

/// In the end: every damaged message is a dead letter once, with its bytes, and nothing else is.
pub(crate) fn check_letters(
    scene: &Scene,
    producer: &Producer,
    log: &Log,
    findings: &mut Findings,
) {
    let mut store = Postgres::new(&scene.postgres.address).unwrap().connect().unwrap();
    let letters = store.dead_letters(&scene.topic, log.entries.len()).unwrap();
    let mut places = HashSet::new();
    for letter in &letters {
        let place = (letter.origin.partition, letter.origin.offset);
        let Some(Entry::Damaged(message)) = log.entries.get(&place) else {
            findings.add("dead letters of nothing damaged", format!("{letter:?}"));
            continue;
        };
        let is_right = producer.damaged[message].0 == letter.code
            && (letter.payload == *message || is_part(message, &letter.payload));
        findings.check("wrong dead letters", is_right, || format!("{letter:?} of {message:?}"));
        findings.check("repeated dead letters", places.insert(place), || format!("{letter:?}"));
    }
    let damaged = log.entries.iter().filter(|(_, entry)| matches!(entry, Entry::Damaged(_)));
    for (place, _) in damaged {
        findings.check("dead letters that are missing", places.contains(place), || {
            format!("of partition and offset {place:?}")
        });
    }
}

/// The element of an array is a letter without the array around it.
fn is_part(message: &[u8], payload: &[u8]) -> bool {
    message.windows(payload.len().max(1)).any(|part| part == payload)
}

/// In the end: both daemons serve what is stored, whatever they have in their caches.
pub(crate) fn check_served(scene: &Scene, log: &Log, findings: &mut Findings) {
    for daemon in &scene.daemons {
        daemon.wait_ready();
        for (uid, sent) in log.latest.iter().take(ASKED) {
            let answer = daemon.get(&format!("/orders/{uid}"));
            let is_right = answer.status == 200 && answer.body.as_bytes() == sent;
            findings.check("wrong answers", is_right, || format!("{uid}: {answer:?}"));
        }
    }
}
