//! Sends traces to an OpenTelemetry collector, where the standard variables (`OTEL_*`) name one.
//!
//! [`Telemetry::from_env`] reads them; without an endpoint nothing is started. The gateway gets
//! [`Telemetry::tracer`], and [`Telemetry::shutdown`] sends what is left at the end. `docs/observability.md` says which
//! variables there are and which spans.

mod client;
mod exporter;
mod settings;
mod telemetry;
mod tracer;

pub use telemetry::Telemetry;
