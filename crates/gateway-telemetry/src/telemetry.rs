//! Sending traces, from the program's beginning to its end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result, Tracer};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Compression, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::client::Client;
use crate::exporter::Watched;
use crate::settings::Settings;
use crate::tracer::OtelTracer;

/// Sends spans to a collector, in the background and in batches.
pub struct Telemetry {
    provider: SdkTracerProvider,
    tracer: Arc<dyn Tracer>,
}

impl Telemetry {
    /// What the variables say that `lookup` finds: those of the process, as a rule. `None` where they name no collector,
    /// or say that nothing is to be sent: then nothing is started. Must be called in a tokio runtime, which must live
    /// until [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) for a variable that says what cannot be done.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        Settings::read(lookup)?.map(Self::start).transpose()
    }

    /// Whether the variables say something that can be done. Starts nothing and needs no runtime.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn check(lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
        Settings::read(lookup).map(drop)
    }

    fn start(settings: Settings) -> Result<Self> {
        let Settings { endpoint, headers, timeout, gzip, resource, sampler } = settings;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(timeout)?)
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(timeout)
            .with_headers(headers);
        let exporter = if gzip { exporter.with_compression(Compression::Gzip) } else { exporter };
        let exporter = exporter
            .build()
            .map_err(|error| Error::new(ErrorKind::InvalidRequest, format!("traces cannot be sent: {error}")))?;
        let resource = Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_attributes(resource)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Watched::new(exporter))
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        let tracer = Arc::new(OtelTracer(provider.tracer("mcp-gateway")));
        Ok(Self { provider, tracer })
    }

    /// What makes the gateway's spans.
    pub fn tracer(&self) -> Arc<dyn Tracer> {
        Arc::clone(&self.tracer)
    }

    /// Sends what has not been sent yet, for as long as `timeout`, and then no more.
    pub async fn shutdown(self, timeout: Duration) {
        let provider = self.provider;
        let ending = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(timeout));
        match ending.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces were not sent"),
            Err(error) => tracing::warn!(%error, "sending the last traces broke off"),
        }
    }
}

impl fmt::Debug for Telemetry {
    /// Without the address and the headers, which hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}
