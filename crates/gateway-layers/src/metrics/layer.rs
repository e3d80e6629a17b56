//! Counting calls.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use gateway_core::{Call, Context, ErrorKind, Feedback, Invoke, Layer, RawJson, Result, ToolSearch, ToolUse};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

use super::doors::Doors;
use super::handle::MetricsHandle;
use super::names::Names;
use super::searches::Searches;
use crate::per_server::PerServer;

/// Upper ends of the duration histogram's buckets, in seconds: from a local tool to a slow agent.
const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// How a call can end: with a result, dropped by its caller, or with an error of some kind.
const OUTCOMES: [Outcome; 16] = [
    Outcome::Ok,
    Outcome::Dropped,
    Outcome::Error(ErrorKind::InvalidRequest),
    Outcome::Error(ErrorKind::Unauthenticated),
    Outcome::Error(ErrorKind::Forbidden),
    Outcome::Error(ErrorKind::NotFound),
    Outcome::Error(ErrorKind::Conflict),
    Outcome::Error(ErrorKind::TooLarge),
    Outcome::Error(ErrorKind::InvalidArguments),
    Outcome::Error(ErrorKind::RateLimited),
    Outcome::Error(ErrorKind::Cancelled),
    Outcome::Error(ErrorKind::DeadlineExceeded),
    Outcome::Error(ErrorKind::UpstreamFailed),
    Outcome::Error(ErrorKind::Unavailable),
    Outcome::Error(ErrorKind::UpstreamTimeout),
    Outcome::Error(ErrorKind::Internal),
];

/// Settings of [`MetricsLayer`].
#[derive(Clone, Debug)]
pub struct MetricsConfig {
    /// Most server names that get series of their own; all others share `other`.
    pub max_servers: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { max_servers: 500 }
    }
}

/// Counts calls by server and outcome, times them, and knows how many are under way. As a [`Feedback`] it counts searches, too.
#[derive(Clone, Debug)]
pub struct MetricsLayer {
    families: Arc<Families>,
}

impl MetricsLayer {
    /// The layer, and the end where its numbers are read.
    pub fn new(config: &MetricsConfig) -> (Self, MetricsHandle) {
        let families = Arc::new(Families {
            names: Names::new(config.max_servers),
            calls: Family::default(),
            durations: Family::new_with_constructor(NewHistogram),
            in_flight: Family::default(),
            request_bytes: Family::default(),
            response_bytes: Family::default(),
            doors: Doors::default(),
            searches: Searches::default(),
        });
        let mut registry = Registry::with_prefix("mcp_gateway");
        registry.register("calls", "Calls of upstream servers, by outcome", families.calls.clone());
        registry.register_with_unit(
            "call_duration",
            "From the call to its answer, waiting and retries included",
            Unit::Seconds,
            families.durations.clone(),
        );
        registry.register("calls_in_flight", "Calls under way", families.in_flight.clone());
        let (sent, received) = (families.request_bytes.clone(), families.response_bytes.clone());
        registry.register_with_unit("request", "Params of calls", Unit::Bytes, sent);
        registry.register_with_unit("response", "Results of calls", Unit::Bytes, received);
        families.doors.register(&mut registry);
        families.searches.register(&mut registry);
        (Self { families }, MetricsHandle::new(registry))
    }
}

impl Layer for MetricsLayer {
    fn layer(&self, inner: Arc<dyn Invoke>) -> Arc<dyn Invoke> {
        Arc::new(Measured { inner, families: Arc::clone(&self.families), series: PerServer::default() })
    }
}

