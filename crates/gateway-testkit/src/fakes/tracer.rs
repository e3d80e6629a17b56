//! A tracer that remembers its spans.

use std::sync::{Arc, Mutex, PoisonError};

use gateway_core::{Span, SpanKind, SpanStart, SpanValue, TraceContext, Tracer};

/// Remembers every span that has begun. Clones are the same tracer.
#[derive(Clone, Debug, Default)]
pub struct FakeTracer(Arc<Mutex<Vec<RecordedSpan>>>);

/// What became of a span.
#[derive(Clone, Debug)]
pub struct RecordedSpan {
    /// Its name.
    pub name: String,
    /// Whose part it tells of.
    pub kind: SpanKind,
    /// The place that it was begun beneath.
    pub parent: Option<TraceContext>,
    /// Its own.
    pub place: TraceContext,
    /// What was said of it, in order.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// How it failed, where it did.
    pub error_type: Option<String>,
    /// Whether it is over.
    pub has_ended: bool,
}

impl RecordedSpan {
    /// The text or number that was said under a key.
    pub fn says(&self, key: &str) -> Option<String> {
        let said = self.attributes.iter().rfind(|(known, _)| *known == key);
        said.map(|(_, value)| match value {
            SpanValue::Text(text) => text.to_string(),
            SpanValue::Number(number) => number.to_string(),
        })
    }
}

impl FakeTracer {
    /// A tracer without spans.
    pub fn new() -> Self {
        Self::default()
    }

    /// The spans so far, in the order in which they began.
    pub fn spans(&self) -> Vec<RecordedSpan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tracer for FakeTracer {
    fn begin(&self, start: SpanStart, parent: Option<&TraceContext>) -> Box<dyn Span> {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = spans.len() + 1;
        let trace = parent.and_then(|parent| parent.traceparent().split('-').nth(1));
        let trace = trace.map_or_else(|| format!("{number:032x}"), str::to_owned);
        let place = TraceContext::parse(&format!("00-{trace}-{number:016x}-01"), None).expect("has the form");
        spans.push(RecordedSpan {
            name: start.name,
            kind: start.kind,
            parent: parent.cloned(),
            place: place.clone(),
            attributes: start.attributes,
            error_type: None,
            has_ended: false,
        });
        Box::new(FakeSpan { spans: self.clone(), at: number - 1, place })
    }
}

#[derive(Debug)]
struct FakeSpan {
    spans: FakeTracer,
    at: usize,
    place: TraceContext,
}

impl FakeSpan {
    fn change(&self, change: impl FnOnce(&mut RecordedSpan)) {
        change(&mut self.spans.0.lock().unwrap_or_else(PoisonError::into_inner)[self.at]);
    }
}

impl Span for FakeSpan {
    fn context(&self) -> Option<&TraceContext> {
        Some(&self.place)
    }

    fn set(&mut self, key: &'static str, value: SpanValue) {
        self.change(|span| span.attributes.push((key, value)));
    }

    fn fail(&mut self, error_type: &str) {
        self.change(|span| span.error_type = Some(error_type.to_owned()));
    }
}

impl Drop for FakeSpan {
    fn drop(&mut self) {
        self.change(|span| span.has_ended = true);
    }
}
