//! The tests of `orderd` from the outside, against real servers (`make test` provides them).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]

mod generate;
mod kafka_client;
mod kafka_topic;
mod order;
mod produce;
mod servers;
