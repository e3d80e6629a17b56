//! The HTTP answer to one request: its head, and its body as it comes.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Error, Result};
use http::header::{AsHeaderName, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Incoming};
use mcp_wire::{header, http_refusal};
use tokio_util::task::TaskTracker;

use crate::error;
use crate::pool::{Connection, Pool};

/// Most that is read of an answer which says no.
const MAX_REFUSAL_BYTES: usize = 16 * 1024;

/// Longest that a connection is kept for the rest of an answer that nobody needs.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// Most that is read of such a rest.
const MAX_DRAIN_BYTES: usize = 64 * 1024;

/// An answer whose head has come. It holds its connection until its body has been read to the end;
/// dropping it before closes the connection, which tells the server that nobody waits.
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Incoming,
    connection: Option<Box<Connection>>,
    pool: Arc<Pool>,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    EventStream,
    Other,
}

impl Answer {
    pub(crate) fn new(response: Response<Incoming>, connection: Box<Connection>, pool: Arc<Pool>) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status, headers: head.headers, body, connection: Some(connection), pool }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The session that the server opened with this answer.
    ///
    /// # Errors
    /// Where its id has characters that the protocol forbids.
    pub(crate) fn session(&self) -> Result<Option<HeaderValue>> {
        let Some(id) = self.headers.get(header::SESSION_ID) else { return Ok(None) };
        if id.is_empty() || !id.as_bytes().iter().all(u8::is_ascii_graphic) {
            return Err(error::protocol("connect: the server's session id is not visible ASCII"));
        }
        Ok(Some(id.clone()))
    }

    /// What its body is.
    ///
    /// # Errors
    /// Where the body is compressed, which we never ask for.
    pub(crate) fn kind(&self) -> Result<Kind> {
        if self.header(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(error::protocol("cannot read the answer: the server compressed it, which nobody asked for"));
        }
        let essence = self.header(CONTENT_TYPE).and_then(|text| text.split(';').next());
        let essence = essence.unwrap_or_default().trim();
        Ok(if essence.eq_ignore_ascii_case("application/json") {
            Kind::Json
        } else if essence.eq_ignore_ascii_case("text/event-stream") {
            Kind::EventStream
        } else {
            Kind::Other
        })
    }

    /// The next piece of the body; `None` at its end, when the connection goes back to the pool.
    ///
    /// # Errors
    /// [`Pool::broken`] where the connection broke.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>> {
        // Lets others run between the pieces of a long body.
        tokio::task::coop::consume_budget().await;
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let body = &mut self.body;
        while !body.is_end_stream() {
            match connection.drive(|quiet| Pin::new(&mut *body).poll_frame(quiet)).await {
                Some(Some(Ok(frame))) => {
                    // Trailers say nothing in MCP.
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
                Some(Some(Err(source))) => return Err(self.pool.broken(Some(source))),
                Some(None) => break,
                None => return Err(self.pool.broken(None)),
            }
        }
        if let Some(connection) = self.connection.take() {
            self.pool.put(connection);
        }
        Ok(None)
    }

    /// The whole body.
    ///
    /// # Errors
    /// Where it is longer than `limit` or the connection breaks.
    pub(crate) async fn whole(mut self, limit: usize) -> Result<Bytes> {
        let announced: Option<usize> = self.header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(error::too_large(limit));
        }
        let Some(first) = self.piece().await? else { return Ok(Bytes::new()) };
        if first.len() > limit {
            return Err(error::too_large(limit));
        }
        let Some(mut piece) = self.piece().await? else { return Ok(first) };
        let mut whole = Vec::with_capacity(announced.unwrap_or(first.len() + piece.len()));
        whole.extend_from_slice(&first);
        loop {
            if whole.len() + piece.len() > limit {
                return Err(error::too_large(limit));
            }
            whole.extend_from_slice(&piece);
            match self.piece().await? {
                Some(next) => piece = next,
                None => return Ok(whole.into()),
            }
        }
    }

    /// The error that an answer with a status that says no stands for, and what could be read of its
    /// body.
    pub(crate) async fn refusal(mut self) -> (Error, Bytes) {
        let error = http_refusal("Streamable HTTP", self.status, &self.headers);
        let mut text = Vec::new();
        while let Ok(Some(piece)) = self.piece().await {
            text.extend_from_slice(&piece);
            if text.len() > MAX_REFUSAL_BYTES {
                text.truncate(MAX_REFUSAL_BYTES);
                break;
            }
        }
        (error, text.into())
    }

    /// Reads the rest of a body that nobody needs, in a task of `tasks`, so that its connection can
    /// serve again. A rest that is long or does not come costs the connection.
    pub(crate) fn drain(mut self, tasks: &TaskTracker) {
        // Most servers end the body in the same breath as the message that mattered.
        let mut quiet = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(None) | Err(_)) = pin!(self.piece()).poll(&mut quiet) {
            return;
        }
        let draining = async move {
            let mut read = 0;
            while let Ok(Some(piece)) = self.piece().await {
                read += piece.len();
                if read > MAX_DRAIN_BYTES {
                    break;
                }
            }
        };
        tasks.spawn(tokio::time::timeout(DRAIN_PATIENCE, draining));
    }
}
