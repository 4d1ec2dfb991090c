//! The settings of HTTP's limits.

use crate::cli::values::duration;
use clap::Args;
use std::time::Duration;

/// What clients of `orderd serve` may cost it.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits for HTTP clients")]
pub struct HttpLimits {
    /// How many connections are open at a time. The one that lies idle longest makes room for
    /// another. Lowered to what the limit of descriptors leaves. Not with tiny_http.
    #[arg(long, env = "ORDERD_HTTP_CONNECTIONS_MAX", default_value_t = 10_000,
        value_name = "COUNT", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub http_connections_max: u32,

    /// How many requests wait for the database or the topic at a time. More are answered with 503
    /// at once, and cached orders never wait behind them. At most 12 with tiny_http.
    #[arg(long, env = "ORDERD_HTTP_REQUESTS_MAX", default_value_t = 256, value_name = "COUNT",
        allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub http_requests_max: u16,

    /// How long the head of a request may take from its first byte to its last. Not with tiny_http.
    #[arg(long, env = "ORDERD_HTTP_HEAD_WAIT_MAX", default_value = "10s", value_name = "TIME",
        allow_hyphen_values = true, value_parser = wait)]
    pub http_head_wait_max: Duration,

    /// How long the body of a request may take. Not with tiny_http.
    #[arg(long, env = "ORDERD_HTTP_BODY_WAIT_MAX", default_value = "10s", value_name = "TIME",
        allow_hyphen_values = true, value_parser = wait)]
    pub http_body_wait_max: Duration,

    /// How long a connection may lie without a request. Not with tiny_http.
    #[arg(long, env = "ORDERD_HTTP_IDLE_WAIT_MAX", default_value = "60s", value_name = "TIME",
        allow_hyphen_values = true, value_parser = wait)]
    pub http_idle_wait_max: Duration,

    /// How long a client may leave an answer untaken. Whoever takes 4 KiB a second is given longer.
    #[arg(long, env = "ORDERD_HTTP_WRITE_WAIT_MAX", default_value = "10s", value_name = "TIME",
        allow_hyphen_values = true, value_parser = wait)]
    pub http_write_wait_max: Duration,
}

/// A time that isn't zero, which would refuse everybody.
fn wait(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < Duration::from_millis(10) {
        return Err("a time to wait is at least 10ms".to_owned());
    }
    Ok(time)
}
