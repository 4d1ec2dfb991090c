//! Appends to the topic, and says yes only when every in-sync replica of each partition has it.
//!
//! What is sent at once is bounded in bytes: a broker stores what one request brings for one
//! partition as one batch, and refuses it when it is larger than the topic's largest message may
//! be, even if each message in it is small.

use crate::topic::Record;
use crate::topic::Sink;
use crate::topic::TopicError;
use crate::topic::kafka::Shared;
use crate::topic::kafka::partition;
use kafka::client::KafkaClient;
use kafka::client::ProduceMessage;
use kafka::client::RequiredAcks;
use kafka::error::KafkaCode;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// What one request brings for one partition, at most, unless a single record is larger. Half of
/// the brokers' default for the largest message, which is compared with the batch.
const BATCH_BYTES: usize = 512 << 10;
/// How long the broker waits for the replicas.
const REPLICAS_WAIT: Duration = Duration::from_secs(5);

/// Numbers of records, in order, that are sent to one partition in one request.
type Batch = Vec<usize>;

pub(super) struct KafkaSink {
    client: KafkaClient,
    shared: Arc<Shared>,
    /// Where the next record without a key goes.
    turn: i32,
}

impl KafkaSink {
    pub(super) fn new(client: KafkaClient, shared: Arc<Shared>) -> Self {
        Self { client, shared, turn: 0 }
    }

    fn partition_of(&mut self, record: &Record, partitions: i32) -> i32 {
        if record.key.is_empty() {
            self.turn = (self.turn + 1) % partitions;
            return self.turn;
        }
        partition::of_key(&record.key, partitions)
    }

    /// Each partition's batches in the order in which they are to be sent.
    fn batches(
        &mut self,
        records: &[Record],
    ) -> Result<BTreeMap<i32, VecDeque<Batch>>, TopicError> {
        let topic = self.shared.settings.topic.as_str();
        let partitions = self.client.topics().partitions(topic).map_or(0, |all| all.len());
        let partitions = i32::try_from(partitions).unwrap_or(0);
        if partitions == 0 {
            return Err(self.shared.outage("it has no partition"));
        }
        let mut batches: BTreeMap<i32, VecDeque<Batch>> = BTreeMap::new();
        let mut filled: BTreeMap<i32, usize> = BTreeMap::new();
        for (number, record) in records.iter().enumerate() {
            let partition = self.partition_of(record, partitions);
            let bytes = record.key.len() + record.value.len();
            let batches = batches.entry(partition).or_default();
            let filled = filled.entry(partition).or_default();
            match batches.back_mut() {
                Some(batch) if *filled + bytes <= BATCH_BYTES => {
                    batch.push(number);
                    *filled += bytes;
                }
                _ => {
                    batches.push_back(vec![number]);
                    *filled = bytes;
                }
            }
        }
        Ok(batches)
    }

    /// Sends the first batch of each partition and returns what each of these got.
    fn send(
        &mut self,
        records: &[Record],
        batches: &BTreeMap<i32, VecDeque<Batch>>,
    ) -> Result<BTreeMap<i32, Result<i64, KafkaCode>>, TopicError> {
        let topic = self.shared.settings.topic.as_str();
        let first = batches.iter().filter_map(|(at, batches)| Some((at, batches.front()?)));
        let messages = first.flat_map(|(partition, batch)| {
            batch.iter().map(|&number| {
                let Record { key, value } = &records[number];
                let key = (!key.is_empty()).then_some(&key[..]);
                ProduceMessage::new(topic, *partition, key, Some(value))
            })
        });
        let confirms = self
            .client
            .produce_messages(RequiredAcks::All, REPLICAS_WAIT, messages)
            .map_err(|error| self.shared.outage(format_args!("sending: {error}")))?;
        let confirms = confirms.into_iter().flat_map(|confirm| confirm.partition_confirms);
        Ok(confirms.map(|confirm| (confirm.partition, confirm.offset)).collect())
    }

    fn rejected(&self, index: usize, detail: String) -> TopicError {
        TopicError::Rejected { topic: self.shared.settings.topic.clone(), index, detail }
    }
}

impl Sink for KafkaSink {
    fn append(&mut self, records: &[Record]) -> Result<(), TopicError> {
        let bytes_max = usize::try_from(self.shared.settings.message_bytes_max).unwrap_or(0);
        for (index, record) in records.iter().enumerate() {
            let bytes = record.key.len() + record.value.len();
            if bytes > bytes_max {
                let detail = format!("it has {bytes} bytes, and at most {bytes_max} are allowed");
                return Err(self.rejected(index, detail));
            }
        }
        let mut batches = self.batches(records)?;
        while !batches.is_empty() {
            let mut confirms = self.send(records, &batches)?;
            for (&partition, queue) in &mut batches {
                let Some(batch) = queue.pop_front() else { continue };
                match confirms.remove(&partition) {
                    Some(Ok(_)) => {}
                    Some(Err(KafkaCode::MessageSizeTooLarge | KafkaCode::RecordListTooLarge)) => {
                        if let [index] = batch[..] {
                            let detail = "the broker says that it is too large".to_owned();
                            return Err(self.rejected(index, detail));
                        }
                        // One of them alone may be, or only all of them together.
                        for number in batch.into_iter().rev() {
                            queue.push_front(vec![number]);
                        }
                    }
                    Some(Err(code)) => {
                        let detail = format_args!("sending to partition {partition}: {code:?}");
                        return Err(self.shared.outage(detail));
                    }
                    None => {
                        let detail = format_args!("partition {partition} confirmed nothing");
                        return Err(self.shared.outage(detail));
                    }
                }
            }
            batches.retain(|_, queue| !queue.is_empty());
        }
        Ok(())
    }
}
