//! What the metrics page says after calls.

use std::time::Duration;

use gateway_core::{ErrorKind, ServerLimits};
use gateway_layers::{MetricsConfig, MetricsLayer};
use gateway_testkit::fakes::{Answer, FakeServer, context};

use crate::support::{call, gateway};

#[tokio::test(start_paused = true)]
async fn calls_are_counted_timed_and_seen_while_under_way() {
    let server = FakeServer::new()
        .with_tool("echo", "", Answer::echo().after(Duration::from_millis(30)))
        .with_tool("broken", "", Answer::error(ErrorKind::UpstreamFailed, "it broke"))
        .with_tool("hang", "", Answer::hang());
    let (layer, handle) = MetricsLayer::new(&MetricsConfig::default());
    let gateway = gateway(&server, ServerLimits::default(), layer).await;
    handle.watch(&gateway);
    let caller = context(&gateway, None).await;
    for _ in 0..3 {
        call(&gateway, &caller, "echo").await.expect("answered");
    }
    assert!(call(&gateway, &caller, "broken").await.is_err());
    let mut hanging = Box::pin(call(&gateway, &caller, "hang"));
    assert!(futures_util::poll!(&mut hanging).is_pending());
    check(&handle.render(), &[r#"mcp_gateway_calls_in_flight{server="a"} 1"#]);
    drop(hanging);
    check(
        &handle.render(),
        &[
            r#"mcp_gateway_calls_total{server="a",outcome="ok"} 3"#,
            r#"mcp_gateway_calls_total{server="a",outcome="upstream_failed"} 1"#,
            r#"mcp_gateway_calls_total{server="a",outcome="dropped"} 1"#,
            r#"mcp_gateway_calls_in_flight{server="a"} 0"#,
            r#"mcp_gateway_call_duration_seconds_count{server="a"} 5"#,
            r#"mcp_gateway_call_duration_seconds_bucket{le="0.025",server="a"} 2"#,
            r#"mcp_gateway_call_duration_seconds_bucket{le="0.05",server="a"} 5"#,
            r#"mcp_gateway_servers{state="ready"} 1.0"#,
            r#"mcp_gateway_servers{state="failed"} 0.0"#,
            "mcp_gateway_tools 3.0",
            "mcp_gateway_sessions 0.0",
            "mcp_gateway_processes 0.0",
            "# EOF",
        ],
    );
}

fn check(page: &str, expected: &[&str]) {
    for line in expected {
        assert!(page.lines().any(|have| have == *line), "{line} is not in\n{page}");
    }
}
