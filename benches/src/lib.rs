//! What the engine and the daemon cost, measured: the work, apart from how it is timed and
//! reported.
//!
//! The benchmarks in `benches/` time this work at full size, the tests of this crate do it at a
//! tiny size. The work asserts its own results, so a benchmark that measures something else than it
//! says ends with a panic instead of a figure.
//!
//! A figure of one machine says little; what is kept and compared are ratios within one run, of
//! sides that take turns ([`rounds`]).

#[cfg(feature = "compare")]
pub mod compare;
pub mod engine;
pub mod keys;
pub mod one_order;
pub mod own_database;
pub mod rounds;
pub mod server;
