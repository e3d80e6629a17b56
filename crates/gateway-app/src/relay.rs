//! Running in front of a gateway that runs elsewhere.

use std::pin::pin;
use std::process;
use std::sync::Arc;

use auth_api_key::ApiKeyAuth;
use gateway_core::Result;
use http_server::HttpServer;
use serve_relay::{RelayConfig, RelayDoor};
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::failure::failure;
use crate::listeners::Listeners;
use crate::open_files::raise_open_files_limit;
use crate::run::{ENDED_AT_ONCE, report_access};
use crate::signals::Signals;

/// Carries MCP to the gateway of `relay`, over HTTP or standard input and output, until somebody stops it.
pub(crate) async fn run(settings: &Settings, relay: RelayConfig) -> Result<()> {
    // Before anything that takes time: a signal counts from here on.
    let signals = Signals::new().map_err(|error| failure("wait for signals", error))?;
    raise_open_files_limit(settings);
    tracing::info!("in front of the gateway at {}", relay.remote.origin());
    let stop = CancellationToken::new();
    if settings.speaks_stdio {
        let relaying = serve_relay::stdio(relay, tokio::io::stdin(), tokio::io::stdout(), stop.clone());
        let relaying = async { relaying.await.map_err(|error| failure("read standard input", error)) };
        return until_stopped(relaying, stop, signals).await;
    }
    let listeners = Listeners::open(settings).await?;
    let door = RelayDoor::new(relay, Arc::new(ApiKeyAuth::new(settings.api_key.clone())));
    let server = HttpServer::new(settings.server.clone(), Arc::new(door));
    report_access(settings);
    listeners.announce()?;
    let serving = listeners.serve(&server, &stop, settings.grace);
    until_stopped(serving, stop.clone(), signals).await
}

/// Runs `work` to its end. The first signal cancels `stop`, the second one ends the process.
async fn until_stopped(
    work: impl Future<Output = Result<()>>,
    stop: CancellationToken,
    mut signals: Signals,
) -> Result<()> {
    let mut work = pin!(work);
    let done = tokio::select! {
        done = &mut work => Some(done),
        signal = signals.next() => {
            tracing::info!("{signal}: stopping");
            None
        }
    };
    stop.cancel();
    let done = match done {
        Some(done) => done,
        None => tokio::select! {
            done = work => done,
            signal = signals.next() => {
                tracing::warn!("{signal}, the second signal: ending at once");
                process::exit(ENDED_AT_ONCE);
            }
        },
    };
    tracing::info!("stopped");
    done
}
