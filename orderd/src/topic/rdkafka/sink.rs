//! Appends to the topic, and says yes only when every in-sync replica of each partition has it.
//!
//! The library batches, retries and numbers what it sends, so that a retry is no duplicate. Keys go
//! to the same partitions as with the Java client.

use crate::topic::Record;
use crate::topic::Sink;
use crate::topic::TopicError;
use crate::topic::kafka::Shared;
use crate::topic::rdkafka::Told;
use crate::topic::rdkafka::config;
use crate::topic::rdkafka::refused;
use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer as _;
use rdkafka::producer::ProducerContext;
use rdkafka::types::RDKafkaErrorCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// How long the library tries to deliver a record.
const DELIVERY_MAX_MS: &str = "10000";
/// When nothing more is to be expected of it: its own deadline, and what it takes to notice.
const ANSWERS_MAX: Duration = Duration::from_secs(15);
/// How long one look for answers takes.
const POLL: Duration = Duration::from_millis(20);
/// What is sent for one partition at once, unless a single record is larger. Half of the brokers'
/// default for the largest message, which is compared with the batch.
const BATCH_BYTES: &str = "524288";

pub(super) struct RdkafkaSink {
    producer: BaseProducer<Deliveries>,
    shared: Arc<Shared>,
}

/// What became of the records that were sent, by their numbers.
#[derive(Debug, Default)]
struct Deliveries {
    told: Told,
    results: Mutex<Vec<(usize, Option<KafkaError>)>>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.told.note(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.told.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<usize>) {
        let error = result.as_ref().err().map(|(error, _)| error.clone());
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.push((*number, error));
    }
}

impl RdkafkaSink {
    pub(super) fn open(shared: Arc<Shared>) -> Result<Self, TopicError> {
        let message_bytes_max = shared.settings.message_bytes_max.max(1000).to_string();
        let mut config = config(&shared);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            .set("batch.size", BATCH_BYTES)
            .set("delivery.timeout.ms", DELIVERY_MAX_MS)
            .set("message.max.bytes", message_bytes_max)
            .set("partitioner", "murmur2_random");
        let producer = BaseProducer::from_config_and_context(&config, Deliveries::default())
            .map_err(|error| refused(&error))?;
        Ok(Self { producer, shared })
    }

    fn outage(&self, detail: impl std::fmt::Display) -> TopicError {
        self.producer.context().told.outage(&self.shared, detail)
    }

    fn rejected(&self, index: usize, detail: String) -> TopicError {
        TopicError::Rejected { topic: self.shared.settings.topic.clone(), index, detail }
    }

    /// Sends these records and waits for all their answers. Returns the number of the first that
    /// was too large, be it alone or with others of its batch.
    fn send(&self, records: &[Record]) -> Result<Option<usize>, TopicError> {
        let deadline = self.shared.clock.now() + ANSWERS_MAX;
        let in_time = || self.shared.clock.now() < deadline;
        for (number, Record { key, value }) in records.iter().enumerate() {
            let topic = &self.shared.settings.topic;
            let mut record =
                BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(number)).payload(value);
            if !key.is_empty() {
                record = record.key(key);
            }
            while let Err((error, back)) = self.producer.send(record) {
                let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
                if error != full || !in_time() {
                    return Err(self.outage(format_args!("sending: {error}")));
                }
                record = back;
                self.producer.poll(POLL);
            }
        }
        let mut answered = Vec::with_capacity(records.len());
        loop {
            self.producer.poll(POLL);
            let results = &self.producer.context().results;
            answered.append(&mut results.lock().unwrap_or_else(PoisonError::into_inner));
            if answered.len() == records.len() {
                break;
            }
            if !in_time() {
                return Err(self.outage("sending: no answer came in time"));
            }
        }
        let mut too_large: Option<usize> = None;
        for (number, error) in answered {
            match error {
                None => {}
                Some(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)) => {
                    too_large = Some(too_large.map_or(number, |first| first.min(number)));
                }
                Some(error) => return Err(self.outage(format_args!("sending: {error}"))),
            }
        }
        Ok(too_large)
    }
}

impl Sink for RdkafkaSink {
    fn append(&mut self, records: &[Record]) -> Result<(), TopicError> {
        let bytes_max = usize::try_from(self.shared.settings.message_bytes_max).unwrap_or(0);
        for (index, record) in records.iter().enumerate() {
            let bytes = record.key.len() + record.value.len();
            if bytes > bytes_max {
                let detail = format!("it has {bytes} bytes, and at most {bytes_max} are allowed");
                return Err(self.rejected(index, detail));
            }
        }
        let Some(first) = self.send(records)? else { return Ok(()) };
        // One of its batch alone may be too large, or only all of them together. All from there on
        // are sent one by one, even if they arrived: an order's versions must end in their order.
        for (index, record) in records.iter().enumerate().skip(first) {
            if self.send(std::slice::from_ref(record))?.is_some() {
                let detail = "the broker says that it is too large".to_owned();
                return Err(self.rejected(index, detail));
            }
        }
        Ok(())
    }
}
