//! Searches, for Prometheus.

use std::sync::OnceLock;

use gateway_core::ToolSearch;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper ends of the duration histogram's buckets, in seconds: from words in memory to a chat model.
const BUCKETS: [f64; 13] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// How a search can end.
const OUTCOMES: [&str; 2] = ["none", "found"];

/// Counts and times searches.
#[derive(Debug)]
pub(super) struct Searches {
    searches: Family<OutcomeLabel, Counter>,
    /// A place for each of [`OUTCOMES`], filled when first needed.
    places: [OnceLock<Counter>; OUTCOMES.len()],
    duration: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl Default for Searches {
    fn default() -> Self {
        Self { searches: Family::default(), places: Default::default(), duration: Histogram::new(BUCKETS) }
    }
}

impl Searches {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("searches", "Searches for tools, by outcome", self.searches.clone());
        let help = "Ranking of a search, reasons included";
        registry.register_with_unit("search_duration", help, Unit::Seconds, self.duration.clone());
    }

    pub(super) fn count(&self, search: &ToolSearch<'_>) {
        let place = usize::from(!search.matches.is_empty());
        let counter = self.places[place].get_or_init(|| {
            let label = OutcomeLabel { outcome: OUTCOMES[place] };
            self.searches.get_or_create(&label).clone()
        });
        counter.inc();
        self.duration.observe(search.took.as_secs_f64());
    }
}
