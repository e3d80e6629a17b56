//! An exporter that says once when spans do not arrive.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// `inner`, and a line in the log when it begins to fail and when it works again.
pub(crate) struct Watched<E> {
    inner: E,
    is_away: AtomicBool,
}

impl<E> Watched<E> {
    pub(crate) fn new(inner: E) -> Self {
        Self { inner, is_away: AtomicBool::new(false) }
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.inner.export(batch).await;
        let was_away = self.is_away.swap(outcome.is_err(), Ordering::Relaxed);
        match &outcome {
            Ok(()) if was_away => tracing::info!("traces reach the collector again"),
            Ok(()) => {}
            Err(error) if was_away => tracing::debug!(%error, spans, "spans are lost"),
            Err(error) => {
                tracing::warn!(%error, spans, "the collector takes no traces; spans are lost until it does");
            }
        }
        outcome
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        // The exporter's own version with a time-out does nothing.
        self.inner.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E> fmt::Debug for Watched<E> {
    /// Without the headers, which hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}
