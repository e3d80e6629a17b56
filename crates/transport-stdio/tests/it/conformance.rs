//! What every transport must do, against the reference server.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Command, Endpoint, ServerSpec};
use gateway_testkit::reference;
use gateway_testkit::suites::{self, Target, TransportCase};
use transport_stdio::{StdioConfig, StdioTransport};

fn spec(program: &str, arguments: &[&str]) -> ServerSpec {
    let args = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let command = Command { program: program.to_owned(), args, ..Command::default() };
    ServerSpec::new("reference", "stdio", Endpoint::Command(command)).expect("a valid name")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_what_every_transport_must_do() {
    let transport = StdioTransport::new(StdioConfig {
        stdin_grace: Duration::from_millis(500),
        term_grace: Duration::from_millis(500),
        ..StdioConfig::default()
    });
    let program = reference::program().to_str().expect("a path of this repository is UTF-8");
    let case = TransportCase::new(
        Arc::new(transport),
        move |arguments| Target::new(spec(program, arguments)),
        spec("/no/such/program", &[]),
    );
    suites::transport(case).run().await.assert_passed();
}
