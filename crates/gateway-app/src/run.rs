//! Running a gateway until somebody stops it.

use std::future::{Future, pending};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Gateway, Result};
use gateway_layers::METRICS_CONTENT_TYPE;
use http_server::HttpServer;
use serve_mcp::McpDoor;
use serve_rest::{Metrics, RestDoor};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::assemble::{Assembly, assemble};
use crate::config::{Loaded, Settings};
use crate::open_files::raise_open_files_limit;
use crate::signals::Signals;
use crate::watch::Watch;

/// The exit status after a second signal, as a shell counts it for one that SIGINT ended.
const ENDED_AT_ONCE: i32 = 130;

/// How long child processes may take to end after their connections have been closed. They need far less.
const LAST_CHILDREN: Duration = Duration::from_secs(10);

/// Runs the gateway until SIGTERM or SIGINT, and stops it in order: no new connections, calls under way have the
/// grace period, then upstream connections and child processes end. A second signal ends the process at once.
///
/// Writes one line with `listening on http://HOST:PORT` to standard error when it accepts connections.
///
/// # Errors
/// Where it cannot listen or start; the message reads after "failed to".
pub async fn run(loaded: Loaded) -> Result<()> {
    // Before anything that takes time: a signal counts from here on.
    let mut signals = Signals::new().map_err(|error| failure("wait for signals", error))?;
    let Loaded { settings, .. } = &loaded;
    raise_open_files_limit(settings);
    let listener = listen(settings.address).await?;
    let second = listen_beside(settings, &listener).await?;
    let Assembly { gateway, metrics, stdio } = assemble(settings, loaded.with_demo(loaded.list.servers.clone()))?;
    report(&loaded);
    announce(&listener).map_err(|error| failure("say where it listens", error))?;

    let metrics = Metrics::new(METRICS_CONTENT_TYPE, move || metrics.render());
    let rest = RestDoor::new(gateway.clone(), settings.rest.clone(), metrics);
    let mcp = McpDoor::new(gateway.clone(), settings.mcp.clone());
    let server = HttpServer::new(settings.server.clone(), Arc::new(rest)).with_door(Arc::new(mcp.clone()));
    let stop = CancellationToken::new();
    let serve = |listener| http_server::serve(listener, server.clone(), stop.clone(), settings.grace);
    let serving = async {
        let (served, ()) = tokio::join!(serve_all(serve(listener), second.map(serve), &stop), mcp.tend(&stop));
        served
    };
    let mut serving = pin!(serving);
    let served = tokio::select! {
        served = &mut serving => Some(served),
        () = follow(&loaded, &gateway) => None,
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
        if timeout(LAST_CHILDREN, stdio.drained()).await.is_err() {
            tracing::warn!("some child processes have not ended yet; they get SIGKILL with the gateway");
        }
        served.map_err(|error| failure("serve", error))
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

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; choose another port with --port, or 0 for a free one",
            _ => "",
        };
        let message = format!("listen on {address}: {error}{hint}");
        Error::new(ErrorKind::Unavailable, message).with_source(error)
    })
}

/// The listener on the second address, with the port of `first`. Where another program has that port there,
/// clients that ask for `localhost` would tell it what they mean for us, the key included: better not to start.
async fn listen_beside(settings: &Settings, first: &TcpListener) -> Result<Option<TcpListener>> {
    let Some(ip) = settings.second_address else { return Ok(None) };
    let port = first.local_addr().map_err(|error| failure("say where it listens", error))?.port();
    match TcpListener::bind((ip, port)).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && settings.address.port() != 0 => {
            let address = SocketAddr::new(ip, port);
            let hint = "choose another port with --port, or listen on one address with --host 127.0.0.1";
            let message = format!("listen on {address}, which localhost means, too: {error}; {hint}");
            Err(Error::new(ErrorKind::Unavailable, message).with_source(error))
        }
        Err(error) => {
            tracing::debug!(%error, "not listening on {ip}");
            Ok(None)
        }
    }
}

/// Serves on both until both have ended. One that fails stops the other.
async fn serve_all<F: Future<Output = io::Result<()>>>(
    first: F,
    second: Option<F>,
    stop: &CancellationToken,
) -> io::Result<()> {
    let or_stop = async |serving: F| serving.await.inspect_err(|_| stop.cancel());
    let second = async {
        match second {
            Some(second) => or_stop(second).await,
            None => Ok(()),
        }
    };
    let (first, second) = tokio::join!(or_stop(first), second);
    first.and(second)
}

/// The line that scripts and tests wait for.
fn announce(listener: &TcpListener) -> io::Result<()> {
    writeln!(io::stderr().lock(), "listening on http://{}", listener.local_addr()?)
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

fn failure(what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("{what}: {error}")).with_source(error)
}
