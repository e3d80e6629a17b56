//! Connections to one server, kept for the next request.
//!
//! A connection is driven by the request that uses it, inside that request's own task: no task per
//! connection and no channel between tasks, which would cost two switches per call. While it is idle
//! nobody polls it; the next user looks first whether the server has closed it meanwhile.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use gateway_core::Result;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::unconstrained;
use tokio::time::Instant;
use tower_service::Service;

use crate::answer::Answer;
use crate::error;

/// Opens connections, plain or TLS.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

type Io = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The connections to one server that nobody uses at the moment.
pub(crate) struct Pool {
    connector: Connector,
    origin: Uri,
    connect_timeout: Duration,
    idle_timeout: Duration,
    capacity: usize,
    idle: Mutex<Idle>,
    filled: Notify,
}

#[derive(Default)]
struct Idle {
    /// The last one used stands at the end and is used first, so that the others may expire.
    #[expect(clippy::vec_box, reason = "a connection is some kilobytes, and moves at every call")]
    connections: Vec<Box<Connection>>,
    closed: bool,
}

/// One HTTP/1.1 connection. It is large, so it is moved about in a box.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<Io, Full<Bytes>>,
    idle_timeout: Duration,
    expires: Instant,
    /// The driver has come to its end and must not be polled again.
    ended: bool,
}

/// Why a connection gave no answer.
enum Failure {
    /// The request was not written; here it is again.
    Unsent(Box<Request<Full<Bytes>>>, hyper::Error),
    /// The request may have been read.
    Broken(Option<hyper::Error>),
}

impl Pool {
    /// A pool that keeps up to `capacity` idle connections to `origin`, each for `idle_timeout`.
    pub(crate) fn new(
        connector: Connector,
        origin: Uri,
        connect_timeout: Duration,
        idle_timeout: Duration,
        capacity: usize,
    ) -> Arc<Self> {
        let (idle, filled) = Default::default();
        Arc::new(Self { connector, origin, connect_timeout, idle_timeout, capacity, idle, filled })
    }

    /// Sends a request and returns when the head of its answer is there. `written` is called before
    /// the first byte may leave.
    ///
    /// A kept connection can turn out dead. Where the request surely was not written, the next one is
    /// taken, at last a new one.
    ///
    /// # Errors
    /// [`error::unreachable`] where the server surely has not seen the request, else
    /// [`broken`](Self::broken).
    pub(crate) async fn send(
        self: &Arc<Self>,
        mut request: Request<Full<Bytes>>,
        mut written: impl FnMut(),
    ) -> Result<Answer> {
        loop {
            let kept = self.take();
            let is_new = kept.is_none();
            let mut connection = match kept {
                Some(connection) => connection,
                // Boxed like all that is large and rare: else every call would carry room for it.
                None => Box::pin(self.open()).await?,
            };
            written();
            match connection.send(request).await {
                Ok(response) => {
                    connection.heed_keep_alive(&response);
                    return Ok(Answer::new(response, connection, Arc::clone(self)));
                }
                Err(Failure::Unsent(again, _)) if !is_new => request = *again,
                Err(Failure::Unsent(_, source)) => return Err(error::unreachable(source)),
                Err(Failure::Broken(source)) => return Err(self.broken(source)),
            }
        }
    }

    /// The error for a connection that broke while a request was on it. Where one breaks the server is
    /// likely gone, and the others are dead without knowing it yet: a request on one of them would be
    /// lost where on a new one it would surely not be sent.
    pub(crate) fn broken(&self, source: Option<hyper::Error>) -> gateway_core::Error {
        let connections = std::mem::take(&mut self.lock().connections);
        drop(connections);
        error::broken(source)
    }

    /// Keeps a connection whose exchange is over, if it is fit for another one.
    pub(crate) fn put(&self, mut connection: Box<Connection>) {
        if !connection.is_alive() {
            return;
        }
        let now = Instant::now();
        connection.expires = now + connection.idle_timeout;
        let mut idle = self.lock();
        if !idle.closed && idle.connections.len() < self.capacity {
            idle.connections.push(connection);
            let first = idle.connections.len() == 1;
            drop(idle);
            if first {
                self.filled.notify_one();
            }
        }
    }

