//! The one thread that writes to the topic for everybody else in the process.
//!
//! Requests that arrive while a batch is being written form the next batch, so that many writers
//! share one round trip to a broker or one fsync of the embedded topic. The queue is bounded and
//! every wait has a deadline.
//!
//! A record is acknowledged only after the topic has it durably. One that the topic can never take
//! fails alone; the others of its batch are tried again without it.

use crate::supervise::Crew;
use crate::supervise::StopToken;
use crate::topic::OpenSink;
use crate::topic::Record;
use crate::topic::Sink;
use crate::topic::TopicError;
use crossbeam_channel::Receiver;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::Sender;
use crossbeam_channel::TrySendError;
use crossbeam_channel::bounded;
use std::sync::Arc;
use std::time::Duration;

/// How many requests may wait to be written. More are refused, so that an outage of the topic
/// costs bounded memory.
const QUEUE_MAX: usize = 1024;

/// How many records one batch takes. With 500 records a batch the Kafka client wrote 174 k/s
/// (2026-11-20); more only makes the first writer wait longer.
const BATCH_MAX: usize = 500;

/// How long the thread waits for a request before it looks at its stop token.
const IDLE_WAIT: Duration = Duration::from_millis(100);

/// Why a record wasn't acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Too many writers wait already.
    #[error("too many messages wait to be written to the topic")]
    Overloaded,
    /// The deadline passed. The topic may still get the record.
    #[error("the topic didn't acknowledge the message in time")]
    Timeout,
    /// The topic can never take this record.
    #[error("the topic refuses the message: {0}")]
    Rejected(String),
    /// The topic is away, or the daemon is stopping.
    #[error("the topic can't be written: {0}")]
    Outage(String),
}

struct Request {
    records: Vec<Record>,
    reply: Sender<Result<(), AppendError>>,
}

/// Appends records to the topic, from any thread.
#[derive(Clone, Debug)]
pub struct Appender {
    requests: Sender<Request>,
}

impl Appender {
    /// Starts the thread, as a member of `crew`.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(crew: &Crew, sinks: Arc<dyn OpenSink>) -> std::io::Result<Self> {
        let (requests, queue) = bounded(QUEUE_MAX);
        crew.spawn_restarting("topic-appender", move |stop| run(&*sinks, &queue, stop))?;
        Ok(Self { requests })
    }

    /// Appends `records` in order and waits until the topic has them, at most `wait_max`.
    ///
    /// # Errors
    /// Any [`AppendError`]; after `Timeout` the records may still arrive.
    pub fn append(&self, records: Vec<Record>, wait_max: Duration) -> Result<(), AppendError> {
        let (reply, answer) = bounded(1);
        self.requests.try_send(Request { records, reply }).map_err(|error| match error {
            TrySendError::Full(_) => AppendError::Overloaded,
            TrySendError::Disconnected(_) => AppendError::Outage("its writer has ended".to_owned()),
        })?;
        match answer.recv_timeout(wait_max) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(AppendError::Timeout),
            Err(RecvTimeoutError::Disconnected) => {
                Err(AppendError::Outage("the writer was restarted".to_owned()))
            }
        }
    }
}

fn run(sinks: &dyn OpenSink, queue: &Receiver<Request>, stop: &StopToken) {
    let mut sink = None;
    while let Some(batch) = next_batch(queue, stop) {
        write(sinks, &mut sink, batch);
    }
}

/// The requests that are waiting, at least one; `None` when the crew stops and none is left.
fn next_batch(queue: &Receiver<Request>, stop: &StopToken) -> Option<Vec<Request>> {
    let first = loop {
        match queue.recv_timeout(IDLE_WAIT) {
            Ok(request) => break request,
            Err(RecvTimeoutError::Timeout) if !stop.is_stopped() => {}
            Err(_) => return None,
        }
    };
    let mut records = first.records.len();
    let mut batch = vec![first];
    while records < BATCH_MAX {
        let Ok(request) = queue.try_recv() else { break };
        records += request.records.len();
        batch.push(request);
    }
    Some(batch)
}

fn write(sinks: &dyn OpenSink, sink: &mut Option<Box<dyn Sink>>, mut batch: Vec<Request>) {
    // Each round answers at least one request or all of them, so the rounds are bounded.
    while !batch.is_empty() {
        let records: Vec<Record> = batch.iter().flat_map(|r| r.records.iter().cloned()).collect();
        match append(sinks, sink, &records) {
            Ok(()) => answer(batch.drain(..), || Ok(())),
            Err(TopicError::Rejected { index, detail, .. }) => {
                let request = batch.remove(owner_of(&batch, index));
                answer(std::iter::once(request), || Err(AppendError::Rejected(detail.clone())));
            }
            Err(error) => {
                *sink = None;
                tracing::warn!(%error, "the topic can't be written");
                answer(batch.drain(..), || Err(AppendError::Outage(error.to_string())));
            }
        }
    }
}

fn append(
    sinks: &dyn OpenSink,
    sink: &mut Option<Box<dyn Sink>>,
    records: &[Record],
) -> Result<(), TopicError> {
    let sink = match sink {
        Some(sink) => sink,
        None => sink.insert(sinks.open()?),
    };
    sink.append(records)
}

/// The request that the record with this number in the batch belongs to.
fn owner_of(batch: &[Request], index: usize) -> usize {
    let mut before = 0;
    for (number, request) in batch.iter().enumerate() {
        before += request.records.len();
        if index < before {
            return number;
        }
    }
    batch.len() - 1
}

fn answer(requests: impl Iterator<Item = Request>, result: impl Fn() -> Result<(), AppendError>) {
    for request in requests {
        // A requester that gave up has dropped its end; there is nobody left to tell.
        let _ = request.reply.send(result());
    }
}
