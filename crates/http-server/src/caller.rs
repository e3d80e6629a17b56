//! What the guard found out about the sender of a request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use gateway_core::{Admission, Context, Credentials, Error, ErrorKind, Gateway, Listener, Result, TraceContext};
use http::request::Parts;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;

/// The sender of a request. Only the guard makes one.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The request's id: the sender's, where it has a harmless form, else a new one.
    pub request_id: Arc<str>,
    /// `X-Session-ID` as it was sent; a session only once the caller was admitted.
    pub session_id: Option<String>,
    /// Who the sender claims to be.
    pub credentials: Credentials,
    /// The web page that sent the request.
    pub page: Page,
    /// Where the request stands in a distributed trace, as its headers say.
    pub trace: Option<TraceContext>,
    /// What the door that has the request calls itself ([`Admission::door`]); empty until it says so.
    pub door: &'static str,
    /// `None` where the request came by other ways than [`serve`](crate::serve).
    pub(crate) connection: Option<Arc<Connection>>,
}

/// Which kind of web page sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
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
    ///
    /// # Errors
    /// What [`Gateway::admit`] refuses.
    pub async fn admit(&self, gateway: &Gateway) -> Result<Context> {
        self.admit_for(gateway, None, None).await
    }

    /// Asks the engine to admit the caller for a call with a time limit, or one that somebody listens to.
    ///
    /// # Errors
    /// What [`Gateway::admit`] refuses, and `NotFound` for a session id that cannot be one.
    pub async fn admit_for(
        &self,
        gateway: &Gateway,
        timeout: Option<Duration>,
        listener: Option<Listener>,
    ) -> Result<Context> {
        // An empty id is not the default session: its sender believes to be in one of its own.
        if self.session_id.as_ref().is_some_and(|id| !is_session_id(id)) {
            return Err(Error::new(ErrorKind::NotFound, "there is no session with the id in X-Session-ID"));
        }
        let admission = Admission {
            request_id: self.request_id.as_ref().to_owned(),
            credentials: self.credentials.clone(),
            session_id: self.session_id.clone(),
            timeout,
            listener,
            door: self.door,
            trace: self.trace.clone(),
        };
        gateway.admit(admission).await
    }

    /// The same caller, asking for no session.
    pub fn without_session(mut self) -> Self {
        self.session_id = None;
        self
    }

    /// Refuses web pages that may not change which servers there are.
    ///
    /// # Errors
    /// `Forbidden` for such a page.
    pub fn may_change_servers(&self) -> Result<()> {
        match self.page {
            Page::None | Page::Admin => Ok(()),
            Page::Unnamed | Page::Ordinary => Err(Error::new(
                ErrorKind::Forbidden,
                "a web page may not add or remove servers; if this page may, list its origin in server.admin_origins",
            )),
        }
    }

    /// Whether the gateway has begun to stop.
    pub fn is_draining(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.draining.is_cancelled())
    }

    /// Cancelled when the gateway begins to stop. An answer that goes on without end, such as a stream of
    /// events, ends then; one that will come to its end goes on.
    pub fn draining(&self) -> CancellationToken {
        self.connection.as_ref().map(|connection| connection.draining.clone()).unwrap_or_default()
    }

    /// Cancelled when the gateway waits no longer for what is under way. The server itself drops a handler then;
    /// a body that is still being written must see to its own last words.
    pub fn killed(&self) -> CancellationToken {
        self.connection.as_ref().map(|connection| connection.killed.clone()).unwrap_or_default()
    }
}

/// For doors that route with axum: they put the caller into the request's extensions, and a handler takes it from
/// there.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Infallible> {
        Ok(parts.extensions.remove::<Self>().expect("the door puts the caller into every request"))
    }
}

/// Whether a text can be a session's id at all.
pub fn is_session_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
