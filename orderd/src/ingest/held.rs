//! What a session of ingest reads: the partitions of its source, each from the position that the
//! store remembers.
//!
//! A log that was cut, or made anew, ends before the position. Reading it from anywhere else would
//! skip or repeat messages that nobody could name, so such a partition is not read, and an alarm
//! says what to do. The others go on.

use crate::ingest::Ingest;
use crate::ingest::ended::SessionError;
use crate::store::Store;
use crate::topic::Bounds;
use crate::topic::Source;
use std::collections::BTreeMap;

/// What a session reads, and from where.
pub(super) struct Held {
    /// Where each partition begins that has no position yet.
    starts: Vec<(i32, i64)>,
    /// The stored positions, which the next advance of each partition starts from.
    pub(super) positions: BTreeMap<i32, i64>,
    /// Why some of the partitions aren't read, if so.
    pub(super) alarm: Option<String>,
}

impl Held {
    /// Asks the store where each partition of the source stands and lets the source read from
    /// there.
    pub(super) fn assign(
        ingest: &Ingest,
        store: &mut dyn Store,
        source: &mut dyn Source,
    ) -> Result<Self, SessionError> {
        let Ingest { group, topic, .. } = ingest;
        let mut bounds = source.bounds()?;
        let starts = starts(&bounds);
        let stored = store.assign(group, topic, &starts)?;
        if stored.iter().zip(&bounds).any(|(&(_, position), bounds)| position > bounds.end) {
            // A former owner may have gone on since the bounds were read; only a log that ends
            // before a position read earlier is too short.
            bounds = source.bounds()?;
        }
        let mut wanted = Vec::with_capacity(stored.len());
        let mut beyond = Vec::new();
        for (&(partition, position), bounds) in stored.iter().zip(&bounds) {
            if position > bounds.end {
                tracing::error!(
                    topic,
                    partition,
                    position,
                    end = bounds.end,
                    "ALARM: the stored position lies beyond the end of the log, so the topic was \
                     cut or made anew; the partition is not read until `orderd positions set` \
                     gives it a position that exists, and then within a minute"
                );
                beyond.push(partition);
                continue;
            }
            if position < bounds.earliest {
                tracing::error!(
                    topic,
                    partition,
                    lost = bounds.earliest - position,
                    "messages were removed by the topic's retention before they were read"
                );
            }
            wanted.push((partition, position.max(bounds.earliest)));
        }
        source.seek(&wanted);
        let positions = stored.into_iter().collect();
        tracing::info!(topic, ?positions, "reading the topic");
        let alarm = (!beyond.is_empty()).then(|| {
            format!(
                "the stored position of partitions {beyond:?} lies beyond the end of their log; \
                 see `orderd positions set`"
            )
        });
        Ok(Self { starts, positions, alarm })
    }

    /// Whether the topic still has the partitions that are read, and the store their positions:
    /// where nothing is saved, be it stopped or idle, nothing else would notice.
    pub(super) fn check(
        &self,
        ingest: &Ingest,
        store: &mut dyn Store,
        source: &mut dyn Source,
    ) -> Result<(), SessionError> {
        let partitions = self.starts.iter().map(|(partition, _)| *partition);
        if !source.bounds()?.iter().map(|bounds| bounds.partition).eq(partitions) {
            return Err(SessionError::Repartitioned);
        }
        let stored = store.assign(&ingest.group, &ingest.topic, &self.starts)?;
        if stored.into_iter().collect::<BTreeMap<_, _>>() != self.positions {
            return Err(SessionError::PositionsSet);
        }
        Ok(())
    }
}

/// Where each partition begins that has no position yet.
fn starts(bounds: &[Bounds]) -> Vec<(i32, i64)> {
    bounds.iter().map(|bounds| (bounds.partition, bounds.earliest)).collect()
}
