//! Spans of distributed traces.

use std::borrow::Cow;
use std::fmt::Debug;

use crate::TraceContext;

/// Makes the spans that say what this process did for a request (OpenTelemetry and the like).
///
/// Each request has one for the door that it came through, and beneath it one for each call and search. They say which
/// method, tool and server, and how it ended, and never what was in it: no arguments, no results, no queries.
pub trait Tracer: Debug + Send + Sync + 'static {
    /// Begins a span beneath `parent`, or the first one of a new trace. Must not block.
    fn begin(&self, start: SpanStart, parent: Option<&TraceContext>) -> Box<dyn Span>;
}

/// A span that has begun. It ends when it is dropped.
pub trait Span: Debug + Send + Sync + 'static {
    /// Its place in the trace, for what is done within it and whoever is asked. `None` where it has none, as when nothing
    /// is traced any more: then its parent's place stands.
    fn context(&self) -> Option<&TraceContext>;

    /// Says one thing more about it.
    fn set(&mut self, key: &'static str, value: SpanValue);

    /// Marks it as failed, with a word that says how: `unavailable`.
    fn fail(&mut self, error_type: &str);
}

/// What is known of a span when it begins.
#[derive(Clone, Debug)]
pub struct SpanStart {
    /// Its part in the conversation.
    pub kind: SpanKind,
    /// What is done: one of few names, so that spans of one name can be counted.
    pub name: String,
    /// What else is known.
    pub attributes: Vec<(&'static str, SpanValue)>,
}

/// Whose part a span tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// We answer somebody.
    Server,
    /// We ask somebody.
    Client,
    /// We take a message that nobody waits beside.
    Consumer,
    /// None of these.
    Internal,
}

/// What is said of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpanValue {
    /// A text.
    Text(Cow<'static, str>),
    /// A number.
    Number(i64),
}

impl SpanStart {
    /// A span without attributes.
    pub fn new(kind: SpanKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), attributes: Vec::new() }
    }

    /// With one more attribute.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<SpanValue>) -> Self {
        self.attributes.push((key, value.into()));
        self
    }
}

impl From<&'static str> for SpanValue {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for SpanValue {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for SpanValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A span under way. Dropping it without an end says that the work was broken off, which is how everything is cancelled
/// here.
#[derive(Debug)]
#[must_use = "a span that is dropped counts as cancelled"]
pub struct ActiveSpan {
    span: Box<dyn Span>,
    has_ended: bool,
}

impl ActiveSpan {
    /// Looks after a span.
    pub fn new(span: Box<dyn Span>) -> Self {
        Self { span, has_ended: false }
    }

    /// Its place in the trace, where it has one.
    pub fn context(&self) -> Option<&TraceContext> {
        self.span.context()
    }

    /// Says one thing more about it.
    pub fn set(&mut self, key: &'static str, value: impl Into<SpanValue>) {
        self.span.set(key, value.into());
    }

    /// Ends it; `error_type` says in a word how it failed, where it did.
    pub fn end(mut self, error_type: Option<&str>) {
        self.has_ended = true;
        if let Some(error_type) = error_type {
            self.span.fail(error_type);
        }
    }
}

impl Drop for ActiveSpan {
    fn drop(&mut self) {
        if !self.has_ended {
            self.span.fail("cancelled");
        }
    }
}
