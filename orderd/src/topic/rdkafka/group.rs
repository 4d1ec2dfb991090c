//! What the consumer group has given to this member, and what of it is being read.
//!
//! Assignments come while the consumer is polled, which only [`super::source`] does: at that moment
//! no message is on its way into the store, so that a revocation has nothing to finish. What was
//! granted isn't read until its owner has looked up where to go on: the library is told that
//! nothing is to be read yet, which ends its part of the rebalancing, and the partitions are
//! added with their positions later.

use crate::topic::kafka::Shared;
use crate::topic::rdkafka::Told;
use rdkafka::ClientContext;
use rdkafka::Statistics;
use rdkafka::TopicPartitionList;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::CommitMode;
use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaRespErr;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// A member of the group, as librdkafka's callbacks see it.
pub(super) struct Member {
    shared: Arc<Shared>,
    pub(super) told: Told,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
pub(super) struct Held {
    /// What the group gave to this member; `None` before it gave anything.
    pub(super) granted: Option<BTreeSet<i32>>,
    /// What the library reads, with the offset of the next message to hand out.
    pub(super) cursors: BTreeMap<i32, i64>,
    /// Where the logs of these partitions ended, by the library's last statistics.
    pub(super) ends: BTreeMap<i32, i64>,
    /// What is saved, and not yet committed to the group.
    pub(super) saved: BTreeMap<i32, i64>,
    /// The last commit failed, which was logged.
    commits_fail: bool,
    /// Since the owner was told last.
    pub(super) changed: bool,
    /// Why the library didn't take an answer of this member, which it now waits for.
    pub(super) failure: Option<String>,
}

impl Member {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, told: Told::default(), held: Mutex::default() }
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Partitions of the topic with offsets, in the library's form.
    pub(super) fn list<'a>(
        &self,
        positions: impl IntoIterator<Item = (&'a i32, &'a i64)>,
    ) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (&partition, &offset) in positions {
            let topic = &self.shared.settings.topic;
            list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        }
        Ok(list)
    }

    /// Hands what is saved to the library, which commits it in the background.
    pub(super) fn commit(&self, consumer: &BaseConsumer<Self>) {
        let saved = std::mem::take(&mut self.held().saved);
        if saved.is_empty() {
            return;
        }
        let committed =
            self.list(&saved).and_then(|list| consumer.commit(&list, CommitMode::Async));
        if let Err(error) = committed {
            self.put_back(saved, &error);
        }
    }

    /// Keeps what wasn't committed for the next time, unless it was overtaken or is another's now:
    /// otherwise the lag of a topic in which nothing more happens would be shown for ever.
    fn put_back(&self, saved: impl IntoIterator<Item = (i32, i64)>, error: &KafkaError) {
        let mut held = self.held();
        for (partition, offset) in saved {
            if held.cursors.contains_key(&partition) {
                held.saved.entry(partition).or_insert(offset);
            }
        }
        if !std::mem::replace(&mut held.commits_fail, true) {
            let group = &self.shared.settings.group;
            tracing::warn!(group, %error, "the group's offsets can't be committed");
        }
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) -> KafkaResult<()> {
        {
            let mut held = self.held();
            held.granted.get_or_insert_default().extend(partitions);
            held.changed = true;
        }
        tracing::info!(topic = self.shared.settings.topic, ?partitions, "partitions assigned");
        consumer.incremental_assign(&TopicPartitionList::new())
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) -> KafkaResult<()> {
        // While this is still their owner, so that lag tools see how far it came.
        self.commit(consumer);
        let mut gone = BTreeMap::new();
        {
            let mut held = self.held();
            held.changed = true;
            for partition in partitions {
                held.granted.get_or_insert_default().remove(partition);
                held.saved.remove(partition);
                gone.extend(held.cursors.remove_entry(partition));
            }
        }
        tracing::info!(topic = self.shared.settings.topic, ?partitions, "partitions revoked");
        // Only what was added is taken away; an empty list is the word that nothing is read.
        consumer.incremental_unassign(&self.list(&gone)?)
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.told.note(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.told.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let topic = statistics.topics.get(&self.shared.settings.topic);
        let partitions = topic.into_iter().flat_map(|topic| &topic.partitions);
        // It is negative before the first answer about a partition.
        let ends = partitions.filter(|(_, partition)| partition.hi_offset >= 0);
        self.held().ends = ends.map(|(&number, partition)| (number, partition.hi_offset)).collect();
    }
}

impl ConsumerContext for Member {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let elements = partitions.elements_for_topic(&self.shared.settings.topic);
        let partitions: Vec<i32> = elements.iter().map(|element| element.partition()).collect();
        let done = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.assigned(consumer, &partitions)
            }
            _ => self.revoked(consumer, &partitions),
        };
        if let Err(error) = done {
            self.held().failure = Some(error.to_string());
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let elements = offsets.elements_for_topic(&self.shared.settings.topic);
        let failed = |result: &KafkaResult<()>, error: KafkaResult<()>| match result {
            Err(error) => Some(error.clone()),
            Ok(()) => error.err(),
        };
        let mut error = None;
        let mut saved = Vec::new();
        for element in elements {
            if let Some(reason) = failed(&result, element.error()) {
                saved.extend(element.offset().to_raw().map(|offset| (element.partition(), offset)));
                error = Some(reason);
            }
        }
        match error {
            Some(error) => self.put_back(saved, &error),
            None => self.held().commits_fail = false,
        }
    }
}
