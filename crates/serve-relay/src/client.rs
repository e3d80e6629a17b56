//! The HTTP client that both ends of the relay use.

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use gateway_core::Result;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use tokio_util::task::TaskTracker;

use crate::config::RelayConfig;
use crate::failure;

/// How long an unused connection is kept. Node and uvicorn close theirs after 5 seconds: a request that crosses
/// that close on the wire is lost, and must not be repeated since nobody knows whether it was read.
const IDLE: Duration = Duration::from_secs(4);

/// The same for `https`, where a new connection costs more and a proxy with a longer patience usually stands in
/// front.
const IDLE_TLS: Duration = Duration::from_secs(30);

/// A silent connection is asked so often whether its other end is still there. Streams may be silent for hours.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// Sends requests to one gateway on connections that it keeps. Clones share them.
#[derive(Clone)]
pub(crate) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Body>,
    origin: String,
}

/// Runs the tasks of connections, which end when nobody uses them.
#[derive(Clone)]
struct Tasks(TaskTracker);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

impl Client {
    /// A client whose connections run in `tasks`. The gateway's certificate must be one of a public authority
    /// (the Mozilla list).
    pub(crate) fn new(config: &RelayConfig, tasks: TaskTracker) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(config.connect_timeout));
        tcp.set_keepalive(Some(KEEP_ALIVE));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .expect("ring speaks the default versions of TLS")
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let idle = if config.remote.tls { IDLE_TLS } else { IDLE };
        let http = legacy::Client::builder(Tasks(tasks))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(idle)
            .build(connector);
        Self { http, origin: config.remote.origin().to_owned() }
    }

    /// Sends a request and returns when the head of its answer is there. Dropping this future, or the body of the
    /// answer before its end, closes the connection, which tells the gateway that nobody waits.
    ///
    /// # Errors
    /// [`failure::undelivered`].
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>> {
        self.http.request(request).await.map_err(|error| failure::undelivered(error, &self.origin))
    }

    /// The gateway's address, for messages.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("origin", &self.origin).finish_non_exhaustive()
    }
}
