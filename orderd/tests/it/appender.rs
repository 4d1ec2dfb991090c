//! The one writer to the topic: whom it answers what, and what it does with a broken sink.

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::unbounded;
use orderd::embedded::Embedded;
use orderd::supervise::Crew;
use orderd::supervise::StopToken;
use orderd::topic::OpenSink;
use orderd::topic::Record;
use orderd::topic::Sink;
use orderd::topic::TopicError;
use orderd::topic::appender::AppendError;
use orderd::topic::appender::Appender;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A real sink that waits at a gate before each append. Once it is told to break, it stays broken.
struct Gated {
    inner: Arc<dyn OpenSink>,
    arrived: Sender<()>,
    gate: Receiver<Gate>,
}

#[derive(Clone, Copy, PartialEq)]
enum Gate {
    Pass,
    Break,
}

struct GatedSink {
    inner: Box<dyn Sink>,
    arrived: Sender<()>,
    gate: Receiver<Gate>,
    broken: bool,
}

impl OpenSink for Gated {
    fn open(&self) -> Result<Box<dyn Sink>, TopicError> {
        let (inner, arrived) = (self.inner.open()?, self.arrived.clone());
        Ok(Box::new(GatedSink { inner, arrived, gate: self.gate.clone(), broken: false }))
    }
}

impl Sink for GatedSink {
    fn append(&mut self, records: &[Record]) -> Result<(), TopicError> {
        self.arrived.send(()).unwrap();
        self.broken |= self.gate.recv_timeout(PATIENCE).unwrap() == Gate::Break;
        if self.broken {
            return Err(TopicError::Outage { topic: "orders".into(), detail: "a fault".into() });
        }
        self.inner.append(records)
    }
}

fn record(bytes: usize) -> Record {
    Record { key: "k".into(), value: vec![b'x'; bytes].into() }
}

/// Section 3: a message that the topic never takes is refused alone, though others share its batch;
/// and a sink that broke is replaced.
#[test]
fn each_writer_gets_its_own_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (arrive, arrived) = unbounded();
    let (open, gate) = unbounded();
    let inner = Arc::new(Embedded::open(folder.path()).unwrap().topic("orders", 1));
    let crew = Crew::new(StopToken::new());
    let sinks = Arc::new(Gated { inner, arrived: arrive, gate });
    let appender = Appender::start(&crew, sinks).unwrap();
    std::thread::scope(|scope| {
        let (start, started) = unbounded();
        let append = |bytes| {
            let (appender, start) = (appender.clone(), start.clone());
            scope.spawn(move || {
                start.send(()).unwrap();
                appender.append(vec![record(bytes)], PATIENCE)
            })
        };
        let first = append(1);
        arrived.recv_timeout(PATIENCE).unwrap();
        // These wait for the first one, and form one batch or several.
        let (small, large) =
            ([append(2), append(3), append(4)], [append(2 << 20), append(2 << 20)]);
        (0..6).for_each(|_| started.recv_timeout(PATIENCE).unwrap());
        open.send(Gate::Break).unwrap();
        (0..20).for_each(|_| open.send(Gate::Pass).unwrap());
        assert!(matches!(first.join().unwrap(), Err(AppendError::Outage(_))));
        for refused in large.map(|writer| writer.join().unwrap()) {
            assert!(matches!(refused, Err(AppendError::Rejected(_))), "{refused:?}");
        }
        for taken in small.map(|writer| writer.join().unwrap()) {
            assert!(taken.is_ok(), "{taken:?}");
        }
    });
    assert_eq!(crew.stop_and_join(PATIENCE), Vec::<String>::new());
    // Whoever comes after the end is told that nobody writes any more, and not to come back soon.
    let late = appender.append(vec![record(1)], PATIENCE);
    assert!(matches!(late, Err(AppendError::Outage(_))), "{late:?}");
}
