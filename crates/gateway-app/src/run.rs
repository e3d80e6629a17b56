//! Running a gateway until somebody stops it.

use std::future::pending;
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Credentials, Gateway, Result, Tracer, publish_inventory};
use gateway_layers::METRICS_CONTENT_TYPE;
use gateway_telemetry::Telemetry;
use http_server::HttpServer;
use serve_mcp::{McpDoor, StdioClient};
use serve_rest::{Metrics, RestDoor};
use serve_ui::UiDoor;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::assemble::{Assembly, assemble};
use crate::config::{Loaded, Settings};
use crate::failure::failure;
use crate::listeners::Listeners;
use crate::open_files::raise_open_files_limit;
use crate::queue::{self, QueueService};
use crate::signals::Signals;
use crate::watch::Watch;

/// The exit status after a second signal, as a shell counts it for one that SIGINT ended.
pub(crate) const ENDED_AT_ONCE: i32 = 130;

/// How long child processes may take to end after their connections have been closed. They need far less.
const LAST_CHILDREN: Duration = Duration::from_secs(10);

/// How long the last traces may take to be sent.
const LAST_TRACES: Duration = Duration::from_secs(5);

/// Runs the gateway until SIGTERM or SIGINT, and stops it in order: no new connections, calls under way have the
/// grace period, then upstream connections and child processes end. A second signal ends the process at once.
///
/// Writes one line with `listening on http://HOST:PORT` to standard error when it accepts connections.
///
/// # Errors
/// Where it cannot listen or start; the message reads after "failed to".
pub async fn run(loaded: Loaded) -> Result<()> {
    run_doors(loaded, Doors::RestAndMcp).await
}

/// The ways to reach a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doors {
    /// REST, and MCP at `/mcp`.
    RestAndMcp,
    /// Only MCP at `/mcp`.
    Mcp,
    /// MCP over standard input and output, for one client.
    Stdio,
}

/// The same with a choice of doors. Over standard input and output it ends with its input, too.
pub(crate) async fn run_doors(loaded: Loaded, doors: Doors) -> Result<()> {
    // Before anything that takes time: a signal counts from here on.
    let mut signals = Signals::new().map_err(|error| failure("wait for signals", error))?;
    let Loaded { settings, .. } = &loaded;
    raise_open_files_limit(settings);
    let listeners = match doors {
        Doors::Stdio => None,
        Doors::RestAndMcp | Doors::Mcp => Some(Listeners::open(settings).await?),
    };
    // In a runtime, which is why it has only been checked so far.
    let telemetry = Telemetry::from_env(|name| loaded.settings.rest.variables.get(name))?;
    let tracer = telemetry.as_ref().map(Telemetry::tracer);
    let Some(assembly) = begin(&loaded, tracer, &mut signals).await? else { return Ok(()) };
    report(&loaded);
    let Assembly { gateway, stdio, learning, counting, .. } = &assembly;
    let mcp = McpDoor::new(gateway.clone(), settings.mcp.clone());
    // Jobs are the business of the gateway itself; what clients start for themselves takes none.
    let takes_jobs = doors == Doors::RestAndMcp;
    let queue = assembly.queue.clone().filter(|_| takes_jobs);
    let queue = queue.map(|queue| QueueService::new(settings, gateway.clone(), queue));
    if let Some(queue) = &queue {
        queue.measure(&assembly.metrics);
    }
    let stop = CancellationToken::new();
    let serving = async {
        let Some(listeners) = listeners else { return serve_stdin(settings, &mcp, &stop).await };
        listeners.announce()?;
        let server = http_server(settings, doors, &assembly, &mcp);
        listeners.serve(&server, &stop, settings.grace).await
    };
    // Whatever ends the serving ends what is tended, too.
    let serving = async {
        let served = async { serving.await.inspect(|()| stop.cancel()).inspect_err(|_| stop.cancel()) };
        tokio::join!(served, mcp.tend(&stop), queue::serve(queue.as_ref(), &stop)).0
    };
    let mut serving = pin!(serving);
    let served = tokio::select! {
        served = &mut serving => Some(served),
        () = follow(&loaded, gateway) => None,
        () = learning.tend() => None,
        () = counting.tend() => None,
        () = publish(&assembly, doors) => None,
        signal = signals.next() => {
            tracing::info!("{signal}: stopping; calls under way have up to {} ms", settings.grace.as_millis());
            None
        }
    };
    let stopping = async {
        stop.cancel();
        let served = match served {
            Some(served) => served,
            None => serving.await,
        };
        gateway.shutdown().await;
        // Calls that were still under way have taught something, too.
        learning.save().await;
        counting.save().await;
        if let Some(telemetry) = telemetry {
            telemetry.shutdown(LAST_TRACES).await;
        }
        if timeout(LAST_CHILDREN, stdio.drained()).await.is_err() {
            tracing::warn!("some child processes have not ended yet; they get SIGKILL with the gateway");
        }
        served
    };
    tokio::select! {
        stopped = stopping => stopped?,
        signal = signals.next() => {
            tracing::warn!("{signal}, the second signal: ending at once");
            // Child processes end with this one: the operating system and their guards see to that.
            process::exit(ENDED_AT_ONCE);
        }
    }
    tracing::info!("stopped");
    Ok(())
}

