//! Reading the numbers.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::{Gateway, ServerState};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// The media type of [`MetricsHandle::render`]'s text.
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// States in the order in which they are shown.
const STATES: [(ServerState, &str); 7] = [
    (ServerState::Disabled, "disabled"),
    (ServerState::Idle, "idle"),
    (ServerState::Connecting, "connecting"),
    (ServerState::Ready, "ready"),
    (ServerState::Degraded, "degraded"),
    (ServerState::BackingOff, "backing_off"),
    (ServerState::Failed, "failed"),
];

/// The numbers of a [`MetricsLayer`](crate::MetricsLayer) and of gauges that are read when asked.
/// Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub struct MetricsHandle {
    registry: Arc<Mutex<Registry>>,
}

/// One value of a gauge.
#[derive(Clone, Debug, PartialEq)]
pub struct GaugeReading {
    /// What sets it apart from the gauge's other values. Keep the number of different values small.
    pub labels: Vec<(&'static str, Cow<'static, str>)>,
    /// How much it is.
    pub value: f64,
}

impl GaugeReading {
    /// The only value of a gauge.
    pub fn new(value: f64) -> Self {
        Self { labels: Vec::new(), value }
    }

    /// With one more label.
    #[must_use]
    pub fn with_label(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.labels.push((name, value.into()));
        self
    }
}

impl MetricsHandle {
    pub(super) fn new(registry: Registry) -> Self {
        Self { registry: Arc::new(Mutex::new(registry)) }
    }

    /// All numbers as OpenMetrics text ([`METRICS_CONTENT_TYPE`]).
    pub fn render(&self) -> String {
        let mut text = String::new();
        let written = prometheus_client::encoding::text::encode(&mut text, &self.registry());
        written.expect("writing to a String does not fail");
        text
    }

    /// Adds the gauge `mcp_gateway_<name>`, which `read` is asked for whenever the numbers are read.
    pub fn add_gauge(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<GaugeReading> + Send + Sync + 'static,
    ) {
        let gauge = ReadGauge { name, help, read: Box::new(read) };
        self.registry().register_collector(Box::new(gauge));
    }

    /// Adds gauges for the gateway's servers by state, sessions, tools and child processes.
    pub fn watch(&self, gateway: &Gateway) {
        let watched = gateway.clone();
        self.add_gauge("servers", "Servers of the default session, by state", move || {
            let servers = watched.health().servers;
            let count = |state| servers.iter().filter(|server| server.state == state).count();
            STATES
                .iter()
                .map(|&(state, name)| GaugeReading::new(count(state) as f64).with_label("state", name))
                .collect()
        });
        let watched = gateway.clone();
        self.add_gauge("tools", "Tools in the default session's catalogue", move || {
            vec![GaugeReading::new(watched.health().total_tools as f64)]
        });
        let watched = gateway.clone();
        self.add_gauge("sessions", "Live sessions without the default one", move || {
            vec![GaugeReading::new(watched.health().sessions as f64)]
        });
        let watched = gateway.clone();
        self.add_gauge("processes", "Child processes", move || {
            vec![GaugeReading::new(watched.health().processes as f64)]
        });
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // A reader that panicked has changed nothing.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct ReadGauge {
    name: &'static str,
    help: &'static str,
    read: Box<dyn Fn() -> Vec<GaugeReading> + Send + Sync>,
}

impl Collector for ReadGauge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut encoder = encoder.encode_descriptor(self.name, self.help, None, MetricType::Gauge)?;
        let readings = (self.read)();
        if let [only] = readings.as_slice()
            && only.labels.is_empty()
        {
            return ConstGauge::new(only.value).encode(encoder);
        }
        for reading in readings {
            let labels: Vec<(&str, &str)> =
                reading.labels.iter().map(|(name, value)| (*name, value.as_ref())).collect();
            ConstGauge::new(reading.value).encode(encoder.encode_family(&labels.as_slice())?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ReadGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadGauge").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::{MetricsConfig, MetricsLayer};

    use super::*;

    #[test]
    fn gauges_are_read_when_asked() {
        let (_, handle) = MetricsLayer::new(&MetricsConfig::default());
        handle.add_gauge("depth", "How deep", || {
            vec![GaugeReading::new(1.5).with_label("side", "left"), GaugeReading::new(2.0).with_label("side", "r\"t")]
        });
        handle.add_gauge("plain", "Just one", || vec![GaugeReading::new(7.0)]);
        let page = handle.render();
        for line in [
            "# TYPE mcp_gateway_depth gauge",
            r#"mcp_gateway_depth{side="left"} 1.5"#,
            r#"mcp_gateway_depth{side="r\"t"} 2.0"#,
            "mcp_gateway_plain 7.0",
            "# EOF",
        ] {
            assert!(page.lines().any(|have| have == line), "{line} is not in\n{page}");
        }
    }
}
