//! The span of one job, for distributed traces. Names and attributes are those of OpenTelemetry's conventions for
//! messaging.

use gateway_core::{ActiveSpan, Gateway, JobAnswer, Result, SpanKind, SpanStart};

use crate::envelope::Envelope;

/// Begins a job's span beneath that of its producer.
pub(crate) fn begin(gateway: &Gateway, queue: &'static str, envelope: &Envelope) -> Option<ActiveSpan> {
    gateway.begin_span(envelope.trace.as_ref(), || {
        SpanStart::new(SpanKind::Consumer, envelope.action.as_str())
            .with("messaging.system", queue)
            .with("messaging.operation.type", "process")
            .with("messaging.message.id", envelope.request.request_id.clone())
            .with("gateway.door", "queue")
            .with("gateway.request.id", envelope.request.request_id.clone())
    })
}

/// Ends it with its answer.
pub(crate) fn end(span: Option<ActiveSpan>, answer: &Result<JobAnswer>) {
    if let Some(span) = span {
        span.end(answer.as_ref().err().map(|error| error.kind().as_str()));
    }
}
