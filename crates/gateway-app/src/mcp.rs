//! Running `gateway-mcp`: in front of a gateway elsewhere, or with an engine of its own.

use gateway_core::{Error, ErrorKind, Result};

use crate::config::Loaded;
use crate::relay;

/// Runs `gateway-mcp` until SIGTERM, SIGINT or, on standard input and output, the end of its input.
///
/// Writes one line with `listening on http://HOST:PORT` to standard error when it accepts connections.
///
/// # Errors
/// Where it cannot listen or start; the message reads after "failed to".
pub async fn run_mcp(loaded: Loaded) -> Result<()> {
    match &loaded.settings.relay {
        Some(relay) => relay::run(&loaded.settings, relay.clone()).await,
        None => run_with_engine(loaded).await,
    }
}

/// Serves the servers of the servers file.
async fn run_with_engine(_: Loaded) -> Result<()> {
    Err(Error::new(ErrorKind::Internal, "serve MCP without --gateway-url: this is not built yet"))
}
