//! What calls cost and how they end, for Prometheus.

mod doors;
mod handle;
mod layer;
mod names;
mod searches;

pub use handle::{GaugeReading, METRICS_CONTENT_TYPE, MetricsHandle};
pub use layer::{MetricsConfig, MetricsLayer};
