//! The only form of a time: RFC 3339, with its offset, cut to microseconds.
//!
//! The form is checked here, because calendar libraries take more than the RFC allows (no seconds,
//! a comma, a zone's name, `:60`, six-digit years) or less of it (ten digits of a fraction). What
//! the digits mean is left to one.
//!
//! Of what the RFC leaves open, `t` and `z` in lower case are taken, as its grammar has them; a
//! space for the `T` is not, because the RFC allows it only where two sides have agreed on it.

use crate::order::Moment;
use crate::order::moment;
use crate::order::validate::Code;
use jiff::SignedDuration;
use jiff::civil::DateTime;

/// Why a text is no time.
pub(crate) type Refusal = (Code, &'static str);

const FORM: Refusal =
    (Code::Format, "This must be a time as RFC 3339 has it, such as 2021-11-26T06:22:19Z.");
const NO_SUCH_TIME: Refusal = (Code::Format, "There is no such day, time of day or offset.");
const SECOND_60: Refusal = (Code::Format, "A time with a 60th second is not taken.");
const YEAR: Refusal = (Code::OutOfRange, moment::OUT_OF_RANGE);

/// The moment that `text` names, cut to microseconds: cut in the text, so that the moments before
/// 1970 lose their last digits as all others do.
///
/// # Errors
/// The code and the sentence of the rule that the text breaks.
pub(crate) fn parse(text: &str) -> Result<Moment, Refusal> {
    let bytes = text.as_bytes();
    let (date_time, rest) = bytes.split_at_checked(19).ok_or(FORM)?;
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let marked = marks.iter().all(|&(at, mark)| date_time[at] == mark);
    if !marked || !matches!(date_time[10], b'T' | b't') {
        return Err(FORM);
    }
    let year = digits(&date_time[0..4])?;
    let [month, day] = [digits_of_two(&date_time[5..7])?, digits_of_two(&date_time[8..10])?];
    let [hour, minute] = [digits_of_two(&date_time[11..13])?, digits_of_two(&date_time[14..16])?];
    let second = digits_of_two(&date_time[17..19])?;
    let (nanosecond, rest) = fraction(rest)?;
    let offset = offset(rest)?;
    if second == 60 {
        return Err(SECOND_60);
    }
    let year = i16::try_from(year).map_err(|_| FORM)?;
    let civil = DateTime::new(year, month, day, hour, minute, second, nanosecond)
        .map_err(|_| NO_SUCH_TIME)?;
    Moment::from_civil(civil, offset).ok_or(YEAR)
}

/// The nanoseconds of a fraction that `rest` may start with, cut to whole microseconds, and what
/// comes after it.
fn fraction(rest: &[u8]) -> Result<(i32, &[u8]), Refusal> {
    let Some(after_point) = rest.strip_prefix(b".") else { return Ok((0, rest)) };
    let length = after_point.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return Err(FORM);
    }
    let (fraction, rest) = after_point.split_at(length);
    let mut microseconds = 0;
    for place in 0..6 {
        microseconds =
            microseconds * 10 + fraction.get(place).map_or(0, |byte| i32::from(byte - b'0'));
    }
    Ok((microseconds * 1000, rest))
}

/// How far the clock that was read is ahead of UTC.
fn offset(text: &[u8]) -> Result<SignedDuration, Refusal> {
    let (sign, hours, minutes) = match text {
        b"Z" | b"z" => return Ok(SignedDuration::ZERO),
        [b'+', hours @ .., b':', m1, m2] => (1, hours, [*m1, *m2]),
        [b'-', hours @ .., b':', m1, m2] => (-1, hours, [*m1, *m2]),
        _ => return Err(FORM),
    };
    if hours.len() != 2 {
        return Err(FORM);
    }
    let (hours, minutes) = (digits(hours)?, digits(&minutes)?);
    if hours > 23 || minutes > 59 {
        return Err(NO_SUCH_TIME);
    }
    Ok(SignedDuration::from_mins(i64::from(sign * (hours * 60 + minutes))))
}

fn digits_of_two(text: &[u8]) -> Result<i8, Refusal> {
    i8::try_from(digits(text)?).map_err(|_| FORM)
}

/// The number that at most four digits make.
fn digits(text: &[u8]) -> Result<i32, Refusal> {
    text.iter().try_fold(0, |number, byte| match byte {
        b'0'..=b'9' => Ok(number * 10 + i32::from(byte - b'0')),
        _ => Err(FORM),
    })
}
