//! An MCP server for Exa's web search, over stdio: search, read pages, answer questions.
//!
//! In a servers file, with a key from <https://dashboard.exa.ai/api-keys> in the environment:
//!
//! ```json
//! {"mcpServers": {"exa": {"command": "exa-server", "env": {"EXA_API_KEY": "${EXA_API_KEY}"}}}}
//! ```
//!
//! `EXA_BASE_URL` leads to another server that speaks Exa's API, and `EXA_TIMEOUT_SECONDS` limits how long an answer may
//! take. It starts without a key too, so that its tools can be found; each then says what is missing.

mod exa;
mod pages;
mod server;

use std::process::ExitCode;

use exa::{Exa, Settings};
use rmcp::ServiceExt as _;
use rmcp::service::ServerInitializeError;
use rmcp::transport::stdio_pipes;
use server::ExaServer;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve()),
        Err(error) => Err(error.to_string()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("exa-server: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let exa = Exa::new(Settings::from_environment()?)?;
    let running = match ExaServer::new(exa).serve(stdio_pipes()).await {
        Ok(running) => running,
        // A client that only probes, or changes its mind, is no failure of ours.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    running.waiting().await.map(drop).map_err(|error| error.to_string())
}
