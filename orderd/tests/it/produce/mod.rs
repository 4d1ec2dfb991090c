//! Row 13: the producer as a process of its own, into a topic or into a running daemon.

mod daemon;

use crate::servers;
use bytes::Bytes;
use crossbeam_channel::unbounded;
use orderd::clock::Clock;
use orderd::embedded::Embedded;
use orderd::embedded::EmbeddedTopic;
use orderd::generate::Template;
use orderd::order::decode::decode;
use orderd::order::validate::Profile;
use orderd::produce;
use orderd::produce::Options;
use orderd::produce::ProduceError;
use orderd::produce::Summary;
use orderd::produce::Target;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::Message;
use orderd::topic::OpenSink;
use orderd::topic::OpenSource;
use orderd::topic::Record;
use orderd::topic::Sink;
use orderd::topic::TopicError;
use orderd::topic::appender::Appender;
use orderd::topic::kafka::Client;
use orderd::topic::kafka::KafkaSettings;
use orderd::topic::kafka::KafkaTopic;
use orderd::topic::kafka::Security;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

/// How long anything here may take at most.
const DEADLINE: Duration = Duration::from_secs(30);

/// A topic of its own, in a temporary folder.
struct Embed {
    topic: EmbeddedTopic,
    _folder: tempfile::TempDir,
}

fn embedded() -> Embed {
    let folder = tempfile::tempdir().unwrap();
    let topic = Embedded::open(folder.path()).unwrap().topic("orders", 1);
    Embed { topic, _folder: folder }
}

/// The first `count` messages of the topic, by partition and offset.
fn messages(sources: &dyn OpenSource, count: usize) -> Vec<Message> {
    let clock = Clock::system();
    let end = clock.now() + DEADLINE;
    let mut source = sources.open().unwrap();
    let partitions = source.bounds().unwrap();
    source.seek(&partitions.iter().map(|b| (b.partition, b.earliest)).collect::<Vec<_>>());
    let mut messages = Vec::new();
    while messages.len() < count {
        assert!(clock.now() < end, "{} of {count} messages came", messages.len());
        messages.extend(source.fetch(Duration::from_millis(100)).unwrap());
    }
    messages.sort_by_key(|message| (message.partition, message.offset));
    messages
}

fn run(options: &Options, target: Target, out: &mut impl Write) -> Result<Summary, ProduceError> {
    produce::run(options, target, out, &Clock::system(), &StopToken::new())
}

fn lines(out: Vec<u8>) -> Vec<String> {
    let out = String::from_utf8(out).unwrap();
    assert!(out.is_empty() || out.ends_with('\n'));
    out.lines().map(str::to_owned).collect()
}

