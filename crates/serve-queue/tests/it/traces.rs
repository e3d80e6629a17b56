//! Where jobs stand in distributed traces.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_core::{EngineConfig, Span, SpanStart, SpanValue, TraceContext, Tracer};
use gateway_testkit::fakes;
use serde_json::json;
use serve_queue::QueueDoorConfig;

use crate::harness::{Worker, answer, call, demo, memory};

/// The name of a span, its parent, and how it failed.
type Seen = (String, Option<String>, Option<String>);

/// Remembers each span.
#[derive(Clone, Debug, Default)]
struct Remembering(Arc<Mutex<Vec<Seen>>>);

#[derive(Debug)]
struct Remembered {
    tracer: Remembering,
    place: usize,
    context: TraceContext,
}

impl Tracer for Remembering {
    fn begin(&self, start: SpanStart, parent: Option<&TraceContext>) -> Box<dyn Span> {
        let mut spans = self.0.lock().expect("no panic");
        let place = spans.len();
        spans.push((start.name, parent.map(|parent| parent.traceparent().to_owned()), None));
        let context = TraceContext::parse(&of_span(place), None).expect("has the form");
        Box::new(Remembered { tracer: self.clone(), place, context })
    }
}

impl Span for Remembered {
    fn context(&self) -> Option<&TraceContext> {
        Some(&self.context)
    }

    fn set(&mut self, _: &'static str, _: SpanValue) {}

    fn fail(&mut self, error_type: &str) {
        self.tracer.0.lock().expect("no panic")[self.place].2 = Some(error_type.to_owned());
    }
}

fn of_span(place: usize) -> String {
    format!("00-0af7651916cd43dd8448eb211c80319c-{:016x}-01", place + 1)
}

#[tokio::test]
async fn a_job_has_a_span_beneath_its_producers() {
    let (queue, server, tracer) = (memory(30_000), demo(), Remembering::default());
    let gateway = fakes::gateway_with(&[("demo", &server)], EngineConfig::default(), |builder| {
        builder.with_tracer(Arc::new(tracer.clone()))
    })
    .await;
    let _worker = Worker::at(gateway, queue.clone(), QueueDoorConfig::default(), Duration::ZERO);
    let producer = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    call(&queue, "r-1", "echo", json!({"traceparent": producer})).await;
    answer(&queue).await;
    call(&queue, "r-2", "nobody", json!({"traceparent": "no such form"})).await;
    answer(&queue).await;
    let spans = tracer.0.lock().expect("no panic").clone();
    let jobs: Vec<_> = spans.iter().filter(|(name, ..)| name == "mcp_tool_call").collect();
    assert_eq!(jobs[0], &("mcp_tool_call".to_owned(), Some(producer.to_owned()), None), "{spans:?}");
    assert_eq!(jobs[1], &("mcp_tool_call".to_owned(), None, Some("not_found".to_owned())), "{spans:?}");
    let place = spans.iter().position(|(name, ..)| name == "mcp_tool_call").expect("it is there");
    let inside = spans.iter().filter(|(_, parent, _)| parent.as_ref() == Some(&of_span(place))).count();
    assert_eq!(inside, 1, "the call is beneath the job: {spans:?}");
}
