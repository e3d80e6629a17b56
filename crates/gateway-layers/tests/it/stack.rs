//! All layers together, in the order that the crate's documentation gives.

use std::sync::Arc;

use gateway_core::{ErrorKind, ServerLimits};
use gateway_layers::{
    BreakerConfig, BreakerLayer, ConcurrencyConfig, ConcurrencyLayer, DeadlineLayer, MetricsConfig, MetricsLayer,
    RetryConfig, RetryLayer,
};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, builder, context, spec};
use gateway_testkit::reference::ODD_RESULT;

use crate::support::call;

#[tokio::test(start_paused = true)]
async fn a_result_passes_unchanged_and_a_slow_server_is_left_alone_in_the_end() {
    let server =
        FakeServer::new().with_tool("odd", "", Answer::result(ODD_RESULT)).with_tool("hang", "", Answer::hang());
    let (metrics, handle) = MetricsLayer::new(&MetricsConfig::default());
    let limits = ServerLimits { request_timeout_ms: 1000, max_concurrency: 1, ..ServerLimits::default() };
    let gateway = builder(FakeTransport::new().with_server("a", &server))
        .with_servers(vec![spec("a").with_limits(limits)])
        .with_layer(Arc::new(metrics))
        .with_layer(Arc::new(ConcurrencyLayer::new(ConcurrencyConfig::default())))
        .with_layer(Arc::new(BreakerLayer::new(BreakerConfig { failures_to_open: 2, cool_down_ms: 60_000 })))
        .with_layer(Arc::new(RetryLayer::new(RetryConfig::default())))
        .with_layer(Arc::new(DeadlineLayer::new()))
        .start()
        .await
        .expect("one name");
    gateway.settled().await;
    let caller = context(&gateway, None).await;
    let reply = call(&gateway, &caller, "odd").await.expect("answered");
    assert_eq!(reply.result.as_str(), ODD_RESULT);
    for expected in [ErrorKind::UpstreamTimeout, ErrorKind::UpstreamTimeout, ErrorKind::Unavailable] {
        let error = call(&gateway, &caller, "hang").await.expect_err("it hangs");
        assert_eq!(error.kind(), expected, "{error}");
    }
    assert_eq!(server.calls(), 3, "a time-out is not repeated");
    let page = handle.render();
    assert!(page.contains(r#"calls_total{server="a",outcome="upstream_timeout"} 2"#), "{page}");
    assert!(page.contains(r#"calls_total{server="a",outcome="unavailable"} 1"#), "{page}");
}
