//! What the strict profile adds, once every field has been read.
//!
//! A field that the lenient rules have refused already is passed over here, and so is every sum
//! that it belongs to: its value isn't the one that was sent, and one mistake is reported once.

use crate::order::Moment;
use crate::order::document::Document;
use crate::order::document::Item;
use crate::order::report::Parent;
use crate::order::report::Report;
use crate::order::validate::Code;
use email_address::EmailAddress;
use iso_currency::Currency;
use jiff::SignedDuration;
use jiff::Timestamp;
use std::collections::HashSet;

/// How far a producer's clock may be ahead.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Checks `document`. `now` is the present.
pub(crate) fn check(document: &Document, now: Timestamp, report: &mut Report) {
    let refused = report.paths().map(str::to_owned).collect();
    let mut rules = Rules { refused, report };
    rules.texts(document);
    rules.payment(document);
    rules.items(&document.items);
    let latest = Moment::from(now.checked_add(AHEAD_MAX).unwrap_or(Timestamp::MAX));
    let sentence = "The time lies more than 5 minutes ahead.";
    rules.must(document.date_created <= latest, "date_created", Code::OutOfRange, sentence);
}

struct Rules<'a> {
    /// The paths that the lenient rules have refused.
    refused: HashSet<String>,
    report: &'a mut Report,
}

impl Rules<'_> {
    fn must(&mut self, holds: bool, path: &str, code: Code, sentence: &str) {
        if !holds && !self.is_refused(path) {
            self.report.add(path, code, sentence);
        }
    }

    /// Whether the field or the object around it was refused.
    fn is_refused(&self, path: &str) -> bool {
        let around = path.rsplit_once('.').map_or("", |(around, _)| around);
        self.refused.contains(path) || self.refused.contains(around)
    }

    /// Whether the text is there; if not, that is the violation.
    fn filled(&mut self, text: &str, path: &str) -> bool {
        self.must(!text.is_empty(), path, Code::Required, "The text must not be empty.");
        !text.is_empty()
    }

    fn texts(&mut self, document: &Document) {
        let delivery = &document.delivery;
        let texts = [
            ("track_number", &document.track_number),
            ("entry", &document.entry),
            ("customer_id", &document.customer_id),
            ("delivery_service", &document.delivery_service),
            ("delivery.name", &delivery.name),
            ("delivery.zip", &delivery.zip),
            ("delivery.city", &delivery.city),
            ("delivery.address", &delivery.address),
            ("delivery.region", &delivery.region),
        ];
        for (path, text) in texts {
            self.filled(text, path);
        }
        if self.filled(&delivery.phone, "delivery.phone") {
            let sentence = "A phone number is + and 5 to 15 digits.";
            self.must(is_phone(&delivery.phone), "delivery.phone", Code::Format, sentence);
        }
        if self.filled(&delivery.email, "delivery.email") {
            let sentence = "This is no e-mail address.";
            self.must(is_email(&delivery.email), "delivery.email", Code::Format, sentence);
        }
    }

    fn payment(&mut self, document: &Document) {
        let payment = &document.payment;
        if self.filled(&payment.currency, "payment.currency") {
            let known = Currency::from_code(&payment.currency).is_some();
            let sentence = "This is no currency of ISO 4217, such as USD.";
            self.must(known, "payment.currency", Code::Format, sentence);
        }
        let amounts = [
            ("payment.amount", payment.amount),
            ("payment.delivery_cost", payment.delivery_cost),
            ("payment.goods_total", payment.goods_total),
            ("payment.custom_fee", payment.custom_fee),
        ];
        for (path, amount) in amounts {
            self.not_negative(amount, path);
        }
        // In 128 bits no sum of 1000 items can overflow.
        if !amounts.iter().any(|(path, _)| self.is_refused(path)) {
            let parts = [payment.goods_total, payment.delivery_cost, payment.custom_fee];
            let sum: i128 = parts.map(i128::from).iter().sum();
            let sentence = "The amount must be goods_total + delivery_cost + custom_fee.";
            let holds = i128::from(payment.amount) == sum;
            self.must(holds, "payment.amount", Code::Inconsistent, sentence);
        }
        let items_refused = self
            .refused
            .iter()
            .any(|path| path == "items" || path.starts_with("items[") && is_of_sum(path));
        if !items_refused {
            let sum: i128 = document.items.iter().map(|item| i128::from(item.total_price)).sum();
            let sentence = "The total must be the sum of the items' total_price.";
            let holds = i128::from(payment.goods_total) == sum;
            self.must(holds, "payment.goods_total", Code::Inconsistent, sentence);
        }
    }

    fn items(&mut self, items: &[Item]) {
        let mut rids = HashSet::new();
        for (position, item) in items.iter().enumerate() {
            let path = |name| Parent::Item(position).field(name);
            self.not_negative(item.price, &path("price"));
            self.not_negative(item.total_price, &path("total_price"));
            let sentence = "A sale is 0 to 100 per cent.";
            let in_range = (0..=100).contains(&item.sale);
            self.must(in_range, &path("sale"), Code::OutOfRange, sentence);
            let rid = path("rid");
            if !self.is_refused(&rid) {
                let sentence = "Another item of the order has the same rid.";
                self.must(rids.insert(&item.rid), &rid, Code::Duplicate, sentence);
            }
        }
    }

    fn not_negative(&mut self, amount: i64, path: &str) {
        self.must(amount >= 0, path, Code::OutOfRange, "The amount must not be negative.");
    }
}

/// Whether the path is a whole item or an item's total price.
fn is_of_sum(path: &str) -> bool {
    path.ends_with(']') || path.ends_with(".total_price")
}

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_email(text: &str) -> bool {
    let options = email_address::Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    EmailAddress::parse_with_options(text, options).is_ok()
}
