//! Servers that speak another transport, where there is one to fall back to.

use std::sync::Arc;

use gateway_core::{Connect, Era, ErrorKind, RawJson, Result, ServerSpec, Transport, Upstream};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, RecordedEvents};
use transport_http::{HttpConfig, HttpTransport};

use crate::peer::{Peer, call, until};

/// A transport that reaches a fake under the name of the peers here.
fn other() -> Arc<dyn Transport> {
    let server = FakeServer::new().with_tool("t", "Says where it is.", Answer::result("\"from the other\""));
    Arc::new(FakeTransport::new().with_server("peer", &server))
}

async fn connect(
    fallback: Option<Arc<dyn Transport>>,
    spec: ServerSpec,
    remembered_era: Option<Era>,
) -> Result<Arc<dyn Upstream>> {
    let transport = HttpTransport::new(HttpConfig::default());
    let transport = match fallback {
        Some(fallback) => transport.with_fallback(fallback),
        None => transport,
    };
    let events = Arc::new(RecordedEvents::new());
    let client_capabilities = RawJson::empty_object();
    transport.connect(Connect { spec: Arc::new(spec), remembered_era, client_capabilities, events }).await
}

/// A server that refuses every POST so.
fn refusing(status: u16, body: &'static str) -> Peer {
    Peer::new(move |_, wire| wire.answer(status, "content-type: application/json\r\n", body))
}

#[tokio::test]
async fn a_server_that_refuses_initialize_is_reached_the_other_way() {
    const REFUSAL: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no transport"}}"#;
    for (status, body) in [(400, ""), (400, REFUSAL), (404, ""), (404, REFUSAL), (405, "")] {
        for remembered in [None, Some(Era::Legacy), Some(Era::Modern)] {
            let peer = refusing(status, body);
            let upstream = connect(Some(other()), peer.spec(), remembered).await.expect("the other transport");
            let result = upstream.request(call("t")).await.expect("a result");
            assert_eq!(result.as_str(), "\"from the other\"", "{status}");
            assert_eq!(peer.seen("initialize").len(), 1);
            until("nothing is left of the first attempt", || peer.open.load(std::sync::atomic::Ordering::SeqCst) == 0)
                .await;
            let error = connect(None, peer.spec(), remembered).await.expect_err("no fallback");
            assert_eq!(error.kind(), ErrorKind::UpstreamFailed, "{status}: {error:?}");
        }
    }
}

#[tokio::test]
async fn no_other_failure_falls_back() {
    for (status, body) in [(401, ""), (403, ""), (406, ""), (429, ""), (500, ""), (503, ""), (200, "[]")] {
        let peer = refusing(status, body);
        connect(Some(other()), peer.spec(), None).await.expect_err("an error of this transport");
    }
    let peer = Peer::new(|seen, wire| match seen.method() {
        "initialize" => wire.result(seen, r#"{"protocolVersion":"1999-01-01"}"#),
        _ => wire.answer(404, "", ""),
    });
    let error = connect(Some(other()), peer.spec(), None).await.expect_err("too old");
    assert!(error.message().contains("1999-01-01"), "{error}");
    let nobody = crate::peer::spec("http://127.0.0.1:9/");
    let error = connect(Some(other()), nobody, None).await.expect_err("nobody listens on the discard port");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_server_that_is_reached_needs_no_fallback() {
    let peer = Peer::legacy(|seen, wire| wire.result(seen, "\"from this one\""));
    let upstream = connect(Some(other()), peer.spec(), None).await.expect("a connection");
    assert_eq!(upstream.request(call("t")).await.expect("a result").as_str(), "\"from this one\"");
}

#[tokio::test]
async fn where_both_fail_the_first_error_is_told() {
    let peer = refusing(404, "");
    let stranger = Arc::new(FakeTransport::new());
    let error = connect(Some(stranger), peer.spec(), None).await.expect_err("neither");
    assert_eq!(error.kind(), ErrorKind::UpstreamFailed);
    assert!(error.message().contains("no Streamable HTTP endpoint"), "{error}");
    assert!(format!("{error:?}").contains("fallback: no fake server is called `peer`"), "{error:?}");
}
