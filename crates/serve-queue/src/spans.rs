//! The span of one job, for distributed traces.

use gateway_core::{ActiveSpan, Gateway, SpanKind, SpanStart};

use crate::envelope::Envelope;

/// Begins a job's span beneath the place that the job names.
pub(crate) fn begin(gateway: &Gateway, queue: &str, envelope: &Envelope) -> Option<ActiveSpan> {
    gateway.begin_span(envelope.trace.as_ref(), || {
        SpanStart::new(SpanKind::Consumer, envelope.action.as_str())
            .with("messaging.system", queue.to_owned())
            .with("messaging.operation.type", "process")
            .with("gateway.door", "queue")
            .with("gateway.request.id", envelope.request.request_id.clone())
    })
}
