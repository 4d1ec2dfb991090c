//! Numbers, money and times as a language writes them.
//!
//! Amounts are shown as the orders say them, in whole units: the document knows no smaller ones.

use crate::http::words::Language;
use crate::order::Moment;
use std::time::Duration;

/// Keeps a number and what belongs to it on one line.
const NO_BREAK_SPACE: char = '\u{a0}';

/// A longer minus than the hyphen, and never broken off its number.
const MINUS: char = '\u{2212}';

/// The signs that belong to one currency alone; a dollar of another country shows its code.
const SIGNS: [(&str, &str); 8] = [
    ("EUR", "€"),
    ("GBP", "£"),
    ("ILS", "₪"),
    ("INR", "₹"),
    ("KZT", "₸"),
    ("RUB", "₽"),
    ("UAH", "₴"),
    ("USD", "$"),
];

impl Language {
    /// A whole number, in groups of three digits.
    pub(in crate::http) fn number(self, number: i64) -> String {
        let sign = if number < 0 { String::from(MINUS) } else { String::new() };
        sign + &self.grouped(number.unsigned_abs())
    }

    /// A count, in groups of three digits.
    pub(in crate::http) fn count(self, count: u64) -> String {
        self.grouped(count)
    }

    /// A size in the largest unit of which there is one, decimal as disks and networks count.
    pub(in crate::http) fn bytes(self, bytes: u64) -> String {
        let words = self.words();
        let (number, unit) = match bytes {
            0..1000 => (self.count(bytes), words.bytes),
            1000..1_000_000 => (self.decimal(bytes as f64 / 1e3, 1), words.kilobytes),
            _ => (self.decimal(bytes as f64 / 1e6, 1), words.megabytes),
        };
        format!("{number}{NO_BREAK_SPACE}{unit}")
    }

    fn grouped(self, number: u64) -> String {
        let separator = match self {
            Self::English => ',',
            Self::Russian => NO_BREAK_SPACE,
        };
        let digits = number.to_string();
        let mut text = String::with_capacity(digits.len() * 2);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(separator);
            }
            text.push(digit);
        }
        text
    }

    /// An amount with its currency's sign, or with the code where the currency has none of its own.
    pub(in crate::http) fn money(self, amount: i64, currency: &str) -> String {
        let number = self.number(amount);
        let sign = SIGNS.iter().find(|(code, _)| *code == currency).map(|(_, sign)| *sign);
        match (self, sign) {
            (_, None) if currency.is_empty() => number,
            (_, None) => format!("{number}{NO_BREAK_SPACE}{currency}"),
            (Self::English, Some(sign)) => match number.strip_prefix(MINUS) {
                Some(number) => format!("{MINUS}{sign}{number}"),
                None => format!("{sign}{number}"),
            },
            (Self::Russian, Some(sign)) => format!("{number}{NO_BREAK_SPACE}{sign}"),
        }
    }

    /// A decimal number with so many places.
    pub(in crate::http) fn decimal(self, number: f64, places: usize) -> String {
        let text = format!("{number:.places$}");
        match self {
            Self::English => text,
            Self::Russian => text.replace('.', ","),
        }
    }

    /// A number that counts hundredths, with its sign.
    pub(in crate::http) fn percent(self, number: &str) -> String {
        match self {
            Self::English => format!("{number}%"),
            Self::Russian => format!("{number}{NO_BREAK_SPACE}%"),
        }
    }

    /// Milliseconds with three places that say something, down to the microsecond.
    pub(in crate::http) fn milliseconds(self, took: Duration) -> String {
        let ms = took.as_secs_f64() * 1000.0;
        let places = if ms < 1.0 {
            3
        } else if ms < 100.0 {
            1
        } else {
            0
        };
        format!("{}{NO_BREAK_SPACE}{}", self.decimal(ms, places), self.words().ms)
    }

    /// A time in UTC, with the fractions that it has.
    pub(in crate::http) fn moment(self, moment: Moment) -> String {
        let text = moment.to_string();
        let (date, time) = text.split_once('T').unwrap_or((&text, ""));
        let time = time.trim_end_matches('Z');
        let mut parts = date.split('-');
        let (year, month) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let day = parts.next().unwrap_or("").trim_start_matches('0');
        let months = self.words().months;
        let number: usize = month.parse().unwrap_or(0);
        let month = number.checked_sub(1).and_then(|at| months.get(at)).unwrap_or(&"");
        format!("{day}{NO_BREAK_SPACE}{month} {year}, {time}{NO_BREAK_SPACE}UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue: money and numbers stand as each language writes them.
    #[test]
    fn money_follows_language_and_currency() {
        for (amount, currency, english, russian) in [
            (1817, "USD", "$1,817", "1\u{a0}817\u{a0}$"),
            (-1_234_567, "RUB", "−₽1,234,567", "−1\u{a0}234\u{a0}567\u{a0}₽"),
            (0, "EUR", "€0", "0\u{a0}€"),
            (10_000, "CAD", "10,000\u{a0}CAD", "10\u{a0}000\u{a0}CAD"),
            (5, "", "5", "5"),
            (
                i64::MIN,
                "<b>",
                "−9,223,372,036,854,775,808\u{a0}<b>",
                "−9\u{a0}223\u{a0}372\u{a0}036\u{a0}854\u{a0}775\u{a0}808\u{a0}<b>",
            ),
        ] {
            assert_eq!(Language::English.money(amount, currency), english);
            assert_eq!(Language::Russian.money(amount, currency), russian);
        }
    }

    /// Issue: times stand as each language writes them, from the first year to the last.
    #[test]
    fn moments_are_written_out() {
        let written = |language: Language, moment: Moment| {
            language.moment(moment).replace(NO_BREAK_SPACE, " ")
        };
        let moment: Moment = "2021-11-06T06:22:19.25Z".parse().unwrap();
        assert_eq!(written(Language::English, moment), "6 Nov 2021, 06:22:19.25 UTC");
        assert_eq!(written(Language::Russian, moment), "6 нояб. 2021, 06:22:19.25 UTC");
        assert_eq!(written(Language::English, Moment::MIN), "1 Jan 0001, 00:00:00 UTC");
        assert_eq!(written(Language::Russian, Moment::MAX), "31 дек. 9999, 23:59:59.999999 UTC");
    }

    /// Issue: how long a read took is readable from microseconds to seconds.
    #[test]
    fn durations_have_the_places_that_matter() {
        for (micros, english, russian) in [
            (7, "0.007\u{a0}ms", "0,007\u{a0}мс"),
            (1500, "1.5\u{a0}ms", "1,5\u{a0}мс"),
            (2_345_600, "2346\u{a0}ms", "2346\u{a0}мс"),
        ] {
            let took = Duration::from_micros(micros);
            assert_eq!(Language::English.milliseconds(took), english);
            assert_eq!(Language::Russian.milliseconds(took), russian);
        }
        for (bytes, english, russian) in [
            (999, "999\u{a0}bytes", "999\u{a0}байт"),
            (1500, "1.5\u{a0}kB", "1,5\u{a0}кБ"),
            (12_345_678, "12.3\u{a0}MB", "12,3\u{a0}МБ"),
        ] {
            assert_eq!(Language::English.bytes(bytes), english);
            assert_eq!(Language::Russian.bytes(bytes), russian);
        }
        assert_eq!(Language::English.percent("12"), "12%");
        assert_eq!(Language::Russian.percent("12"), "12\u{a0}%");
    }
}
