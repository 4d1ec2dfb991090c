//! A metric that is asked for when somebody reads it.
//!
//! The part that knows the value counts for itself already, so counting a second time would cost a
//! shared write on its hot path and could differ from the first.

use prometheus::core::Collector;
use prometheus::core::Desc;
use prometheus::proto::Counter;
use prometheus::proto::Gauge;
use prometheus::proto::LabelPair;
use prometheus::proto::Metric;
use prometheus::proto::MetricFamily;
use prometheus::proto::MetricType;
use std::collections::HashMap;
use std::sync::Arc;

/// Whether a metric only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One value of a metric, with the labels that tell it from the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Each label with its value.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

impl From<u64> for Sample {
    fn from(value: u64) -> Self {
        Self { labels: Vec::new(), value: value as f64 }
    }
}

type Read = Arc<dyn Fn() -> Vec<Sample> + Send + Sync>;

pub(super) struct Reading {
    description: Desc,
    kind: Kind,
    read: Read,
}

impl Reading {
    pub(super) fn new(name: &'static str, help: &'static str, kind: Kind, read: Read) -> Self {
        let description = Desc::new(name.to_owned(), help.to_owned(), Vec::new(), HashMap::new());
        Self { description: description.expect("the name of a reading is legal"), kind, read }
    }

    fn metric(&self, sample: Sample) -> Metric {
        let labels = sample.labels.into_iter().map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value);
            pair
        });
        let mut metric = Metric::from_label(labels.collect());
        match self.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(sample.value);
                metric.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(sample.value);
                metric.set_gauge(gauge);
            }
        }
        metric
    }
}

impl Collector for Reading {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(self.description.fq_name.clone());
        family.set_help(self.description.help.clone());
        family.set_field_type(match self.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
        });
        family.set_metric((self.read)().into_iter().map(|sample| self.metric(sample)).collect());
        vec![family]
    }
}
