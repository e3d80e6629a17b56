//! The one error type of the gateway.

use std::fmt;

use crate::RawJson;

/// `Result` with the gateway's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the terms a caller can act on. Doors turn it into an HTTP status or a
/// JSON-RPC code in one exhaustive `match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong: a missing field, a value out of range.
    InvalidRequest,
    /// Nobody knows who is calling.
    Unauthenticated,
    /// The caller is known, and may not do this.
    Forbidden,
    /// A name in the request stands for nothing: tool, server, session.
    NotFound,
    /// The request contradicts the state: an ambiguous name, a name already taken, a stale revision.
    Conflict,
    /// Something is larger than a configured limit.
    TooLarge,
    /// The tool's arguments are not what the tool takes.
    InvalidArguments,
    /// The caller has used up a limit; later is fine.
    RateLimited,
    /// The caller went away or cancelled.
    Cancelled,
    /// The caller's own time limit has passed.
    DeadlineExceeded,
    /// The upstream broke the protocol, answered with an error, or died in the middle.
    UpstreamFailed,
    /// The upstream cannot be reached, or the gateway has no room to reach it.
    Unavailable,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// The gateway itself is wrong.
    Internal,
}

impl ErrorKind {
    /// The kind as it is written on the wire: `not_found`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::InvalidArguments => "invalid_arguments",
            Self::RateLimited => "rate_limited",
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::UpstreamFailed => "upstream_failed",
            Self::Unavailable => "unavailable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::Internal => "internal",
        }
    }
}

/// Whether the same request may be sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// A second attempt would fail alike, or could do harm.
    #[default]
    Never,
    /// The upstream may have begun the work: only for a tool that declares itself idempotent.
    IfIdempotent,
    /// The upstream has surely not seen the request.
    Safe,
}

/// One failure: a kind, a sentence for the caller, and context and a cause for the operator.
///
/// The message is a lower-case clause that stands by itself ("cannot reach the server: …"). It reaches the caller;
/// context and source reach only the log.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    message: String,
    retry_after_ms: Option<u64>,
    details: Option<RawJson>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` whose `message` the caller will read.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            retry: Retry::Never,
            message: message.into(),
            retry_after_ms: None,
            details: None,
            context: Vec::new(),
            source: None,
        }))
    }

    /// Says whether the request may be sent again.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Says when another attempt makes sense, in milliseconds from now.
    #[must_use]
    pub fn with_retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.0.retry_after_ms = Some(milliseconds);
        self
    }

    /// Attaches JSON that the caller may see, such as the candidates of an ambiguous name or the
    /// upstream's own JSON-RPC error object.
    #[must_use]
    pub fn with_details(mut self, details: RawJson) -> Self {
        self.0.details = Some(details);
        self
    }

    /// Adds a fact for the log, such as `("server", "demo")`.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// Keeps the error beneath this one, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same request may be sent again.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// When another attempt makes sense, in milliseconds from now.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.0.retry_after_ms
    }

    /// The sentence for the caller.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// JSON for the caller.
    pub fn details(&self) -> Option<&RawJson> {
        self.0.details.as_ref()
    }

    /// The same failure for another waiter; the source becomes text.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let inner = &self.0;
        Self(Box::new(Inner {
            kind: inner.kind,
            retry: inner.retry,
            message: inner.message.clone(),
            retry_after_ms: inner.retry_after_ms,
            details: inner.details.clone(),
            context: inner.context.clone(),
            source: inner.source.as_ref().map(|source| source.to_string().into()),
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.as_str(), self.0.message)?;
        for (key, value) in &self.0.context {
            write!(f, ", {key}: {value}")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, ", caused by: {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}
