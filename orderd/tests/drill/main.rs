//! The drills: the real program under what an operator fears, on real sockets and real servers.
//!
//! `make drill` runs the long form of each, which ends in a table of figures and judges times.
//! Plain tests run a short form of each, which judges everything but times, since a busy machine
//! has none to spare. One module a drill.
#![allow(clippy::unwrap_used, reason = "a drill that cannot go on says where by panicking")]
#![allow(clippy::print_stderr, reason = "a drill ends in a table of figures")]

#[expect(dead_code, reason = "a part of what the other tests need")]
#[path = "../it/daemon.rs"]
mod daemon;
mod hostile;
#[cfg(feature = "crash-points")]
mod kills;
#[cfg(feature = "crash-points")]
#[path = "../it/own_servers.rs"]
mod own_servers;
mod process;
#[expect(dead_code, reason = "a part of what the other tests need")]
#[path = "../it/proxy.rs"]
mod proxy;
#[expect(dead_code, reason = "a part of what the other tests need")]
#[path = "../it/servers.rs"]
mod servers;

/// How much of a drill is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A few seconds, as a test among others.
    Short,
    /// As long as the drill takes, alone on the machine, with times judged.
    Long,
}

impl Form {
    /// The form that `ORDERD_DRILL` asks for.
    #[expect(clippy::disallowed_methods, reason = "the variable is how `make drill` says so")]
    pub(crate) fn asked() -> Self {
        if std::env::var("ORDERD_DRILL").is_ok() { Self::Long } else { Self::Short }
    }

    /// One of two numbers.
    pub(crate) fn of<T>(self, short: T, long: T) -> T {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }
}

/// Prints a drill's figures as a table in Markdown, on standard error.
pub(crate) fn print_table(title: &str, columns: &[&str], rows: &[Vec<String>]) {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<_> = columns.iter().map(|column| (*column).to_owned()).collect();
    let mut table = format!("\n{title}\n\n{}", line(&head));
    table += &format!("|{}\n", "---|".repeat(columns.len()));
    table.extend(rows.iter().map(|row| line(row)));
    eprintln!("{table}");
}
