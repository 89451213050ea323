//! Series of numbers as Prometheus reads them: each is declared once, with what it means.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// More numbers than this are not given out: then those of single resources are left out.
pub(super) const SAMPLES_MAX: usize = 5000;

/// A series.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Series {
    /// Its name; of a counter without the `_total` with which it is written.
    pub(super) name: &'static str,
    /// What it counts or measures, with the unit.
    pub(super) help: &'static str,
    /// It only grows, while the daemon lives.
    pub(super) counts: bool,
    /// It has a number for each resource, so there may be very many.
    pub(super) by_resource: bool,
}

impl Series {
    /// A number that goes up and down.
    pub(super) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, help, counts: false, by_resource: false }
    }

    /// A number that only grows.
    pub(super) const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, help, counts: true, by_resource: false }
    }

    /// A number for each resource.
    pub(super) const fn by_resource(name: &'static str, help: &'static str) -> Self {
        Self { name, help, counts: false, by_resource: true }
    }
}

type Labels = Vec<(&'static str, String)>;

/// The numbers of one moment.
#[derive(Debug, Default)]
pub(super) struct Page {
    samples: BTreeMap<&'static str, (&'static Series, BTreeMap<Labels, f64>)>,
}

impl Page {
    /// Adds a number. Of two with the same labels, which one reader or another would refuse, the larger one stays.
    pub(super) fn put(&mut self, series: &'static Series, labels: &[(&'static str, &str)], value: f64) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let (_, samples) = self.samples.entry(series.name).or_insert((series, BTreeMap::new()));
        let known = samples.entry(labels).or_insert(value);
        *known = known.max(value);
    }

    /// The same for something that is so or not.
    pub(super) fn flag(&mut self, series: &'static Series, labels: &[(&'static str, &str)], is_so: bool) {
        self.put(series, labels, f64::from(u8::from(is_so)));
    }

    /// The same for a count.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
    pub(super) fn count(&mut self, series: &'static Series, labels: &[(&'static str, &str)], count: u64) {
        self.put(series, labels, count as f64);
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.samples.values().map(|(_, samples)| samples.len()).sum()
    }

    /// Leaves out the numbers of single resources.
    pub(super) fn without_resources(&mut self) {
        self.samples.retain(|_, (series, _)| !series.by_resource);
    }

    /// The number with these labels.
    #[cfg(test)]
    pub(super) fn get(&self, name: &str, labels: &[(&'static str, &str)]) -> Option<f64> {
        let labels: Labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.samples.get(name)?.1.get(&labels).copied()
    }

    /// The numbers as text, in the form of OpenMetrics 1.0.
    pub(super) fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        // As OpenMetrics writes infinity; no label can hold the end of a line.
        Ok(text.replace(" inf\n", " +Inf\n").replace(" -inf\n", " -Inf\n"))
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (series, samples) in self.samples.values() {
            let kind = if series.counts { MetricType::Counter } else { MetricType::Gauge };
            let mut family = encoder.encode_descriptor(series.name, series.help, None, kind)?;
            for (labels, value) in samples {
                let sample = family.encode_family(labels)?;
                if series.counts {
                    ConstCounter::new(*value).encode(sample)?;
                } else {
                    ConstGauge::new(*value).encode(sample)?;
                }
            }
        }
        Ok(())
    }
}
