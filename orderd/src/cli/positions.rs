//! The settings of `orderd positions`.

use crate::cli::Kept;
use clap::Args;
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;

/// The settings of `orderd positions`.
#[derive(Clone, Debug, Args)]
pub struct Positions {
    /// Show or move.
    #[command(subcommand)]
    pub action: PositionsAction,

    /// Where the positions are kept.
    #[command(flatten)]
    pub store: Kept,
}

/// What to do with positions.
#[derive(Clone, Debug, Subcommand)]
pub enum PositionsAction {
    /// Print all positions: group, topic, partition and next offset, separated by tabs.
    List,
    /// Move the position of one partition, and print the former one.
    Set {
        /// The consumer group.
        #[arg(long, env = "KAFKA_GROUP", default_value = "orderd", value_name = "NAME",
            value_parser = NonEmptyStringValueParser::new())]
        kafka_group: String,
        /// The topic.
        #[arg(long, env = "KAFKA_TOPIC", default_value = "orders", value_name = "NAME",
            value_parser = NonEmptyStringValueParser::new())]
        kafka_topic: String,
        /// The partition.
        #[arg(long, value_name = "NUMBER", allow_negative_numbers = true,
            value_parser = clap::value_parser!(i32).range(0..))]
        partition: i32,
        /// The offset of the next message to read.
        #[arg(long, value_name = "NUMBER", allow_negative_numbers = true,
            value_parser = clap::value_parser!(i64).range(0..))]
        offset: i64,
    },
}
