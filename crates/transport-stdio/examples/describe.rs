//! Starts a server, prints what it says of itself and its tools, and ends it:
//! `cargo run -p transport-stdio --example describe -- npx -y @modelcontextprotocol/server-everything`

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use gateway_core::{
    Command, Connect, Endpoint, Error, ErrorKind, RawJson, Result, ServerSpec, Transport, UpstreamEvents,
    UpstreamRequest,
};
use transport_stdio::{StdioConfig, StdioTransport};

#[derive(Debug)]
struct Printed;

#[async_trait]
#[expect(clippy::print_stdout, reason = "printing is what this example is for")]
impl UpstreamEvents for Printed {
    fn notified(&self, method: &str, params: RawJson) {
        println!("notified: {method} {}", params.as_str());
    }

    async fn asked(&self, method: &str, _params: RawJson) -> Result<RawJson> {
        println!("asked: {method}");
        Err(Error::new(ErrorKind::NotFound, "answer: this example knows nothing"))
    }

    fn closed(&self, reason: Error) {
        println!("closed: {reason:?}");
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "printing is what this example is for")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().unwrap_or_default();
    let command = Command { program, args: arguments.collect(), ..Command::default() };
    let spec = Arc::new(ServerSpec::new("described", "stdio", Endpoint::Command(command))?);
    let transport = StdioTransport::new(StdioConfig::default());
    let connect =
        Connect { spec, remembered_era: None, client_capabilities: RawJson::empty_object(), events: Arc::new(Printed) };

    let start = Instant::now();
    let upstream = transport.connect(connect).await?;
    println!("{:#?}\nconnected in {:?}", upstream.info(), start.elapsed());
    let tools = upstream.request(UpstreamRequest::new("tools/list", RawJson::empty_object())).await?;
    println!("{}", tools.as_str());
    let start = Instant::now();
    upstream.close().await;
    transport.drained().await;
    println!("ended in {:?}", start.elapsed());
    Ok(())
}