/// The id of the order that the message holds, if it holds one.
fn valid_uid(value: &Bytes) -> Option<String> {
    let mut elements = decode(value, Profile::Lenient, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(elements.len(), 1);
    elements.remove(0).order.ok().map(|order| order.uid().to_string())
}

fn count(count: u64) -> Options {
    Options { count: Some(count), seed: 7, ..Options::default() }
}

/// Row 13: into a topic, the id of each order on its line, with a share of invalid ones.
#[test]
fn a_topic_gets_the_orders_whose_ids_are_printed() {
    let embedded = embedded();
    let mut out = Vec::new();
    let options = Options { bad_share: 0.2, template: Template::Random, ..count(1234) };
    let target = Target::Topic(Arc::new(embedded.topic.clone()));
    let summary = run(&options, target, &mut out).unwrap();

    let messages = messages(&embedded.topic, 1234);
    assert_eq!(messages.len(), 1234);
    let valid: Vec<String> = messages.iter().filter_map(|m| valid_uid(&m.value)).collect();
    assert_eq!(lines(out), valid);
    let (orders, damaged) = (valid.len() as u64, 1234 - valid.len() as u64);
    assert_eq!(summary, Summary { orders, damaged, refused: 0 });
    assert!((150..350).contains(&damaged), "{damaged} of 1234 are damaged");
}

/// Row 13, on the real broker.
#[test]
fn kafka_gets_the_orders_whose_ids_are_printed() {
    let crew = Crew::new(StopToken::new());
    let settings = KafkaSettings {
        brokers: servers::brokers(),
        topic: servers::unique_topic("produce"),
        partitions: 3,
        group: "produce".to_owned(),
        message_bytes_max: 1 << 20,
        client: Client::Kafka,
        security: Security::default(),
        share: None,
    };
    let topic = KafkaTopic::start(&crew, Clock::system(), settings).unwrap();
    let mut out = Vec::new();
    let summary = run(&count(2000), Target::Topic(Arc::new(topic.clone())), &mut out).unwrap();
    assert_eq!(summary, Summary { orders: 2000, damaged: 0, refused: 0 });

    let mut printed = lines(out);
    printed.sort_unstable();
    let messages = messages(&topic, 2000);
    let mut saved: Vec<String> = messages.iter().filter_map(|m| valid_uid(&m.value)).collect();
    saved.sort_unstable();
    assert_eq!(printed, saved);
    assert!(
        messages
            .iter()
            .all(|m| Some(m.key.as_ref()) == valid_uid(&m.value).as_ref().map(String::as_bytes))
    );
    assert_eq!(crew.stop_and_join(DEADLINE), Vec::<String>::new());
}

/// Row 13: "seeded": the same seed prints the same ids; 0 draws a seed.
#[test]
fn a_seed_repeats_the_ids_and_none_draws_one() {
    let printed = |seed| {
        let embedded = embedded();
        let mut out = Vec::new();
        let target = Target::Topic(Arc::new(embedded.topic.clone()));
        run(&Options { seed, ..count(20) }, target, &mut out).unwrap();
        lines(out)
    };
    assert_eq!(printed(5), printed(5));
    assert_ne!(printed(5), printed(6));
    assert_ne!(printed(0), printed(0));
}

/// Fails as it is told to, and is the embedded topic otherwise.
struct Faulty {
    embedded: Embed,
    /// What the next calls answer with; then they go well.
    faults: Arc<Mutex<Vec<TopicError>>>,
    opened: Arc<Mutex<usize>>,
}

struct FaultySink {
    inner: Box<dyn Sink>,
    faults: Arc<Mutex<Vec<TopicError>>>,
}

impl OpenSink for Faulty {
    fn open(&self) -> Result<Box<dyn Sink>, TopicError> {
        *self.opened.lock().unwrap() += 1;
        let inner = OpenSink::open(&self.embedded.topic)?;
        Ok(Box::new(FaultySink { inner, faults: Arc::clone(&self.faults) }))
    }
}

impl Sink for FaultySink {
    fn append(&mut self, records: &[Record]) -> Result<(), TopicError> {
        match self.faults.lock().unwrap().pop() {
            Some(fault) => Err(fault),
            None => self.inner.append(records),
        }
    }
}

fn faulty(faults: Vec<TopicError>) -> Arc<Faulty> {
    let opened = Arc::default();
    Arc::new(Faulty { embedded: embedded(), faults: Arc::new(Mutex::new(faults)), opened })
}

fn outage() -> TopicError {
    TopicError::Outage { topic: "orders".to_owned(), detail: "gone".to_owned() }
}

fn rejected(index: usize) -> TopicError {
    TopicError::Rejected { topic: "orders".to_owned(), index, detail: "no".to_owned() }
}

/// An outage is waited out with a new sink, and costs neither an order nor a printed line.
#[test]
fn an_outage_of_the_topic_is_waited_out() {
    let faulty = faulty(vec![outage(), outage()]);
    let mut out = Vec::new();
    run(&count(30), Target::Topic(Arc::clone(&faulty) as _), &mut out).unwrap();
    assert_eq!(*faulty.opened.lock().unwrap(), 3);
    let sent = messages(&faulty.embedded.topic, 30);
    assert_eq!(lines(out), sent.iter().filter_map(|m| valid_uid(&m.value)).collect::<Vec<_>>());
}

/// A damaged message that the topic refuses is left out; a good one that it refuses is an error.
#[test]
fn what_the_topic_refuses_is_left_out_if_it_was_damaged() {
    let faulty_once = faulty(vec![rejected(2)]);
    let options = Options { bad_share: 1.0, ..count(30) };
    let summary = run(&options, Target::Topic(Arc::clone(&faulty_once) as _), &mut Vec::new());
    assert_eq!(summary.unwrap(), Summary { orders: 0, damaged: 29, refused: 1 });
    assert_eq!(messages(&faulty_once.embedded.topic, 29).len(), 29);

    let faulty = faulty(vec![rejected(2)]);
    let mut out = Vec::new();
    let error = run(&count(30), Target::Topic(faulty), &mut out).unwrap_err();
    assert!(matches!(&error, ProduceError::Refused { detail, .. } if detail == "no"), "{error}");
    assert_eq!(lines(out).len(), 0, "nothing was acknowledged");
}

/// A setting that is wrong ends the run at once.
#[test]
fn a_wrong_setting_ends_the_run() {
    let faulty = faulty(vec![TopicError::Configuration("--kafka-topic is wrong".to_owned())]);
    let error = run(&count(3), Target::Topic(faulty), &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "--kafka-topic is wrong");
}

/// Takes a few lines and then answers with an error.
struct Broken(usize, io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        self.0 = self.0.checked_sub(lines).ok_or(io::Error::from(self.1))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `orderd produce | head` ends without an error; a full disk doesn't.
#[test]
fn a_reader_that_goes_away_ends_the_run() {
    let endless = Options { count: None, ..count(0) };
    let target = |embedded: &Embed| Target::Topic(Arc::new(embedded.topic.clone()));
    let embedded = embedded();
    let mut closed = Broken(3, io::ErrorKind::BrokenPipe);
    assert!(run(&endless, target(&embedded), &mut closed).unwrap().orders >= 3);
    let mut full = Broken(3, io::ErrorKind::StorageFull);
    let error = run(&endless, target(&embedded), &mut full).unwrap_err();
    assert!(matches!(error, ProduceError::Output(_)), "{error}");
}

/// An endless run at an interval, and one whose target is away, end when told to.
#[test]
fn the_word_to_stop_ends_the_run() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let embedded = embedded();
    let targets = [
        Target::Topic(Arc::new(embedded.topic.clone())),
        Target::Url { base: format!("http://{nobody}"), token: None },
    ];
    for target in targets {
        let crew = Crew::new(StopToken::new());
        let (sender, ended) = unbounded();
        let (lines, printed) = unbounded();
        let is_topic = matches!(target, Target::Topic(_));
        crew.spawn("produce", move |stop| {
            let options =
                Options { interval: Some(Duration::from_secs(3600)), ..Options::default() };
            let mut out = Told(lines);
            sender.send(produce::run(&options, target, &mut out, &Clock::system(), stop)).unwrap();
        })
        .unwrap();
        if is_topic {
            printed.recv_timeout(DEADLINE).unwrap();
        }
        assert_eq!(crew.stop_and_join(Duration::from_secs(5)), Vec::<String>::new());
        let orders = u64::from(is_topic);
        assert_eq!(ended.recv().unwrap().unwrap(), Summary { orders, damaged: 0, refused: 0 });
    }
}

/// Tells a channel about everything that is written.
struct Told(crossbeam_channel::Sender<()>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Issue: `serve --demo` shows orders at once and then goes on at its interval, over an outage too.
#[test]
fn the_demo_fills_the_page_and_goes_on() {
    let faulty = faulty(vec![outage()]);
    let crew = Crew::new(StopToken::new());
    let appender = Appender::start(&crew, Arc::clone(&faulty) as _).unwrap();
    crew.spawn("demo", move |stop| {
        produce::demo(&appender, Duration::from_millis(5), &Clock::system(), stop);
    })
    .unwrap();
    let sent = messages(&faulty.embedded.topic, 25);
    let uids: std::collections::HashSet<_> =
        sent.iter().map(|m| valid_uid(&m.value).unwrap()).collect();
    assert_eq!(uids.len(), sent.len());
    assert_eq!(crew.stop_and_join(DEADLINE), Vec::<String>::new());
}
