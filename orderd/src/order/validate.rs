//! The rules that an order must pass, and the violations that it is refused with.
//!
//! All violations of an order are reported at once, each with the path of its field, so that
//! whoever sent it can mend it in one go.

use serde::Serialize;
use std::fmt;

/// How strict the rules are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Takes what every known producer sends: right types where present, and the few fields without
    /// which an order can't be kept.
    #[default]
    Lenient,
    /// Adds the rules that make an order's content consistent.
    Strict,
}

/// What kind of rule a field breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The field is missing, null or empty, and must not be.
    Required,
    /// The field has another JSON type than its rule says.
    Type,
    /// The text doesn't have the form that its rule says, or an object has a field that its form
    /// doesn't know.
    Format,
    /// The number or the length lies outside its bounds.
    OutOfRange,
    /// The field contradicts another.
    Inconsistent,
    /// The value may occur once and occurs again.
    Duplicate,
    /// The bytes are no JSON document at all.
    Syntax,
}

impl Code {
    /// The code's stable name, as it stands in answers and dead letters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Type => "type",
            Self::Format => "format",
            Self::OutOfRange => "out_of_range",
            Self::Inconsistent => "inconsistent",
            Self::Duplicate => "duplicate",
            Self::Syntax => "syntax",
        }
    }
}

/// One rule that an order breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The field, such as `items[0].price`; empty for the document as a whole.
    pub path: String,
    /// The kind of rule.
    pub code: Code,
    /// One sentence for people.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "{}: {}", self.code.as_str(), self.message)
        } else {
            write!(f, "{}: {}: {}", self.path, self.code.as_str(), self.message)
        }
    }
}
