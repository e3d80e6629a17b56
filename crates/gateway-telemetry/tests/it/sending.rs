//! How spans get to the collector.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use gateway_core::{ActiveSpan, SpanKind, SpanStart};
use gateway_telemetry::Telemetry;

use crate::collector::Collector;
use crate::rig::{telemetry, variables};

fn span(telemetry: &Telemetry, name: &str) {
    let span = telemetry.tracer().begin(SpanStart::new(SpanKind::Internal, name), None);
    ActiveSpan::new(span).end(None);
}

#[tokio::test]
async fn headers_compression_and_resource_are_those_of_the_variables() {
    let collector = Collector::start().await;
    let mut variables = variables(&collector);
    variables.extend([
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hush".to_owned()),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip".to_owned()),
        ("OTEL_SERVICE_NAME", "mine".to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".to_owned()),
    ]);
    let telemetry = telemetry(&variables).expect("there is an address");
    let shown = format!("{telemetry:?} {:?}", telemetry.tracer());
    assert!(!shown.contains("hush") && !shown.contains(&collector.address), "{shown}");
    span(&telemetry, "one");
    span(&telemetry, "two");
    telemetry.shutdown(Duration::from_secs(10)).await;
    assert_ne!(collector.span("one").trace, collector.span("two").trace);
    let headers = &collector.headers()[0];
    assert_eq!(headers["authorization"], "Bearer hush");
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(collector.resource("service.name").as_deref(), Some("mine"));
    assert_eq!(collector.resource("deployment.environment.name").as_deref(), Some("test"));
    assert_eq!(collector.resource("telemetry.sdk.language").as_deref(), Some("rust"));
    assert!(collector.resource("service.instance.id").is_some());
}

#[tokio::test]
async fn a_sampler_that_takes_nothing_sends_nothing() {
    let collector = Collector::start().await;
    let mut variables = variables(&collector);
    variables.push(("OTEL_TRACES_SAMPLER", "always_off".to_owned()));
    let telemetry = telemetry(&variables).expect("there is an address");
    let span = telemetry.tracer().begin(SpanStart::new(SpanKind::Server, "no"), None);
    assert!(span.context().expect("has a place").traceparent().ends_with("-00"));
    drop(span);
    telemetry.shutdown(Duration::from_secs(10)).await;
    assert!(collector.spans().is_empty() && collector.headers().is_empty());
}

#[tokio::test]
async fn a_collector_that_is_busy_is_asked_again() {
    let collector = Collector::start().await;
    collector.refuse(&[StatusCode::SERVICE_UNAVAILABLE]);
    let telemetry = telemetry(&variables(&collector)).expect("there is an address");
    span(&telemetry, "late");
    telemetry.shutdown(Duration::from_secs(20)).await;
    collector.span("late");
}

#[tokio::test]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let nobody = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9".to_owned())];
    let telemetry = telemetry(&nobody).expect("there is an address");
    let begun = Instant::now();
    for _ in 0..10_000 {
        span(&telemetry, "lost");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let begun = Instant::now();
    telemetry.shutdown(Duration::from_millis(500)).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
