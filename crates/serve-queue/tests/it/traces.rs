//! Whose children the spans of a job are.

use std::time::Duration;

use gateway_core::{EngineConfig, SpanKind, TraceContext};
use gateway_testkit::fakes::{FakeTracer, gateway_with};
use serde_json::json;
use serve_queue::QueueDoorConfig;

use crate::harness::{Worker, answer, call, demo, memory};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn a_job_has_a_span_beneath_the_place_that_it_names() {
    let (queue, tracer) = (memory(30_000), std::sync::Arc::new(FakeTracer::new()));
    let own = std::sync::Arc::clone(&tracer);
    let gateway = gateway_with(&[("demo", &demo())], EngineConfig::default(), |builder| builder.with_tracer(own)).await;
    let worker = Worker::at(gateway, queue.clone(), QueueDoorConfig::default(), Duration::from_secs(5));
    call(&queue, "r-1", "fail", json!({ "traceparent": PARENT })).await;
    answer(&queue).await;
    call(&queue, "r-2", "nobody", json!({})).await;
    answer(&queue).await;
    worker.stop().await;

    let spans = tracer.spans();
    let [job, run, lost] = spans.as_slice() else { panic!("{spans:#?}") };
    assert_eq!((job.name.as_str(), job.kind, job.error_type.as_deref()), ("mcp_tool_call", SpanKind::Consumer, None));
    assert_eq!(job.parent.as_ref().map(TraceContext::traceparent), Some(PARENT));
    assert_eq!(
        (job.says("gateway.door").as_deref(), job.says("messaging.system").as_deref()),
        (Some("queue"), Some("memory"))
    );
    assert_eq!(
        (run.name.as_str(), run.kind, run.parent.as_ref()),
        ("tools/call fail", SpanKind::Client, Some(&job.place))
    );
    assert_eq!(run.error_type.as_deref(), Some("tool_error"));
    assert_eq!((lost.parent.as_ref(), lost.error_type.as_deref()), (None, Some("not_found")));
    assert!(spans.iter().all(|span| span.has_ended));
}
