//! The settings of `orderd dead-letters`.

use crate::cli::Kept;
use crate::cli::Validation;
use crate::store::letters::State;
use clap::ArgGroup;
use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;

/// What `orderd dead-letters --help` ends with.
pub(super) const EXAMPLES: &str = "Examples:\n  \
    orderd dead-letters list --database-url postgresql://orders:secret@localhost/orders\n  \
    orderd dead-letters list --code required --json | jq .id\n  \
    orderd dead-letters show 17 --raw > message.json\n  \
    orderd dead-letters replay 17 18\n  \
    orderd dead-letters replay --all --reason payment.amount\n  \
    orderd dead-letters drop --all --code syntax";

/// The settings of `orderd dead-letters`.
#[derive(Clone, Debug, Args)]
pub struct DeadLetters {
    /// What to do.
    #[command(subcommand)]
    pub action: DeadLettersAction,

    /// Where the dead letters are kept.
    #[command(flatten)]
    pub store: Kept,

    /// Print one JSON object a line.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with dead letters.
#[derive(Clone, Debug, Subcommand)]
pub enum DeadLettersAction {
    /// Print dead letters, newest first.
    ///
    /// One a line: id, state, time, origin (topic/partition/offset/element), code, order id and
    /// first reason, separated by tabs.
    #[command(after_help = "Examples:\n  orderd dead-letters list --limit 20\n  \
        orderd dead-letters list --state all --json")]
    List {
        /// Those whose first reason has this code, such as required, type or syntax.
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
        /// Those with this text in their reasons, such as `items[0].price`.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Those in this state.
        #[arg(long, default_value = "open", value_name = "STATE")]
        state: StateName,
        /// How many at most.
        #[arg(long, default_value_t = 50, value_name = "COUNT", allow_negative_numbers = true)]
        limit: usize,
        /// Only those with an id below this one: the last id of the page before.
        #[arg(long, value_name = "ID", allow_negative_numbers = true)]
        before: Option<i64>,
    },
    /// Print one dead letter with all its reasons and its message.
    #[command(after_help = "Example:\n  orderd dead-letters show 17 --raw > message.json")]
    Show {
        /// The id.
        #[arg(value_name = "ID")]
        id: i64,
        /// Print the message alone, byte for byte.
        #[arg(long)]
        raw: bool,
    },
    /// Decode dead letters again and save their orders.
    ///
    /// Refused if the order was saved from a later message since, unless forced. Prints id,
    /// outcome and order id, or id, `refused` and why. Ends with 1 if any wasn't replayed.
    #[command(after_help = "Examples:\n  orderd dead-letters replay 17 18\n  \
        orderd dead-letters replay --all --code out_of_range --validation lenient")]
    Replay {
        /// Which ones.
        #[command(flatten)]
        which: Which,
        /// Replay also what was overtaken or dropped; not with --all.
        #[arg(long, conflicts_with = "all")]
        force: bool,
        /// The rules that orders must pass.
        #[arg(long, env = "ORDERD_VALIDATION", default_value = "lenient", value_name = "PROFILE")]
        validation: Validation,
    },
    /// Settle dead letters without saving anything. Their bytes are kept.
    #[command(after_help = "Examples:\n  orderd dead-letters drop 17\n  \
        orderd dead-letters drop --all --code syntax")]
    Drop {
        /// Which ones.
        #[command(flatten)]
        which: Which,
    },
}

/// Which dead letters to settle.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("meant").args(["ids", "all"]).required(true))]
pub struct Which {
    /// The ids.
    #[arg(value_name = "ID")]
    pub ids: Vec<i64>,
    /// All open ones that --code and --reason leave, oldest first.
    #[arg(long)]
    pub all: bool,
    /// Of all, those whose first reason has this code, such as required, type or syntax.
    #[arg(long, value_name = "CODE", conflicts_with = "ids")]
    pub code: Option<String>,
    /// Of all, those with this text in their reasons, such as `items[0].price`.
    #[arg(long, value_name = "TEXT", conflicts_with = "ids")]
    pub reason: Option<String>,
}

/// The states to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateName {
    /// Those that wait for somebody to decide.
    Open,
    /// Those whose orders were saved.
    Replayed,
    /// Those that were dropped.
    Dropped,
    /// All of them.
    All,
}

impl From<StateName> for Option<State> {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Open => Some(State::Open),
            StateName::Replayed => Some(State::Replayed),
            StateName::Dropped => Some(State::Dropped),
            StateName::All => None,
        }
    }
}
