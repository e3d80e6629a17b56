//! The gateway: what doors ask.

use std::sync::Arc;

use crate::{
    AddReport, Admission, Context, Error, ErrorKind, Health, NewSession, RemoveReport, Result, SearchReply,
    SearchRequest, ServerSelector, ServerSpec, ServerStatus, SessionStatus, ToolCall, ToolEntry,
    ToolReply,
};

/// One running gateway. Cheap to clone; all clones are the same gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    _inner: Arc<()>,
}

impl Gateway {
    /// Finds out who is calling and which session is meant: the only maker of a [`Context`].
    pub async fn admit(&self, _admission: Admission) -> Result<Context> {
        todo!()
    }

    /// The tools of the context's session that its caller may use, in a fixed order. Asks no upstream.
    pub fn tools(&self, _context: &Context) -> Vec<ToolEntry> {
        todo!()
    }

    /// Finds tools by a description. Asks no upstream.
    pub async fn search(&self, _context: &Context, _request: SearchRequest) -> Result<SearchReply> {
        todo!()
    }

    /// Runs a tool.
    pub async fn call(&self, _context: &Context, _call: ToolCall) -> Result<ToolReply> {
        todo!()
    }

    /// The servers of the context's session.
    pub fn servers(&self, _context: &Context) -> Vec<ServerStatus> {
        todo!()
    }

    /// Adds servers to the context's session and connects them. One that fails stops no other.
    pub async fn add_servers(&self, _context: &Context, _specs: Vec<ServerSpec>) -> Result<AddReport> {
        todo!()
    }

    /// Removes a server from the context's session and ends its connection.
    pub async fn remove_server(&self, _context: &Context, _which: ServerSelector) -> Result<RemoveReport> {
        todo!()
    }

    /// Makes a session with the servers of the servers file.
    pub async fn create_session(&self, _context: &Context, _new: NewSession) -> Result<SessionStatus> {
        todo!()
    }

    /// One session of the caller's.
    pub async fn session(&self, _context: &Context, _id: &str) -> Result<SessionStatus> {
        todo!()
    }

    /// The caller's sessions.
    pub async fn sessions(&self, _context: &Context) -> Result<Vec<SessionStatus>> {
        todo!()
    }

    /// Ends a session: its connections and processes are gone when this returns.
    pub async fn delete_session(&self, _context: &Context, _id: &str) -> Result<()> {
        Err(Error::new(ErrorKind::Internal, "todo"))
    }

    /// How the gateway is.
    pub fn health(&self) -> Health {
        todo!()
    }

    /// Makes the default session's servers those of the servers file, touching just what changed.
    pub async fn replace_servers(&self, _specs: Vec<ServerSpec>) {
        todo!()
    }

    /// Ends all connections in order. Calls under way fail; let them finish first.
    pub async fn shutdown(&self) {
        todo!()
    }
}
