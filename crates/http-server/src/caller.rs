//! What the guard found out about the sender of a request.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::FromRequestParts;
use gateway_core::{Admission, Context, Credentials, ErrorKind, Gateway, Listener};
use http::request::Parts;
use tokio_util::sync::CancellationToken;

use crate::problem::Problem;

/// The connection that a request came on. [`serve`](crate::serve) puts it into every request's
/// extensions; without it nobody counts as local.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Our end.
    pub local: Option<SocketAddr>,
    /// Cancelled when the gateway begins to stop: the answer asks the client to close the connection.
    pub draining: CancellationToken,
    /// Cancelled when a request under way has had its time to end.
    pub killed: CancellationToken,
}

/// The sender of a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub request_id: String,
    /// As it was sent; a session only once the caller was admitted.
    pub session_id: Option<String>,
    pub credentials: Credentials,
    pub page: Page,
    /// The gateway has begun to stop.
    pub draining: bool,
    /// Cancelled when the gateway waits no longer.
    pub killed: Option<CancellationToken>,
}

/// Which kind of web page sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// None: a program.
    None,
    /// A browser without an `Origin`: a link or an image.
    Unnamed,
    /// One that may use the gateway.
    Ordinary,
    /// One that may add and remove servers, too.
    Admin,
}

impl Caller {
    /// Asks the engine to admit the caller.
    pub(crate) async fn admit(&self, gateway: &Gateway) -> Result<Context, Problem> {
        self.admit_for(gateway, None, None).await
    }

    /// Asks the engine to admit the caller for a call with a time limit, or one that somebody listens to.
    pub(crate) async fn admit_for(
        &self,
        gateway: &Gateway,
        timeout: Option<Duration>,
        listener: Option<Listener>,
    ) -> Result<Context, Problem> {
        // An empty id is not the default session: its sender believes to be in one of its own.
        if self.session_id.as_ref().is_some_and(|id| !is_session_id(id)) {
            return Err(Problem::of_kind(ErrorKind::NotFound, "there is no session with the id in X-Session-ID"));
        }
        let admission = Admission {
            request_id: self.request_id.clone(),
            credentials: self.credentials.clone(),
            session_id: self.session_id.clone(),
            timeout,
            listener,
        };
        Ok(gateway.admit(admission).await?)
    }

    /// The same caller, asking for no session.
    pub(crate) fn without_session(mut self) -> Self {
        self.session_id = None;
        self
    }

    /// Refuses web pages that may not change which servers there are.
    pub(crate) fn may_change_servers(&self) -> Result<(), Problem> {
        match self.page {
            Page::None | Page::Admin => Ok(()),
            Page::Unnamed | Page::Ordinary => Err(Problem::forbidden(
                "a web page may not add or remove servers; if this page may, list its origin in server.admin_origins",
            )),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.remove::<Self>().expect("the guard stands before every handler"))
    }
}

/// Whether a text can be a session's id at all.
pub(crate) fn is_session_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
