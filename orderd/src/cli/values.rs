//! What a setting's text has to be, where a number or a name won't do.

use secrecy::SecretString;
use std::net::SocketAddr;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// A word that is no level would be taken for the name of a crate, and silence all others.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let is_level = |part: &str| part.parse::<LevelFilter>().is_ok();
    let mut parts = text.split(',').map(str::trim);
    match text.parse::<EnvFilter>() {
        Ok(_) if parts.all(|part| is_level(part) || part.contains(['=', '[', ':'])) => {
            Ok(text.to_owned())
        }
        Ok(_) => Err("a filter has levels such as info or orderd=debug".to_owned()),
        Err(error) => Err(format!("a filter has levels such as info or orderd=debug: {error}")),
    }
}

/// What no log, error or `Debug` shows.
pub(super) fn secret(text: &str) -> Result<SecretString, String> {
    if text.is_empty() {
        return Err("an empty text is no secret: leave the setting out".to_owned());
    }
    Ok(SecretString::from(text))
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "an address is an IP address and a port, such as 127.0.0.1:8081 or [::1]:8081".to_owned()
    })
}

/// A name as it stands in a `Host` header, without its port.
pub(super) fn host_name(text: &str) -> Result<String, String> {
    let in_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !text.is_empty() && text.bytes().all(in_names) {
        return Ok(text.to_owned());
    }
    Err("a name has no scheme, port or path, such as orders.example.com".to_owned())
}

/// A time such as `2s`, `150ms` or `1m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|time| Duration::try_from(time).ok())
        .ok_or_else(|| "a time has a number and a unit, such as 2s, 150ms or 1m".to_owned())
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    let valid = |rate: &f64| rate.is_finite() && *rate >= 0.0;
    text.parse().ok().filter(valid).ok_or_else(|| "a rate is a number from 0 on".to_owned())
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    let valid = |share: &f64| (0.0..=1.0).contains(share);
    text.parse().ok().filter(valid).ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}
