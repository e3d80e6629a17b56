//! Running `gateway-mcp`: in front of a gateway elsewhere, or with an engine of its own.

use gateway_core::Result;

use crate::config::Loaded;
use crate::relay;
use crate::run::{Doors, run_doors};

/// Runs `gateway-mcp` until SIGTERM, SIGINT or, on standard input and output, the end of its input.
///
/// Writes one line with `listening on http://HOST:PORT` to standard error when it accepts connections.
///
/// # Errors
/// Where it cannot listen or start; the message reads after "failed to".
pub async fn run_mcp(loaded: Loaded) -> Result<()> {
    match &loaded.settings.relay {
        Some(relay) => relay::run(&loaded.settings, relay.clone()).await,
        None if loaded.settings.speaks_stdio => run_doors(loaded, Doors::Stdio).await,
        None => run_doors(loaded, Doors::Mcp).await,
    }
}
