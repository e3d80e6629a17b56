//! A small MCP server with time, calculator and echo tools, over stdio.
//!
//! It needs no key and no network, so that the gateway can be tried in a minute. It speaks both eras of
//! the protocol (`initialize` and `server/discover`) and ends when its stdin closes.

mod calculator;
mod clock;
mod server;

use std::process::ExitCode;

use rmcp::ServiceExt as _;
use rmcp::service::ServerInitializeError;
use rmcp::transport::stdio_pipes;
use server::DemoServer;

/// Calculations that may run at once; one more waits for its turn.
const CALCULATION_THREADS: usize = 4;

fn main() -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(CALCULATION_THREADS).build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve()),
        Err(error) => Err(error.to_string()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("demo-server: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let running = match DemoServer.serve(stdio_pipes()).await {
        Ok(running) => running,
        // A client that only probes, or changes its mind, is no failure of ours.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    running.waiting().await.map(drop).map_err(|error| error.to_string())
}