impl Feedback for MetricsLayer {
    fn used(&self, _used: &ToolUse<'_>) {}

    fn searched(&self, search: &ToolSearch<'_>) {
        self.families.searches.count(search);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabel {
    server: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    server: String,
    outcome: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct NewHistogram;

impl MetricConstructor<Histogram> for NewHistogram {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

/// All series of all servers.
#[derive(Debug)]
struct Families {
    names: Names,
    calls: Family<CallLabels, Counter>,
    durations: Family<ServerLabel, Histogram, NewHistogram>,
    in_flight: Family<ServerLabel, Gauge>,
    request_bytes: Family<ServerLabel, Counter>,
    response_bytes: Family<ServerLabel, Counter>,
    doors: Doors,
    searches: Searches,
}

/// The series of one server, at hand: nothing is looked up by name on the road of a call.
#[derive(Debug)]
struct Series {
    server: String,
    calls: Family<CallLabels, Counter>,
    /// One place for each of [`OUTCOMES`], filled when first needed: no series for what never happens.
    outcomes: [OnceLock<Counter<u64, AtomicU64>>; OUTCOMES.len()],
    duration: Histogram,
    in_flight: Gauge,
    request_bytes: Counter,
    response_bytes: Counter,
}

impl Families {
    fn series(&self, name: &str) -> Series {
        let server = self.names.label(name);
        let label = ServerLabel { server: server.clone() };
        Series {
            calls: self.calls.clone(),
            outcomes: Default::default(),
            duration: self.durations.get_or_create(&label).clone(),
            in_flight: self.in_flight.get_or_create(&label).clone(),
            request_bytes: self.request_bytes.get_or_create(&label).clone(),
            response_bytes: self.response_bytes.get_or_create(&label).clone(),
            server,
        }
    }
}

#[derive(Debug)]
struct Measured {
    inner: Arc<dyn Invoke>,
    families: Arc<Families>,
    series: PerServer<Series>,
}

#[async_trait]
impl Invoke for Measured {
    async fn invoke(&self, context: &Context, call: &Call) -> Result<RawJson> {
        let series = self.series.of(&call.server, |server| self.families.series(server.spec().name()));
        self.families.doors.count(context.door());
        series.request_bytes.inc_by(length(&call.params));
        let mut measurement = Measurement::start(series);
        let answer = self.inner.invoke(context, call).await;
        measurement.outcome = match &answer {
            Ok(result) => {
                measurement.series.response_bytes.inc_by(length(result));
                Outcome::Ok
            }
            Err(error) => Outcome::Error(error.kind()),
        };
        answer
    }
}

fn length(json: &RawJson) -> u64 {
    u64::try_from(json.as_bytes().len()).unwrap_or(u64::MAX)
}

/// One call under way; counted when this is dropped, so that a call whose caller went away counts too.
struct Measurement {
    series: Arc<Series>,
    start: Instant,
    outcome: Outcome,
}

impl Measurement {
    fn start(series: Arc<Series>) -> Self {
        series.in_flight.inc();
        Self { series, start: Instant::now(), outcome: Outcome::Dropped }
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        let series = &self.series;
        series.in_flight.dec();
        series.duration.observe(self.start.elapsed().as_secs_f64());
        series.count(self.outcome);
    }
}

impl Series {
    fn count(&self, outcome: Outcome) {
        let place = OUTCOMES.iter().position(|&known| known == outcome).unwrap_or(0);
        let counter = self.outcomes[place].get_or_init(|| {
            let labels = CallLabels { server: self.server.clone(), outcome: outcome.as_str() };
            self.calls.get_or_create(&labels).clone()
        });
        counter.inc();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Ok,
    Dropped,
    Error(ErrorKind),
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Dropped => "dropped",
            Self::Error(kind) => kind.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_place_and_a_word_of_its_own() {
        let words: std::collections::HashSet<_> = OUTCOMES.iter().map(|outcome| outcome.as_str()).collect();
        assert_eq!(words.len(), OUTCOMES.len());
    }

    #[test]
    fn measurements_reach_the_page_also_when_dropped() {
        let (layer, handle) = MetricsLayer::new(&MetricsConfig { max_servers: 1 });
        let known = Arc::new(layer.families.series(r#"quo"ted\name"#));
        let other = Arc::new(layer.families.series("one too many"));
        let running = Measurement::start(Arc::clone(&known));
        let mut failed = Measurement::start(Arc::clone(&known));
        failed.outcome = Outcome::Error(ErrorKind::UpstreamTimeout);
        drop(failed);
        drop(Measurement::start(other));
        let page = handle.render();
        for line in [
            r#"mcp_gateway_calls_total{server="quo\"ted\\name",outcome="upstream_timeout"} 1"#,
            r#"mcp_gateway_calls_total{server="other",outcome="dropped"} 1"#,
            r#"mcp_gateway_calls_in_flight{server="quo\"ted\\name"} 1"#,
            r#"mcp_gateway_call_duration_seconds_count{server="other"} 1"#,
        ] {
            assert!(page.lines().any(|have| have == line), "{line} is not in\n{page}");
        }
        drop(running);
    }
}
