//! What a setting's text has to be, where a number or a name won't do.

use http::Uri;
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

/// An origin as browsers send it: lower case, without a path, and without the port that its scheme
/// has by itself.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let is_origin = |uri: &Uri| {
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let own_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let is_plain = !text.contains('@') && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        (is_plain && authority.port_u16() != Some(own_port) && !authority.as_str().ends_with(':'))
            .then(|| format!("{scheme}://{authority}"))
    };
    let parsed = text.parse::<Uri>().ok();
    parsed.as_ref().and_then(is_origin).filter(|origin| origin == text).ok_or_else(|| {
        "an origin has a scheme and a name in lower case and no path, such as \
         https://shop.example.com or http://localhost:3000"
            .to_owned()
    })
}

/// A time such as `2s`, `150ms` or `1m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|time| Duration::try_from(time).ok())
        .ok_or_else(|| "a time has a number and a unit, such as 2s, 150ms or 1m".to_owned())
}

/// A number of bytes such as `65536`, `512KiB`, `64MiB` or `2GiB`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: Option<u64> = match &text[digits.len()..] {
        "" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+'));
    number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit))
        .ok_or_else(|| "a size is a number, alone or with KiB, MiB or GiB: 64MiB".to_owned())
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    let valid = |rate: &f64| rate.is_finite() && *rate >= 0.0;
    text.parse().ok().filter(valid).ok_or_else(|| "a rate is a number from 0 on".to_owned())
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    let valid = |share: &f64| (0.0..=1.0).contains(share);
    text.parse().ok().filter(valid).ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}
