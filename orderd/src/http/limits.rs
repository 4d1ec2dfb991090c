//! What clients may cost the daemon: how many, how much, and how long.
//!
//! Every wait for a client ends, and every buffer that a client fills has a bound. The bounds that
//! depend on who the clients are, are settings; the others are constants of this folder.

use std::time::Duration;

/// The longest request body, in bytes. Servers refuse more before they buffer it.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The longest path and query, in bytes.
pub(super) const TARGET_BYTES_MAX: usize = 8 * 1024;

/// The longest header section, in bytes: names and values.
pub(super) const HEADER_BYTES_MAX: usize = 16 * 1024;

/// The longest head that is buffered: room for the longest target, the longest header section and
/// the separators of a hundred fields, so that what is only somewhat too long is told which of both
/// it is.
pub(super) const HEAD_BYTES_MAX: usize = 32 * 1024;

/// The most fields of a head, as hyper takes them.
pub(super) const FIELDS_MAX: usize = 100;

/// How much clients may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections are open at a time; then the longest idle one makes room.
    pub connections_max: usize,
    /// How many requests wait for the store or the topic at a time; more are answered with 503.
    pub requests_max: usize,
    /// How long the head of a request may take from its first byte to its last.
    pub head_wait_max: Duration,
    /// How long a request's body may take.
    pub body_wait_max: Duration,
    /// How long a connection may lie without a request.
    pub idle_wait_max: Duration,
    /// How long a client may leave an answer untaken.
    pub write_wait_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            requests_max: 256,
            head_wait_max: Duration::from_secs(10),
            body_wait_max: Duration::from_secs(10),
            idle_wait_max: Duration::from_secs(60),
            write_wait_max: Duration::from_secs(10),
        }
    }
}
