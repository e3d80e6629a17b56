//! What calls cost and how they end, for Prometheus.

mod handle;
mod layer;
mod names;

pub use handle::{GaugeReading, METRICS_CONTENT_TYPE, MetricsHandle};
pub use layer::{MetricsConfig, MetricsLayer};
