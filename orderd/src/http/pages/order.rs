//! An order as a page shows it, whole or as a card.
//!
//! It is taken apart by the same decoder that let it in.

use crate::catalog::ReadError;
use crate::catalog::StoredOrder;
use crate::http::orders::Origin;
use crate::http::pages::frame::order_href;
use crate::http::words::Language;
use crate::order::Moment;
use crate::order::decode::decode;
use crate::order::document::Document;
use crate::order::document::Item;
use crate::order::validate::Profile;
use jiff::Timestamp;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use std::time::Duration;

/// Who reads, and when.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub(super) language: Language,
    pub(super) wall: Timestamp,
}

/// An order that was found, with where it came from.
pub(super) struct Found {
    pub(super) document: Document,
    pub(super) json_href: String,
    language: Language,
    origin: Origin,
    took: Duration,
}

impl Found {
    pub(super) fn of(
        order: &StoredOrder,
        origin: Origin,
        took: Duration,
        reading: &Reading,
    ) -> Result<Self, ReadError> {
        let encoded = utf8_percent_encode(order.uid.as_str(), NON_ALPHANUMERIC);
        Ok(Self {
            json_href: format!("/orders/{encoded}"),
            document: document(order, reading.wall)?,
            language: reading.language,
            origin,
            took,
        })
    }

    pub(super) fn is_hit(&self) -> bool {
        self.origin == Origin::Cache
    }

    pub(super) fn origin(&self) -> &'static str {
        let words = self.language.words();
        match self.origin {
            Origin::Cache => words.from_cache,
            Origin::Stale => words.from_stale_cache,
            Origin::Store => words.from_store,
        }
    }

    pub(super) fn took(&self) -> String {
        self.language.milliseconds(self.took)
    }

    pub(super) fn created(&self) -> String {
        self.language.moment(self.document.date_created)
    }

    /// When the order was paid; `None` for a number that is no time.
    pub(super) fn paid(&self) -> Option<(Moment, String)> {
        let moment = Moment::from_second(self.document.payment.payment_dt)?;
        Some((moment, self.language.moment(moment)))
    }

    pub(super) fn items(&self) -> String {
        self.language.count(self.document.items.len() as u64)
    }

    /// By reference, as templates hand over what they name.
    pub(super) fn money(&self, amount: &i64) -> String {
        self.language.money(*amount, &self.document.payment.currency)
    }

    pub(super) fn sale(&self, item: &Item) -> String {
        self.language.percent(&self.language.number(item.sale))
    }
}

/// One order in the list of the newest.
pub(super) struct Card {
    pub(super) document: Document,
    pub(super) href: String,
    language: Language,
}

impl Card {
    pub(super) fn of(order: &StoredOrder, reading: &Reading) -> Result<Self, ReadError> {
        Ok(Self {
            href: order_href(order.uid.as_str()),
            document: document(order, reading.wall)?,
            language: reading.language,
        })
    }

    /// To the second: a card is for telling orders apart.
    pub(super) fn created(&self) -> String {
        let second = Moment::from_second(self.document.date_created.as_second());
        second.map(|moment| self.language.moment(moment)).unwrap_or_default()
    }

    pub(super) fn amount(&self) -> String {
        self.language.money(self.document.payment.amount, &self.document.payment.currency)
    }
}

/// The fields of a stored order.
fn document(order: &StoredOrder, wall: Timestamp) -> Result<Document, ReadError> {
    let element = decode(&order.body, Profile::Lenient, wall).into_iter().next();
    let order = element.and_then(|element| element.order.ok()).ok_or(ReadError::Corrupt)?;
    Ok(order.document().clone())
}
