//! The gateway inside another program, in a few lines: no HTTP, no configuration, only the parts it needs.
//!
//!     cargo build -p demo-server
//!     cargo run -p embed -- "what time is it in Tokyo"

use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::sync::Arc;

use auth_api_key::ApiKeyAuth;
use gateway_core::{
    Admission, Command, Credentials, Endpoint, Gateway, GatewayBuilder, RawJson, SearchRequest, ServerSpec, ToolCall,
};
use gateway_layers::{DeadlineLayer, RetryConfig, RetryLayer};
use router_keyword::{KeywordConfig, KeywordRouter};
use session_store_memory::MemoryStore;
use transport_stdio::{StdioConfig, StdioTransport};

fn main() -> Result<(), Box<dyn Error>> {
    let question = env::args().nth(1).unwrap_or_else(|| "evaluate an arithmetic expression".to_owned());
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let gateway = assemble().await?;
        let told = tell(&gateway, question).await;
        // Whatever happened: child processes end with the gateway.
        gateway.shutdown().await;
        told
    })
}

/// Every part is a value behind a small trait: put your own router, store or transport in its place.
async fn assemble() -> gateway_core::Result<Gateway> {
    let router = KeywordRouter::new(KeywordConfig::default());
    let (store, auth) = (MemoryStore::new(), ApiKeyAuth::new(None));
    GatewayBuilder::new(Arc::new(router), Arc::new(store), Arc::new(auth))
        .with_transport(Arc::new(StdioTransport::new(StdioConfig::default())))
        .with_layer(Arc::new(RetryLayer::new(RetryConfig::default())))
        .with_layer(Arc::new(DeadlineLayer::new()))
        .start()
        .await
}

/// Adds a server, finds a tool for `question`, and runs another one.
async fn tell(gateway: &Gateway, question: String) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    // Programs on this machine may add servers that start a program; callers from elsewhere may not.
    let credentials = Credentials { local: true, ..Credentials::default() };
    let context = gateway.admit(Admission { credentials, ..Admission::default() }).await?;

    let added = gateway.add_servers(&context, vec![demo_server()?]).await?;
    if let Some((name, reason)) = added.failed.first() {
        return Err(format!("{name}: {reason}; build it with: cargo build -p demo-server").into());
    }

    let request = SearchRequest { query: question, limit: 3, servers: None, min_score: 0.0 };
    for found in gateway.search(&context, request).await?.matches {
        let name = &found.tool.qualified_name;
        writeln!(out, "{:.2}  {name}  ({})", found.score, found.reasoning)?;
    }

    let arguments = RawJson::parse(r#"{"expression": "6 * 7"}"#)?;
    let call = ToolCall::new("calculate", arguments);
    let reply = gateway.call(&context, call).await?;
    writeln!(out, "{} of {} answers {}", reply.tool.name(), reply.server, reply.result.as_str())?;
    Ok(())
}

/// The demo server, whose executable stands beside this one.
fn demo_server() -> Result<ServerSpec, Box<dyn Error>> {
    let program = env::current_exe()?.with_file_name(format!("demo-server{}", env::consts::EXE_SUFFIX));
    let command = Command { program: program.display().to_string(), ..Command::default() };
    Ok(ServerSpec::new("demo", "stdio", Endpoint::Command(command))?)
}
