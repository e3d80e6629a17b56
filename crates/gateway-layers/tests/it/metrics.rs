//! What the metrics page says after calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Admission, ErrorKind, Gateway, SearchRequest, ServerLimits};
use gateway_layers::{MetricsConfig, MetricsLayer};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, builder, context, spec};

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

#[tokio::test]
async fn searches_doors_and_bytes_are_counted() {
    let server = FakeServer::new().with_tool("echo", "repeats", Answer::echo());
    let (layer, handle) = MetricsLayer::new(&MetricsConfig::default());
    let gateway = heard(&server, layer).await;
    for door in ["rest", "mcp", "mcp", "a door of tomorrow"] {
        let caller = gateway.admit(Admission { door, ..Admission::default() }).await.expect("anybody may");
        call(&gateway, &caller, "echo").await.expect("answered");
    }
    let caller = context(&gateway, None).await;
    for query in ["repeats", "nothing", "nothing else"] {
        let request = SearchRequest { query: query.to_owned(), limit: 5, min_score: 0.0, servers: None };
        gateway.search(&caller, request).await.expect("a good search");
    }
    let (sent, received) = (r#"{"name":"echo","arguments":{}}"#, r#"{"content":[{"text":"{}","type":"text"}]}"#);
    check(
        &handle.render(),
        &[
            r#"mcp_gateway_door_calls_total{door="rest"} 1"#,
            r#"mcp_gateway_door_calls_total{door="mcp"} 2"#,
            r#"mcp_gateway_door_calls_total{door="other"} 1"#,
            &format!(r#"mcp_gateway_request_bytes_total{{server="a"}} {}"#, 4 * sent.len()),
            &format!(r#"mcp_gateway_response_bytes_total{{server="a"}} {}"#, 4 * received.len()),
            r#"mcp_gateway_searches_total{outcome="found"} 1"#,
            r#"mcp_gateway_searches_total{outcome="none"} 2"#,
            "mcp_gateway_search_duration_seconds_count 3",
        ],
    );
}

/// `docs/observability.md` has a table of all metrics; the page has the same.
#[tokio::test]
async fn the_documented_metrics_are_those_on_the_page() {
    let server = FakeServer::new().with_tool("echo", "repeats", Answer::echo());
    let (layer, handle) = MetricsLayer::new(&MetricsConfig::default());
    let gateway = heard(&server, layer).await;
    handle.watch(&gateway);
    let caller = context(&gateway, None).await;
    call(&gateway, &caller, "echo").await.expect("answered");
    let request = SearchRequest { query: "repeats".to_owned(), limit: 5, min_score: 0.0, servers: None };
    gateway.search(&caller, request).await.expect("a good search");

    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/observability.md"));
    let document = document.expect("the document is where it was");
    let table = document.split("<!-- metrics:begin -->").nth(1).expect("a table").split("<!-- metrics:end -->").next();
    let rows: BTreeMap<String, (String, String)> = table
        .expect("its end")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let labels: Vec<_> = cells[3].split('`').skip(1).step_by(2).collect();
            (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels.join(",")))
        })
        .collect();
    let page = handle.render();
    let mut shown = BTreeMap::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (family, kind) = line.split_once(' ').expect("NAME TYPE");
        let name = if kind == "counter" { format!("{family}_total") } else { family.to_owned() };
        let sample = if kind == "histogram" { format!("{family}_count") } else { name.clone() };
        let sample = page
            .lines()
            .find(|line| line.starts_with(&format!("{sample}{{")) || line.starts_with(&format!("{sample} ")));
        let sample = sample.unwrap_or_else(|| panic!("{name} has no value in\n{page}"));
        let labels = sample.split_once('{').map_or("", |(_, rest)| rest.split_once('}').expect("an end").0);
        let labels: Vec<_> = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
        shown.insert(name, (kind.to_owned(), labels.join(",")));
    }
    assert_eq!(shown, rows);
}

/// A gateway whose layer hears of searches, too.
async fn heard(server: &FakeServer, layer: MetricsLayer) -> Gateway {
    let transport = FakeTransport::new().with_server("a", server);
    let builder = builder(transport).with_servers(vec![spec("a")]).with_feedback(Arc::new(layer.clone()));
    let gateway = builder.with_layer(Arc::new(layer)).start().await.expect("one name");
    gateway.settled().await;
    gateway
}

fn check(page: &str, expected: &[&str]) {
    for line in expected {
        assert!(page.lines().any(|have| have == *line), "{line} is not in\n{page}");
    }
}
