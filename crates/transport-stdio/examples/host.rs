//! A host that starts one server and then waits to be killed: `host <program> [argument]...`. Prints
//! the server's process id. The tests kill it to see that nothing of the server stays behind.

use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{
    Command, Connect, Endpoint, Error, ErrorKind, RawJson, Result, ServerSpec, Transport, UpstreamEvents,
};
use transport_stdio::{StdioConfig, StdioTransport};

#[derive(Debug)]
struct Deaf;

#[async_trait]
impl UpstreamEvents for Deaf {
    fn notified(&self, _method: &str, _params: RawJson) {}

    async fn asked(&self, _method: &str, _params: RawJson) -> Result<RawJson> {
        Err(Error::new(ErrorKind::NotFound, "answer"))
    }

    fn closed(&self, _reason: Error) {}
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the process id is what the caller wants")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().unwrap_or_default();
    let command = Command { program, args: arguments.collect(), ..Command::default() };
    let spec = Arc::new(ServerSpec::new("hosted", "stdio", Endpoint::Command(command))?);
    let transport = StdioTransport::new(StdioConfig::default());
    let connect =
        Connect { spec, remembered_era: None, client_capabilities: RawJson::empty_object(), events: Arc::new(Deaf) };
    let upstream = transport.connect(connect).await?;
    println!("{}", upstream.info().process_id.unwrap_or_default());
    std::future::pending().await
}
