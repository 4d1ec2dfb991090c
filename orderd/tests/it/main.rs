//! The tests of `orderd` from the outside, against real servers (`make test` provides them).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]
#![allow(clippy::print_stderr, reason = "seeds and stages are printed, for a run that fails")]

mod appender;
mod browser;
mod cache_bounds;
mod coherence;
mod commands;
mod config_files;
#[cfg(feature = "crash-points")]
mod crash;
mod daemon;
mod dead_letters;
mod deploy;
mod documented;
mod embedded_run;
mod embedded_topic;
mod faulty;
mod generate;
mod hotset;
mod http;
mod ingest;
mod instances;
#[cfg(feature = "rdkafka")]
mod kafka_4;
mod kafka_client;
#[cfg(feature = "rdkafka")]
mod kafka_group;
mod kafka_topic;
mod layers;
mod logged;
mod metrics;
mod order;
mod outages;
mod own_servers;
mod pipeline;
mod produce;
mod proxy;
mod reading;
mod readme;
mod rows;
mod secrets;
mod seeds;
mod servers;
mod settings;
mod start;
mod stopping;
mod store;
mod stores;
mod systemd;
mod topic_edges;
mod warmup;
mod workload;
