//! Why a session of ingest ended, when it wasn't told to stop.

use crate::store::StoreError;
use crate::topic::TopicError;

/// The reason, with what lies beneath it.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("the store")]
    Store(#[source] StoreError),
    #[error("the topic")]
    Topic(#[source] TopicError),
    #[error("the topic has other partitions than before")]
    Repartitioned,
    #[error("a position was set by somebody else")]
    PositionsSet,
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TopicError> for SessionError {
    fn from(error: TopicError) -> Self {
        Self::Topic(error)
    }
}
