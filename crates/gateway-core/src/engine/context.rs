//! Facts about one request.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::session::Session;
use crate::{Credentials, Listener, Principal, TraceContext};

/// What a door knows of a request before the engine has admitted it.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// The request's id, for answers and logs. The door has checked its form.
    pub request_id: String,
    /// What the caller presented.
    pub credentials: Credentials,
    /// The session it names; the default session when absent.
    pub session_id: Option<String>,
    /// The caller's own limit for the whole request.
    pub timeout: Option<Duration>,
    /// Who hears progress of what the request starts.
    pub listener: Option<Listener>,
    /// Through which door it came: `rest`, `mcp`, `queue`; empty from inside the program.
    pub door: &'static str,
    /// Where it stands in a distributed trace, as its sender says.
    pub trace: Option<TraceContext>,
}

/// Facts about one admitted request: who, in which session, until when. Only
/// [`Gateway::admit`](crate::Gateway::admit) makes one, so nothing runs for a caller unknown.
///
/// There is no cancel token: dropping the future of a call cancels it, upstream included.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) request_id: String,
    pub(crate) principal: Arc<Principal>,
    pub(crate) local: bool,
    pub(crate) session: Arc<Session>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) listener: Option<Listener>,
    pub(crate) door: &'static str,
    pub(crate) trace: Option<TraceContext>,
}

impl Context {
    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Who is calling.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The session's id; `None` for the default session.
    pub fn session_id(&self) -> Option<&str> {
        self.session.id()
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Who hears progress.
    pub fn listener(&self) -> Option<&Listener> {
        self.listener.as_ref()
    }

    /// Through which door the request came: `rest`, `mcp`, `queue`; empty from inside the program.
    pub fn door(&self) -> &'static str {
        self.door
    }

    /// Where the request stands in a distributed trace. Upstream servers are told the same.
    pub fn trace(&self) -> Option<&TraceContext> {
        self.trace.as_ref()
    }

    /// The same request at another place of its trace: for a layer that makes a span of its own.
    #[must_use]
    pub fn with_trace(&self, trace: TraceContext) -> Self {
        Self { trace: Some(trace), ..self.clone() }
    }
}
