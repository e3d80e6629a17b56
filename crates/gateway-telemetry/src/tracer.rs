//! The gateway's spans as OpenTelemetry's.

use std::fmt;
use std::str::FromStr as _;

use gateway_core::{SpanStart, SpanValue, TraceContext, Tracer};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span};

/// Makes spans with OpenTelemetry's SDK.
pub(crate) struct OtelTracer(pub(crate) SdkTracer);

impl Tracer for OtelTracer {
    fn begin(&self, start: SpanStart, parent: Option<&TraceContext>) -> Box<dyn gateway_core::Span> {
        let SpanStart { kind, name, attributes } = start;
        let kind = match kind {
            gateway_core::SpanKind::Server => SpanKind::Server,
            gateway_core::SpanKind::Client => SpanKind::Client,
            gateway_core::SpanKind::Consumer => SpanKind::Consumer,
            gateway_core::SpanKind::Internal => SpanKind::Internal,
        };
        let attributes = attributes.into_iter().map(|(key, value)| KeyValue::new(key, value_of(value)));
        let context = match parent.and_then(span_context) {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        let builder = self.0.span_builder(name).with_kind(kind).with_attributes(attributes);
        let span = builder.start_with_context(&self.0, &context);
        let place = trace_context(span.span_context());
        Box::new(OtelSpan { span, place })
    }
}

impl fmt::Debug for OtelTracer {
    /// Without the exporter's settings, which hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelTracer").finish_non_exhaustive()
    }
}

/// Ends when it is dropped, as the SDK's spans do.
struct OtelSpan {
    span: Span,
    place: Option<TraceContext>,
}

impl gateway_core::Span for OtelSpan {
    fn context(&self) -> Option<&TraceContext> {
        self.place.as_ref()
    }

    fn set(&mut self, key: &'static str, value: SpanValue) {
        self.span.set_attribute(KeyValue::new(key, value_of(value)));
    }

    fn fail(&mut self, error_type: &str) {
        self.span.set_attribute(KeyValue::new("error.type", error_type.to_owned()));
        // Without a description: messages may repeat what callers and servers wrote.
        self.span.set_status(Status::error(""));
    }
}

impl fmt::Debug for OtelSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelSpan").field("place", &self.place).finish_non_exhaustive()
    }
}

fn value_of(value: SpanValue) -> Value {
    match value {
        SpanValue::Text(text) => Value::String(text.into()),
        SpanValue::Number(number) => Value::I64(number),
    }
}

/// A caller's place as the SDK knows it.
fn span_context(place: &TraceContext) -> Option<SpanContext> {
    let mut parts = place.traceparent().split('-').skip(1);
    let (trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = u8::from_str_radix(flags, 16).ok()?;
    // A state that cannot be read is as good as none (W3C Trace Context, 3.3).
    let state = place.tracestate().and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    let (trace, parent) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(parent).ok()?);
    // Of the flags, those that this version of the format knows.
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    Some(SpanContext::new(trace, parent, flags, true, state))
}

/// A span's place for others; `None` where it has none.
fn trace_context(span: &SpanContext) -> Option<TraceContext> {
    let (trace, id, flags) = (span.trace_id(), span.span_id(), span.trace_flags().to_u8());
    let state = span.trace_state().header();
    TraceContext::parse(&format!("00-{trace}-{id}-{flags:02x}"), Some(&state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_go_to_and_fro() {
        let check = |parent: &str, state: Option<&str>, expected: &str, expected_state: Option<&str>| {
            let place = TraceContext::parse(parent, state).expect("has the form");
            let again = trace_context(&span_context(&place).expect("is read")).expect("is one");
            assert_eq!((again.traceparent(), again.tracestate()), (expected, expected_state), "{parent}");
        };
        let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        check(sampled, None, sampled, None);
        check(sampled, Some("v=1,t@w=a"), sampled, Some("v=1,t@w=a"));
        check(sampled, Some("nonsense"), sampled, None);
        let not = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        check(not, None, not, None);
        // What a later version adds, and flags that nobody knows yet, are not passed off as ours.
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-more", None, sampled, None);
        assert!(trace_context(&SpanContext::empty_context()).is_none());
    }
}
