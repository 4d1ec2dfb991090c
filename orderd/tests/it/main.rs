//! The tests of `orderd` from the outside, against real servers (`make test` provides them).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]

mod coherence;
mod daemon;
mod embedded_topic;
mod generate;
mod ingest;
mod kafka_client;
mod kafka_topic;
mod order;
mod servers;
mod store;
mod stores;
mod warmup;
