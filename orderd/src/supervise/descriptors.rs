//! How many files and sockets the process may have open.
//!
//! Most systems give a process 1024 to begin with and let it ask for more. A server that runs out
//! of them can't accept, connect or open anything, so it asks at its start.

use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;

/// Asks for as many descriptors as the system gives, and returns how many that are; `None` is no
/// limit.
pub fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit of descriptors stays as it is");
        return current;
    }
    maximum
}
