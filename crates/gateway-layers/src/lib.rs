//! Wrappers round one call: metrics, concurrency limit, circuit breaker, retry, deadline.
//!
//! Each is a [`Layer`](gateway_core::Layer). The order that works, outermost first:
//!
//! 1. [`MetricsLayer`]: sees every call, also those that the next ones refuse.
//! 2. [`ConcurrencyLayer`]: a call waits for its place before anything is decided about its server.
//! 3. [`BreakerLayer`]: judges what is left after retries.
//! 4. [`RetryLayer`]: each attempt has time limits of its own.
//! 5. [`DeadlineLayer`]: next to the upstream, so that it times just that.

mod breaker;
mod concurrency;
mod deadline;
mod metrics;
mod per_server;
mod retry;

pub use breaker::{BreakerConfig, BreakerLayer};
pub use concurrency::{ConcurrencyConfig, ConcurrencyLayer};
pub use deadline::DeadlineLayer;
pub use metrics::{GaugeReading, METRICS_CONTENT_TYPE, MetricsConfig, MetricsHandle, MetricsLayer};
pub use retry::{RetryConfig, RetryLayer};
