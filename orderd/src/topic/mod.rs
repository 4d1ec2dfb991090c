//! The topic that orders come through: what every source and sink promises, whichever broker it is.
//!
//! A [`Source`] reads from positions that its owner gives it and keeps none of its own, since
//! positions live in the store, beside the orders. After any error its owner drops it and opens
//! another: no client library's notion of "reconnected" is relied on.
//!
//! Invariants:
//! * Messages of a partition come in ascending offsets. What a source leaves out is not in the log
//!   any more (retention, compaction, control records) and is counted.
//! * A source never moves a position past a message that it hasn't handed out.

pub mod appender;
pub mod detached;
pub mod kafka;
#[cfg(feature = "rdkafka")]
mod rdkafka;

use bytes::Bytes;
use std::time::Duration;

/// One message of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The partition that it lies in.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key; empty if it has none.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
}

/// What is appended to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Decides the partition; the order's id when it has one.
    pub key: Bytes,
    /// The message's bytes.
    pub value: Bytes,
}

/// What a partition's log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The partition.
    pub partition: i32,
    /// The offset of the oldest message that is still there.
    pub earliest: i64,
    /// The offset that the next message will get.
    pub end: i64,
}

/// Why a topic can't be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// A setting is wrong, and waiting won't mend it. The sentence names the thing and the setting.
    #[error("{0}")]
    Configuration(String),
    /// The broker is away, or answers with an error that a new client may not get.
    #[error("the topic {topic} can't be reached: {detail}")]
    Outage {
        /// Which topic.
        topic: String,
        /// What was tried and what came back.
        detail: String,
    },
    /// A record that the topic will never take, however often it is sent.
    #[error("the topic {topic} refuses the message: {detail}")]
    Rejected {
        /// Which topic.
        topic: String,
        /// Which of the appended records, from 0.
        index: usize,
        /// Why.
        detail: String,
    },
}

/// How a source stands among others and to its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The source was given other partitions since it was last asked: its owner has to ask for
    /// [`Source::bounds`] and position it anew.
    pub reassigned: bool,
    /// What keeps it from reading all that it should, as a sentence for people.
    pub obstacle: Option<String>,
    /// The offset that the next message of each partition will get, as of the last answers that
    /// came; without those that nothing is known of.
    pub ends: Vec<(i32, i64)>,
}

/// Reads a topic.
pub trait Source: Send {
    /// The bounds of every partition that this source is to read, ascending by partition: all of
    /// the topic, unless several sources share them.
    ///
    /// # Errors
    /// Any [`TopicError`] but `Rejected`.
    fn bounds(&mut self) -> Result<Vec<Bounds>, TopicError>;

    /// Sets what [`Source::fetch`] reads: these partitions, from these offsets, and no others.
    fn seek(&mut self, positions: &[(i32, i64)]);

    /// The next messages, waiting up to `wait_max` for the first. Empty when none came; it may end
    /// before that with nothing, and is just called again. What was
    /// handed out is not handed out again until [`Source::seek`].
    ///
    /// # Errors
    /// Any [`TopicError`] but `Rejected`. The source is to be dropped then.
    fn fetch(&mut self, wait_max: Duration) -> Result<Vec<Message>, TopicError>;

    /// How the source stands among others and to its log. Asked between two fetches; what was
    /// handed out stays valid, whatever it says.
    ///
    /// # Errors
    /// Any [`TopicError`] but `Rejected`. The source is to be dropped then.
    fn standing(&mut self) -> Result<Standing, TopicError>;

    /// Tells the topic that everything before these offsets is saved: for the broker's lag tools,
    /// or to let an embedded topic trim its log. Best effort; never waits.
    fn saved(&mut self, positions: &[(i32, i64)]);
}

/// Opens sources on one topic.
pub trait OpenSource: Send + Sync {
    /// Makes the topic if it is missing and opens a source on it. Bounded in time as far as the
    /// client library allows.
    ///
    /// # Errors
    /// `Configuration` if waiting won't help, `Outage` if it may.
    fn open(&self) -> Result<Box<dyn Source>, TopicError>;

    /// The source's name for people, such as `kafka://127.0.0.1:9092/orders`.
    fn name(&self) -> String;
}

/// Appends to a topic.
pub trait Sink: Send {
    /// Appends the records, in order within each partition. When it returns `Ok` the topic has all
    /// of them, durably; on an error it may have some.
    ///
    /// # Errors
    /// `Rejected` for a record that can never be taken; `Outage` otherwise, after which the sink is
    /// to be dropped.
    fn append(&mut self, records: &[Record]) -> Result<(), TopicError>;
}

/// Opens sinks on one topic.
pub trait OpenSink: Send + Sync {
    /// Makes the topic if it is missing and opens a sink on it.
    ///
    /// # Errors
    /// As [`OpenSource::open`].
    fn open(&self) -> Result<Box<dyn Sink>, TopicError>;
}
