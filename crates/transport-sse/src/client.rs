//! The HTTP side of one connection: the stream that brings everything, and POSTs.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Error, Result, TraceContext};
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use mcp_wire::sse::{Event, Parser};
use mcp_wire::{HttpTarget, Message, header, http_refusal, upstream_error};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::endpoint;
use crate::error;

/// How long an unused connection is kept: Node and uvicorn close theirs after 5 seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Unused connections that are kept.
const MAX_IDLE: usize = 8;

/// Most that is read of the answer to a POST, which says nothing that matters but why it was refused.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Longest that is waited for it.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Opens connections, plain or TLS.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// The tasks of one connection, those of the HTTP client included: all are waited for, and end together.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    pub(crate) tracker: TaskTracker,
    pub(crate) ended: CancellationToken,
}

/// The requests to one server.
pub(crate) struct Http {
    client: Client<Connector, Full<Bytes>>,
    target: HttpTarget,
}

/// What a server did with a POST that it did not refuse for its own sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    Taken,
    /// It does not know our session: the message was not read.
    SessionLost,
}

/// The stream of events.
#[derive(Debug)]
pub(crate) struct Stream {
    body: Incoming,
    parser: Parser,
    limit: usize,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self { tracker: TaskTracker::new(), ended: CancellationToken::new() }
    }

    /// Runs a future until it is done or the connection ends.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(self.ended.clone().run_until_cancelled_owned(future));
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}

impl Http {
    pub(crate) fn new(connector: Connector, target: HttpTarget, tasks: &Tasks) -> Self {
        let client = Client::builder(tasks.clone())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector);
        Self { client, target }
    }

    /// Opens the stream, for messages of at most `limit` bytes, and waits for the endpoint.
    ///
    /// # Errors
    /// Where the server cannot be reached, has no such stream, or names no endpoint that may be used.
    pub(crate) async fn open(&self, limit: usize) -> Result<(Stream, Uri)> {
        let mut request = self.request(Method::GET, self.stream_uri()?, Bytes::new());
        request.headers_mut().insert(ACCEPT, EVENTS);
        let response = self.client.request(request).await.map_err(error::unsent)?;
        if !response.status().is_success() {
            return Err(http_refusal("SSE", response.status(), response.headers()));
        }
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if text(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(error::protocol("connect: the server compressed its stream, which nobody asked for"));
        }
        let essence = text(CONTENT_TYPE).and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("text/event-stream") {
            return Err(error::protocol("connect: the server sent no stream of events"));
        }
        let mut stream = Stream { body: response.into_body(), parser: Parser::new(limit), limit };
        loop {
            let event = stream.next().await?.ok_or_else(|| error::stream_lost(None))?;
            if *event.name == *b"endpoint" {
                let endpoint = endpoint::resolve(&self.target, &event.data)?;
                return Ok((stream, endpoint));
            }
        }
    }

    /// Sends one message to the endpoint. Returns when the server has taken it.
    ///
    /// # Errors
    /// [`error::unsent`]; or the server refused it.
    pub(crate) async fn post(&self, endpoint: &Uri, message: Vec<u8>, trace: Option<&TraceContext>) -> Result<Posted> {
        let mut request = self.request(Method::POST, endpoint.clone(), message.into());
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        if let Some(trace) = trace {
            header::insert_trace(request.headers_mut(), trace);
        }
        let response = self.client.request(request).await.map_err(error::unsent)?;
        let (status, refusal) = (response.status(), http_refusal("SSE", response.status(), response.headers()));
        // Read also where nobody needs it, so that the connection can serve again.
        let text = text_of(response).await;
        match status {
            StatusCode::NOT_FOUND => Ok(Posted::SessionLost),
            _ if status.is_success() => Ok(Posted::Taken),
            _ => Err(refused(status, refusal, &text)),
        }
    }

    fn request(&self, method: Method, uri: Uri, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.target.headers.clone();
        request
    }

    fn stream_uri(&self) -> Result<Uri> {
        let mut parts = self.target.origin.clone().into_parts();
        parts.path_and_query = self.target.path.path_and_query().cloned();
        Uri::from_parts(parts).map_err(|error| error::protocol("connect: its URL cannot be read").with_source(error))
    }
}

impl Stream {
    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// Where one is larger than the limit or the connection broke.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>> {
        // Lets others run between the events of a server that never stops.
        tokio::task::coop::consume_budget().await;
        loop {
            let limit = self.limit;
            if let Some(event) = self.parser.next_event().map_err(|_| error::too_large(limit))? {
                return Ok(Some(event));
            }
            match self.body.frame().await {
                // Trailers say nothing in MCP.
                Some(Ok(frame)) => drop(frame.into_data().map(|piece| self.parser.push(piece))),
                Some(Err(source)) => return Err(error::stream_lost(Some(source))),
                None => return Ok(None),
            }
        }
    }
}

async fn text_of(response: Response<Incoming>) -> Bytes {
    let whole = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect();
    match tokio::time::timeout(ANSWER_PATIENCE, whole).await {
        Ok(Ok(whole)) => whole.to_bytes(),
        _ => Bytes::new(),
    }
}

/// The error for a POST that was refused; `refusal` is what its status alone means.
fn refused(status: StatusCode, refusal: Error, text: &Bytes) -> Error {
    match Message::parse(text) {
        // The status says more than the text that comes with it.
        Ok(Message::Response { outcome: Err(said), .. }) if matches!(status.as_u16(), 401 | 403 | 429 | 502..=504) => {
            refusal.with_details(said.raw)
        }
        Ok(Message::Response { outcome: Err(said), .. }) => {
            upstream_error(said).with_context("status", status.as_str())
        }
        _ => refusal,
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("target", &self.target).finish_non_exhaustive()
    }
}
