//! What a process holds of the machine, as Linux tells it.

use std::fs;

/// What a process holds at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holdings {
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    pub(crate) memory_mib: usize,
    /// The most that it ever held.
    pub(crate) memory_mib_max: usize,
}

impl Holdings {
    /// What the process with this number holds; `None` if it is gone.
    pub(crate) fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<usize>().ok()
        };
        Some(Self {
            descriptors: fs::read_dir(format!("/proc/{process}/fd")).ok()?.count(),
            threads: number("Threads:")?,
            memory_mib: number("VmRSS:")? / 1024,
            memory_mib_max: number("VmHWM:")? / 1024,
        })
    }
}
