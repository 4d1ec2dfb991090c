//! The cache, looked into: its entries by recency, its size, and how it did over time.
//!
//! Looking uses no entry: what is least recently used stays so. A page shows [`PAGE`] entries, and
//! the cache is locked for no longer than it takes to copy them.

use crate::catalog::Capacity;
use crate::catalog::StoredOrder;
use crate::http::Response;
use crate::http::Service;
use crate::http::answer::Keep;
use crate::http::answer::json;
use crate::http::context::Context;
use crate::http::negotiate::Form;
use crate::http::pages::chart;
use crate::http::pages::chart::Chart;
use crate::http::pages::frame::Frame;
use crate::http::pages::frame::Section;
use crate::http::pages::frame::order_href;
use crate::http::pages::respond;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::words::Language;
use crate::http::words::Words;
use crate::series::SAMPLES_MAX;
use crate::series::Sample;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use askama::Template;
use bytes::Bytes;
use std::time::Duration;

/// How many entries a page shows.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "cache.html")]
struct CachePage {
    frame: Frame,
    t: &'static Words,
    language: Language,
    state: State,
    charts: Vec<Chart>,
    skip: usize,
}

/// The cache as it is found.
struct State {
    entries: usize,
    capacity: Capacity,
    bytes: u64,
    hits: u64,
    misses: u64,
    hit_ratio: Option<f64>,
    evictions: u64,
    insertions: u64,
    removals: u64,
    samples: Vec<Sample>,
    newest: Vec<StoredOrder>,
}

/// `GET /cache?from=`: a page for browsers, JSON for all others.
pub(in crate::http) fn cache(
    service: &Service,
    query: &Query,
    form: Form,
    context: &Context,
) -> Result<Response, Problem> {
    let skip = query.one_of(&["from"])?.map_or(Ok(0), parse_from)?;
    let state = State::of(service, skip);
    let mut response = match form {
        Form::Json => json(StatusCode::OK, Keep::No, Bytes::from(state.json(skip))),
        Form::Page => {
            let (language, t) = (context.language, context.language.words());
            let frame = Frame::new(context, Section::Cache);
            let charts = charts(language, &state.samples);
            respond(StatusCode::OK, context, &CachePage { frame, t, language, state, charts, skip })
        }
    };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

fn parse_from(text: &str) -> Result<usize, Problem> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits).ok_or_else(|| {
        Problem::bad_request("bad_from", "The parameter from is a number of entries to pass over.")
    })
}

impl State {
    fn of(service: &Service, skip: usize) -> Self {
        let catalog = &service.catalog;
        let stats = catalog.stats();
        Self {
            entries: catalog.len(),
            capacity: catalog.capacity(),
            bytes: catalog.bytes(),
            hits: stats.hits,
            misses: stats.misses,
            hit_ratio: stats.hit_ratio(),
            evictions: stats.evictions,
            insertions: stats.inserts,
            removals: stats.removals,
            samples: service.series.samples(),
            newest: catalog.orders_by_recency(skip, PAGE),
        }
    }

    fn json(&self, skip: usize) -> String {
        let ms = |took: Option<Duration>| took.map(|took| took.as_secs_f64() * 1000.0);
        let entries = self.newest.iter().map(|order| {
            serde_json::json!({ "order_uid": order.uid.as_str(), "bytes": order.body.len() })
        });
        let samples = self.samples.iter().map(|sample| {
            serde_json::json!({
                "at": sample.at.to_string(),
                "hits": sample.hits,
                "misses": sample.misses,
                "hit_ratio": sample.hit_ratio(),
                "evictions": sample.evictions,
                "entries": sample.entries,
                "hit_ms_mean": ms(sample.hit_mean),
                "miss_ms_mean": ms(sample.miss_mean),
            })
        });
        serde_json::json!({
            "entries": self.entries,
            "capacity": self.capacity.entries,
            "bytes": self.bytes,
            "capacity_bytes": self.capacity.bytes,
            "hits": self.hits,
            "misses": self.misses,
            "hit_ratio": self.hit_ratio,
            "evictions": self.evictions,
            "insertions": self.insertions,
            "removals": self.removals,
            "from": skip,
            "by_recency": entries.collect::<Vec<_>>(),
            "samples": samples.collect::<Vec<_>>(),
        })
        .to_string()
    }
}

impl CachePage {
    fn entries(&self) -> String {
        self.language.count(self.state.entries as u64)
    }

    fn capacity(&self) -> String {
        self.language.count(self.state.capacity.entries as u64)
    }

    fn capacity_bytes(&self) -> Option<String> {
        self.state.capacity.bytes.map(|bytes| self.language.bytes(bytes))
    }

    fn bytes(&self) -> String {
        self.language.bytes(self.state.bytes)
    }

    fn count(&self, count: &u64) -> String {
        self.language.count(*count)
    }

    fn hit_ratio(&self) -> Option<String> {
        let ratio = self.state.hit_ratio?;
        Some(self.language.percent(&self.language.decimal(ratio * 100.0, 1)))
    }

    /// Each shown entry: its place, its order and that one's size.
    fn rows(&self) -> impl Iterator<Item = (String, &str, String, String)> {
        (self.skip as u64 + 1..).zip(&self.state.newest).map(|(place, order)| {
            let uid = order.uid.as_str();
            let bytes = self.language.bytes(order.body.len() as u64);
            (self.language.count(place), uid, order_href(uid), bytes)
        })
    }

    fn newer_href(&self) -> Option<String> {
        (self.skip > 0).then(|| format!("/cache?from={}", self.skip.saturating_sub(PAGE)))
    }

    fn older_href(&self) -> Option<String> {
        let next = self.skip.saturating_add(PAGE);
        (next < self.state.entries).then(|| format!("/cache?from={next}"))
    }
}

fn charts(language: Language, samples: &[Sample]) -> Vec<Chart> {
    let t = language.words();
    let ratios: Vec<_> = samples.iter().map(Sample::hit_ratio).collect();
    let percent = |share: f64| language.percent(&language.decimal(share * 100.0, 0));
    let newest = ratios.iter().rev().find_map(|ratio| *ratio);
    let ratio = Chart {
        title: t.hit_ratio,
        newest: newest.map(percent),
        top: percent(1.0),
        line: chart::line(&ratios, 1.0, SAMPLES_MAX),
    };
    let latency = |title, of: fn(&Sample) -> Option<Duration>| {
        let means: Vec<_> =
            samples.iter().map(|sample| of(sample).map(|mean| mean.as_secs_f64())).collect();
        let highest = means.iter().flatten().copied().reduce(f64::max);
        let top = chart::rounded_up(highest.unwrap_or_default());
        let written = |seconds| language.milliseconds(Duration::from_secs_f64(seconds));
        Chart {
            title,
            newest: means.iter().rev().find_map(|mean| *mean).map(written),
            top: highest.map(|_| written(top)).unwrap_or_default(),
            line: chart::line(&means, top, SAMPLES_MAX),
        }
    };
    vec![
        ratio,
        latency(t.hit_latency, |sample| sample.hit_mean),
        latency(t.miss_latency, |sample| sample.miss_mean),
    ]
}
