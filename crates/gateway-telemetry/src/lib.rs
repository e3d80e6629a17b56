//! Sends traces to an OpenTelemetry collector.
