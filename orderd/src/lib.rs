//! The daemon that takes orders from a topic, saves them in a store and serves them from a cache.

pub mod app;
pub mod backoff;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod crash;
pub mod dead_letters;
pub mod embedded;
pub mod generate;
pub mod health;
pub mod hotset;
pub mod http;
pub mod ingest;
pub mod invalidation;
pub mod metrics;
pub mod order;
pub mod produce;
pub mod readings;
pub mod run;
pub mod series;
pub mod settings;
pub mod store;
pub mod supervise;
pub mod systemd;
pub mod topic;
pub mod warmup;
