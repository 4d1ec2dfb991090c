//! The pages' words: one table a language, which the compiler keeps complete.
//!
//! A text that is missing in a language is a missing field, and doesn't compile. Sentences are kept
//! whole, since languages put their parts together differently; where a value follows, it stands
//! after a colon.

mod english;
mod numbers;
mod russian;

use ::http::StatusCode;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Russian,
}

impl Language {
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Russian];

    /// The language that has this code.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// The language's code, for `lang`.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
        }
    }

    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::English => &english::WORDS,
            Self::Russian => &russian::WORDS,
        }
    }
}

/// What is said about a state: what it is, and what can be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) title: &'static str,
    pub(super) why: &'static str,
}

/// Every text that a page shows and that comes from no order.
#[derive(Debug)]
pub(super) struct Words {
    /// The language's own name for itself.
    pub(super) language: &'static str,
    pub(super) languages: &'static str,
    pub(super) skip: &'static str,
    pub(super) sections: &'static str,
    pub(super) orders: &'static str,
    pub(super) cache: &'static str,
    /// From January.
    pub(super) months: [&'static str; 12],

    pub(super) find_an_order: &'static str,
    pub(super) uid: &'static str,
    pub(super) find: &'static str,
    pub(super) loading: &'static str,
    pub(super) hint: &'static str,
    pub(super) empty: State,
    pub(super) malformed: State,
    pub(super) not_found: State,
    pub(super) newest: &'static str,
    pub(super) none_yet: State,
    pub(super) list_failed: &'static str,
    pub(super) live: &'static str,
    pub(super) paused: &'static str,
    pub(super) stale: &'static str,
    pub(super) pause: &'static str,
    pub(super) resume: &'static str,
    pub(super) arrived: &'static str,

    pub(super) unavailable: State,
    pub(super) overloaded: State,
    pub(super) too_slow: State,
    pub(super) internal: State,
    pub(super) no_such_page: State,
    pub(super) bad_request: State,
    pub(super) forbidden: State,
    pub(super) method_not_allowed: State,
    pub(super) too_large: State,
    pub(super) refused: State,
    pub(super) to_orders: &'static str,
    pub(super) request: &'static str,

    pub(super) order: &'static str,
    pub(super) from_cache: &'static str,
    pub(super) from_stale_cache: &'static str,
    pub(super) from_store: &'static str,
    pub(super) ms: &'static str,
    pub(super) general: &'static str,
    pub(super) delivery: &'static str,
    pub(super) payment: &'static str,
    pub(super) items: &'static str,
    pub(super) item: &'static str,
    pub(super) as_json: &'static str,
    pub(super) track_number: &'static str,
    pub(super) entry: &'static str,
    pub(super) created: &'static str,
    pub(super) customer: &'static str,
    pub(super) delivery_service: &'static str,
    pub(super) locale: &'static str,
    pub(super) signature: &'static str,
    pub(super) recipient: &'static str,
    pub(super) phone: &'static str,
    pub(super) zip: &'static str,
    pub(super) city: &'static str,
    pub(super) address: &'static str,
    pub(super) region: &'static str,
    pub(super) email: &'static str,
    pub(super) transaction: &'static str,
    pub(super) payment_request: &'static str,
    pub(super) provider: &'static str,
    pub(super) bank: &'static str,
    pub(super) paid: &'static str,
    pub(super) amount: &'static str,
    pub(super) goods: &'static str,
    pub(super) delivery_cost: &'static str,
    pub(super) fee: &'static str,
    pub(super) price: &'static str,
    pub(super) sale: &'static str,
    pub(super) size: &'static str,
    pub(super) total: &'static str,
    pub(super) status: &'static str,

    pub(super) kilobytes: &'static str,
    pub(super) megabytes: &'static str,
    pub(super) bytes: &'static str,
    pub(super) entries: &'static str,
    pub(super) of_at_most: &'static str,
    pub(super) hit_ratio: &'static str,
    pub(super) since_start: &'static str,
    pub(super) hits: &'static str,
    pub(super) misses: &'static str,
    pub(super) evictions: &'static str,
    pub(super) insertions: &'static str,
    pub(super) removals: &'static str,
    pub(super) hit_latency: &'static str,
    pub(super) miss_latency: &'static str,
    pub(super) half_an_hour_ago: &'static str,
    pub(super) now: &'static str,
    pub(super) no_samples: &'static str,
    pub(super) by_recency: &'static str,
    pub(super) by_recency_why: &'static str,
    pub(super) place: &'static str,
    pub(super) cache_empty: State,
    pub(super) more_recent: &'static str,
    pub(super) less_recent: &'static str,

    pub(super) dead_letters: &'static str,
    pub(super) dead_letters_why: &'static str,
    pub(super) letter_state: &'static str,
    pub(super) open: &'static str,
    pub(super) replayed: &'static str,
    pub(super) dropped: &'static str,
    pub(super) all: &'static str,
    pub(super) needs_script: &'static str,
    pub(super) token: &'static str,
    pub(super) token_why: &'static str,
    pub(super) show: &'static str,
    pub(super) letters_loading: &'static str,
    pub(super) letters_none: &'static str,
    pub(super) token_refused: &'static str,
    pub(super) letters_off: &'static str,
    pub(super) letters_failed: &'static str,
    pub(super) more_letters: &'static str,
    pub(super) came_from: &'static str,
    pub(super) show_message: &'static str,
    pub(super) replay: &'static str,
    pub(super) replay_anyway: &'static str,
    pub(super) was_replayed: &'static str,
    pub(super) was_overtaken: &'static str,
    pub(super) still_bad: &'static str,
}

impl Words {
    /// What is said about an error, by the code that programs know it by and by its status.
    pub(super) fn of_error(&self, status: StatusCode, code: &str) -> State {
        match (status.as_u16(), code) {
            (_, "order_not_found") => self.not_found,
            (_, "bad_order_uid") => self.malformed,
            (_, "overloaded") => self.overloaded,
            (400, _) => self.bad_request,
            (401 | 403, _) => self.forbidden,
            (404, _) => self.no_such_page,
            (405, _) => self.method_not_allowed,
            (413 | 414 | 431, _) => self.too_large,
            (500, _) => self.internal,
            (503, _) => self.unavailable,
            (504, _) => self.too_slow,
            _ => self.refused,
        }
    }
}
