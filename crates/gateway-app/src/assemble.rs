//! From settings to a gateway: the only place that knows every part by name.

use std::sync::Arc;

use auth_api_key::ApiKeyAuth;
use gateway_core::{Error, Gateway, GatewayBuilder, Inventory, Layer, Queue, Result, ServerSpec, Tracer};
use gateway_layers::{
    BreakerLayer, ConcurrencyLayer, DeadlineLayer, GaugeReading, MetricsHandle, MetricsLayer, RetryLayer,
};
use transport_http::HttpTransport;
use transport_sse::{SseConfig, SseTransport};
use transport_stdio::StdioTransport;

use crate::config::Settings;
use crate::learning::Learning;
use crate::routing::router;
use crate::storage::Stores;
use crate::usage::Counting;
use crate::{inventory, queue};

/// The transports that every gateway here has, by their names.
pub(crate) const TRANSPORTS: [&str; 3] = ["stdio", "http", "sse"];

/// A gateway and what its owner needs beside it.
pub(crate) struct Assembly {
    pub(crate) gateway: Gateway,
    /// Its numbers.
    pub(crate) metrics: MetricsHandle,
    /// What starts its child processes.
    pub(crate) stdio: Arc<StdioTransport>,
    /// What it learns from use.
    pub(crate) learning: Learning,
    /// What it counts of use.
    pub(crate) counting: Counting,
    /// The message queue, where there is one.
    pub(crate) queue: Option<Arc<dyn Queue>>,
    /// Where others learn of its tools, where that is wanted.
    pub(crate) inventory: Option<Arc<dyn Inventory>>,
}

/// Puts the gateway of `settings` together and starts it. Must be called in a tokio runtime.
pub(crate) async fn assemble(
    settings: &Settings,
    servers: Vec<ServerSpec>,
    tracer: Option<Arc<dyn Tracer>>,
) -> Result<Assembly> {
    let Stores { sessions, usage } = Stores::open(settings).await?;
    let (counting_calls, metrics) = MetricsLayer::new(&settings.resilience.metrics);
    let stdio = Arc::new(StdioTransport::new(settings.stdio.clone()));
    let sse = Arc::new(SseTransport::new(SseConfig::default()));
    // Most configurations do not say which of the two a URL is for.
    let http = HttpTransport::new(settings.http.clone()).with_fallback(Arc::<SseTransport>::clone(&sse));
    let learning = Learning::of(settings)?;
    let counting = Counting::of(settings, usage);
    let inventory = inventory::open(settings)?;
    let builder = GatewayBuilder::new(
        router(settings, &learning)?,
        Arc::clone(&sessions),
        Arc::new(ApiKeyAuth::new(settings.api_key.clone())),
    )
    .with_config(settings.engine.clone())
    .with_transport(Arc::<StdioTransport>::clone(&stdio))
    .with_transport(Arc::new(http))
    .with_transport(sse)
    .with_servers(servers)
    .with_known_tools(inventory::known_tools(inventory.as_deref()).await);

    // What a call passes, in this order; first what counts, so that refusals of the others count, too.
    let builder = counting.listen(builder).with_feedback(Arc::new(counting_calls.clone()));
    let pipeline: [Arc<dyn Layer>; 5] = [
        Arc::new(counting_calls),
        // Before the breaker: a call waits for its place before its server is judged.
        Arc::new(ConcurrencyLayer::new(settings.resilience.concurrency.clone())),
        // Round the retries: a call that succeeds at last is no failure of its server.
        Arc::new(BreakerLayer::new(settings.resilience.breaker)),
        Arc::new(RetryLayer::new(settings.resilience.retry)),
        // Last: each attempt has the server's whole time.
        Arc::new(DeadlineLayer::new()),
    ];
    let builder = pipeline.into_iter().fold(builder, GatewayBuilder::with_layer);
    let queue = queue::open(settings, &sessions)?;
    let builder = tracer.into_iter().fold(builder, GatewayBuilder::with_tracer);
    let gateway = learning.listen(builder).start().await.map_err(|error| {
        let message = format!("start: {}", error.message());
        Error::new(error.kind(), message).with_source(error)
    })?;
    metrics.watch(&gateway);
    let runtime = tokio::runtime::Handle::current();
    metrics.add_gauge("tasks", "Tasks of the gateway's runtime", move || {
        vec![GaugeReading::new(runtime.metrics().num_alive_tasks() as f64)]
    });
    Ok(Assembly { gateway, metrics, stdio, learning, counting, queue, inventory })
}
