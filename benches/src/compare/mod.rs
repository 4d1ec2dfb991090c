//! The peer benchmark: `lru-engine` beside every crate in its field, on the same work in one run.
//!
//! A figure of one run says little on a machine that others share, so engines take turns and ratios
//! count. From what stands on its own to what stands on the rest:
//!
//! | module | what it is |
//! |---|---|
//! | `clock`, `cores`, `alloc` | time, threads on cores, bytes held |
//! | `pair` | types of keys and values, and drawn keys |
//! | `engine` | what is asked of a cache |
//! | `workload` | the loop of each kind of work |
//! | `threads` | one sample |
//! | `contest` | one engine at one kind of work |
//! | `engines` | an adapter for each engine |
//! | `plan` | which work, for which engines |
//! | `results`, `rows`, `report` | what counts, what is to be reached, how it is told |
//! | `run`, `cli` | the rounds, and who asked for them |

pub mod alloc;
pub mod cli;
pub mod clock;
pub mod contest;
pub mod cores;
pub mod engine;
pub mod engines;
pub mod pair;
pub mod plan;
pub mod report;
pub mod results;
pub mod rows;
pub mod run;
pub mod threads;
pub mod workload;

#[cfg(test)]
mod tests;