    /// Drops connections that nobody used for their time, until the pool is dropped or the future is.
    pub(crate) async fn sweep(&self) {
        loop {
            self.filled.notified().await;
            loop {
                tokio::time::sleep(self.idle_timeout).await;
                let now = Instant::now();
                let mut idle = self.lock();
                let expired: Vec<_> = idle.connections.extract_if(.., |connection| connection.expires <= now).collect();
                let is_empty = idle.connections.is_empty();
                drop(idle);
                drop(expired);
                if is_empty {
                    break;
                }
            }
        }
    }

    /// Drops all idle connections and keeps none from now on.
    pub(crate) fn close(&self) {
        let mut idle = self.lock();
        idle.closed = true;
        let connections = std::mem::take(&mut idle.connections);
        drop(idle);
        drop(connections);
    }

    fn take(&self) -> Option<Box<Connection>> {
        loop {
            let mut connection = self.lock().connections.pop()?;
            if connection.expires > Instant::now() && connection.is_alive() {
                return Some(connection);
            }
        }
    }

    async fn open(&self) -> Result<Box<Connection>> {
        let mut connector = self.connector.clone();
        let opening = async {
            let io = connector.call(self.origin.clone()).await.map_err(error::unreachable)?;
            http1::Builder::new().handshake(io).await.map_err(error::unreachable)
        };
        let (sender, driver) = tokio::time::timeout(self.connect_timeout, opening)
            .await
            .map_err(|_| error::unreachable("no connection within the time allowed"))??;
        Ok(Box::new(Connection {
            sender,
            driver,
            idle_timeout: self.idle_timeout,
            expires: Instant::now(),
            ended: false,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Connection {
    /// Sends a request, driving the connection until the head of the answer is there.
    async fn send(&mut self, request: Request<Full<Bytes>>) -> std::result::Result<Response<Incoming>, Failure> {
        let mut response = pin!(self.sender.try_send_request(request));
        let (driver, ended) = (&mut self.driver, &mut self.ended);
        let outcome = drive(driver, ended, |quiet| response.as_mut().poll(quiet)).await;
        match outcome {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut failure)) => Err(match failure.take_message() {
                Some(request) => Failure::Unsent(Box::new(request), failure.into_error()),
                None => Failure::Broken(Some(failure.into_error())),
            }),
            None => Err(Failure::Broken(None)),
        }
    }

    /// Drives the connection until `poll` is ready; `None` where the connection ends first.
    pub(crate) async fn drive<T>(&mut self, poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        drive(&mut self.driver, &mut self.ended, poll).await
    }

    /// Whether another request can be sent, as far as the news from the socket goes.
    fn is_alive(&mut self) -> bool {
        let mut quiet = Context::from_waker(Waker::noop());
        !self.ended && Pin::new(&mut self.driver).poll(&mut quiet).is_pending() && self.sender.is_ready()
    }

    /// Reads `Keep-Alive: timeout=N` and stays a second below.
    fn heed_keep_alive(&mut self, response: &Response<Incoming>) {
        let Some(value) = response.headers().get("keep-alive") else { return };
        let seconds = value.to_str().ok().and_then(|text| {
            let mut parameters = text.split(',').map(str::trim);
            parameters.find_map(|parameter| parameter.strip_prefix("timeout=")?.parse::<u64>().ok())
        });
        if let Some(seconds) = seconds {
            // An hour is more than any connection is worth keeping.
            self.idle_timeout = Duration::from_secs(seconds.saturating_sub(1).min(3600));
        }
    }
}

/// Drives a connection until `poll` is ready.
///
/// What `poll` looks at is moved on by this driver alone, so it is polled with a waker that does
/// nothing: else every step would wake the task that is taking it. For the same reason both run
/// outside tokio's budget; a `poll` that was refused for want of budget would never be woken.
async fn drive<T>(
    driver: &mut http1::Connection<Io, Full<Bytes>>,
    ended: &mut bool,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let step = std::future::poll_fn(|cx| {
        let mut quiet = Context::from_waker(Waker::noop());
        if let Poll::Ready(value) = poll(&mut quiet) {
            return Poll::Ready(Some(value));
        }
        if !*ended {
            *ended = Pin::new(&mut *driver).poll(cx).is_ready();
        }
        match poll(&mut quiet) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if *ended => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    unconstrained(step).await
}
