//! What is found wrong with one order, and the paths that it is said with.

use crate::order::validate::Code;
use crate::order::validate::Profile;
use crate::order::validate::Violation;
use std::fmt;

/// How many violations of one message are kept; beyond it each element keeps its first. All that
/// the known fields of an order can have stay below it. Without it a message of a megabyte had five
/// million violations in the strict profile (2026-11-20).
pub(crate) const VIOLATIONS_MAX: usize = 1 << 14;

/// The object that a field belongs to. It displays as its own path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parent {
    Order,
    Delivery,
    Payment,
    Item(usize),
}

impl Parent {
    /// The object's own path.
    pub(crate) fn path(self) -> String {
        self.to_string()
    }

    /// The path of the field with this name.
    pub(crate) fn field(self, name: &str) -> String {
        if self.is_order() { name.to_owned() } else { format!("{self}.{name}") }
    }

    pub(crate) fn is_order(self) -> bool {
        matches!(self, Self::Order)
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order => Ok(()),
            Self::Delivery => f.write_str("delivery"),
            Self::Payment => f.write_str("payment"),
            Self::Item(position) => write!(f, "items[{position}]"),
        }
    }
}

/// The violations of one order, in the order in which they are found.
#[derive(Debug)]
pub(crate) struct Report {
    profile: Profile,
    violations: Vec<Violation>,
    room: usize,
}

impl Report {
    /// An empty report that keeps the first `room` violations.
    pub(crate) fn new(profile: Profile, room: usize) -> Self {
        Self { profile, violations: Vec::new(), room }
    }

    /// The profile that the order is judged by.
    pub(crate) fn profile(&self) -> Profile {
        self.profile
    }

    pub(crate) fn add(&mut self, path: impl Into<String>, code: Code, message: impl Into<String>) {
        if self.violations.len() < self.room {
            self.violations.push(Violation { path: path.into(), code, message: message.into() });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    /// The paths that something is wrong with already.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.violations.iter().map(|violation| violation.path.as_str())
    }

    /// The violations, in as little memory as they need: there may be many reports.
    pub(crate) fn into_violations(mut self) -> Vec<Violation> {
        self.violations.shrink_to_fit();
        self.violations
    }
}
