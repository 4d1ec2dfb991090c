//! What surrounds the content of every page: its language, where it stands, and its links.

use crate::http::assets;
use crate::http::context::Context;
use crate::http::negotiate::LANG;
use crate::http::words::Language;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

/// The parameter that asks the browser to keep the language in a cookie. Without it `lang` holds
/// for one answer only, so that a page that refreshes itself changes no other page's language.
pub(super) const REMEMBER: &str = "remember";

/// A part of the site that the navigation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    None,
    Orders,
    Cache,
    DeadLetters,
}

/// The frame of one page.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) language: Language,
    pub(super) section: Section,
    /// What stands in the search field.
    pub(super) query: String,
    /// The page's own address without its language, ending with `?` or `&`.
    address: String,
}

impl Frame {
    pub(super) fn new(context: &Context, section: Section) -> Self {
        let is_kept = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or("");
            !pair.is_empty() && name != LANG && name != REMEMBER
        };
        let mut address = format!("{}?", context.uri.path());
        for pair in context.uri.query().unwrap_or("").split('&').filter(is_kept) {
            address += pair;
            address.push('&');
        }
        Self { language: context.language, section, query: String::new(), address }
    }

    /// Whether the page stands in the part of the orders.
    pub(super) fn is_orders(&self) -> bool {
        self.section == Section::Orders
    }

    /// Whether the page stands in the part of the cache.
    pub(super) fn is_cache(&self) -> bool {
        self.section == Section::Cache
    }

    /// Whether the page stands in the part of the dead letters.
    pub(super) fn is_dead_letters(&self) -> bool {
        self.section == Section::DeadLetters
    }

    /// Each language and this page in it.
    pub(super) fn languages(&self) -> impl Iterator<Item = (Language, String)> {
        Language::ALL.into_iter().map(|language| {
            let code = language.code();
            (language, format!("{}{LANG}={code}&{REMEMBER}=1", self.address))
        })
    }

    /// The address of a file that pages load.
    pub(super) fn asset(&self, name: &str) -> String {
        assets::href(name)
    }
}

/// The page of an order.
pub(super) fn order_href(uid: &str) -> String {
    format!("/?uid={}", utf8_percent_encode(uid, NON_ALPHANUMERIC))
}
