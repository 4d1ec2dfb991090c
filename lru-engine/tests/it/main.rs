//! What users of `lru-engine` rely on, tested from outside.

#![expect(
    clippy::unwrap_used,
    reason = "a test's own functions may unwrap like its test functions: a panic is the report"
)]

mod budget;
mod callbacks;
mod calls;
mod concurrent;
mod layers;
mod ledger;
mod linear;
mod listeners;
mod loads;
mod model;
mod naive;
mod random;
mod reentry;
mod tickets;
mod traces;
mod traits;
mod unwind;
mod watchdog;
mod weights;
