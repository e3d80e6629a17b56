//! What every transport must do, against the reference server.

use std::sync::Arc;

use gateway_core::{Endpoint, ServerSpec, Url};
use gateway_testkit::reference::ReferenceProcess;
use gateway_testkit::suites::{self, Target, TransportCase};
use transport_sse::{SseConfig, SseTransport};

fn spec(url: &str) -> ServerSpec {
    let url = Url { url: url.to_owned(), ..Url::default() };
    ServerSpec::new("reference", "sse", Endpoint::Url(url)).expect("a valid name")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_what_every_transport_must_do() {
    let case = TransportCase::new(
        Arc::new(SseTransport::new(SseConfig::default())),
        |arguments| {
            let server = ReferenceProcess::old_sse(arguments);
            Target::with_guard(spec(server.url()), server)
        },
        // Nobody listens on the discard port.
        spec("http://127.0.0.1:9/sse"),
    );
    suites::transport(case).run().await.assert_passed();
}
