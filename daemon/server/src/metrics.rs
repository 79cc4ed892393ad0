//! What is counted, for Prometheus.

use crate::{Error, Result, store::Store};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// A kind of answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answer {
    /// 2xx, 4xx, ...
    pub status: String,
}

/// A kind of work in a state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waiting {
    kind: String,
    state: String,
}

/// Seconds up to which answers are counted.
const BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0, 10.0];

/// The counters.
pub struct Metrics {
    registry: Registry,
    /// Updates made by workers.
    pub steps: Counter,
    /// Answers by status.
    pub answers: Family<Answer, Counter>,
    /// Seconds that answers took.
    pub seconds: Histogram,
    work: Family<Waiting, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let (steps, answers, work) = (Counter::default(), Family::default(), Family::default());
        let seconds = Histogram::new(BUCKETS);
        let mut registry = Registry::with_prefix("conceptd");
        registry.register("training_steps", "Updates made by workers", steps.clone());
        registry.register("answers", "Answers by status", answers.clone());
        registry.register_with_unit("answer", "Time to answer", Unit::Seconds, seconds.clone());
        registry.register("work", "What waits or runs", work.clone());
        Self { registry, steps, answers, seconds, work }
    }
}

impl Metrics {
    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn text(&self, store: &Store) -> Result<String> {
        self.work.clear();
        for (kind, state, count) in store.waiting()? {
            self.work.get_or_create(&Waiting { kind, state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(Error::bug)?;
        Ok(text)
    }
}