/// Starts the gateway; `None` where a signal came first: a store may take long to answer.
async fn begin(loaded: &Loaded, tracer: Option<Arc<dyn Tracer>>, signals: &mut Signals) -> Result<Option<Assembly>> {
    let assembling = assemble(&loaded.settings, loaded.with_demo(loaded.list.servers.clone()), tracer);
    tokio::select! {
        assembly = assembling => assembly.map(Some),
        signal = signals.next() => {
            tracing::info!("{signal}: stopping before it has begun");
            Ok(None)
        }
    }
}

/// The HTTP server with these doors.
fn http_server(settings: &Settings, doors: Doors, assembly: &Assembly, mcp: &McpDoor) -> HttpServer {
    let Assembly { gateway, metrics, counting, queue, .. } = assembly;
    if doors == Doors::Mcp {
        return HttpServer::new(settings.server.clone(), Arc::new(mcp.clone()));
    }
    let metrics = metrics.clone();
    let metrics = Metrics::new(METRICS_CONTENT_TYPE, move || metrics.render());
    let mut rest = RestDoor::new(gateway.clone(), settings.rest.clone(), metrics);
    if let Some(usage) = counting.reports() {
        rest = rest.with_usage(usage);
    }
    if let Some(queue) = queue {
        rest = rest.with_queue(Arc::clone(queue));
    }
    let server = HttpServer::new(settings.server.clone(), Arc::new(rest)).with_door(Arc::new(mcp.clone()));
    if !settings.dashboard {
        return server;
    }
    let mut ui = UiDoor::new(gateway.clone(), settings.ui.clone());
    if let Some(usage) = counting.reports() {
        ui = ui.with_usage(usage);
    }
    if let Some(queue) = queue {
        ui = ui.with_queue(Arc::clone(queue));
    }
    server.with_door(Arc::new(ui))
}

/// Tells others of the gateway's tools, where that is wanted. Never ends before the gateway does.
async fn publish(assembly: &Assembly, doors: Doors) {
    match &assembly.inventory {
        Some(inventory) if doors != Doors::Stdio => {
            publish_inventory(assembly.gateway.clone(), Arc::clone(inventory)).await;
            pending().await
        }
        _ => pending().await,
    }
}

/// Serves the one client at standard input and output. It started this process, so it may do what the process may.
async fn serve_stdin(settings: &Settings, door: &McpDoor, stop: &CancellationToken) -> Result<()> {
    let credentials = Credentials { token: settings.api_key.clone(), local: true };
    let client = StdioClient { credentials, ..StdioClient::default() };
    let ends = (tokio::io::stdin(), tokio::io::stdout());
    let served = serve_mcp::serve_stdio(door, client, ends, stop, settings.grace).await;
    served.map_err(|error| failure("serve standard input and output", error))
}

/// What somebody who looks after the gateway should know at its start.
fn report(loaded: &Loaded) {
    let Loaded { settings, list, .. } = loaded;
    match &list.path {
        Some(path) => tracing::info!(servers = list.servers.len(), "servers from {}", path.display()),
        None => {
            tracing::info!("no servers file: starting without servers; write servers.json, or name one with --servers")
        }
    }
    for mistake in list.mistakes().0 {
        tracing::error!("{mistake}");
    }
    report_access(settings);
}

/// Who may call, where that may surprise.
pub(crate) fn report_access(settings: &Settings) {
    if settings.api_key.is_none() && !settings.address.ip().to_canonical().is_loopback() {
        tracing::warn!(
            "everybody who reaches {} may run every tool (server.insecure_bind); set GATEWAY_API_KEY",
            settings.address
        );
    }
    if settings.api_key.as_ref().is_some_and(|key| key.expose().len() < 16) {
        tracing::warn!("the API key is short enough to be guessed; use 16 letters or more");
    }
}

/// Keeps the gateway's servers those of the file. Never ends.
async fn follow(loaded: &Loaded, gateway: &Gateway) {
    if loaded.settings.servers.watch {
        match Watch::new(loaded.servers_file.clone(), loaded.list.clone()) {
            Ok(mut watch) => {
                while let Some(servers) = watch.next().await {
                    tracing::info!(servers = servers.len(), "the servers file has changed");
                    gateway.replace_servers(loaded.with_demo(servers)).await;
                }
            }
            Err(error) => tracing::error!(%error, "changes of the servers file will not be noticed"),
        }
    }
    pending().await
}
