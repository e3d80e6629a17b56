//! Running the server on a listener, and stopping it so that no request is lost.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::server::HttpServer;
use crate::write_deadline::WriteDeadline;

/// When the gateway stops, a connection without a request is kept so long: its client may have sent one
/// already. It is answered, and told that the connection ends.
const IDLE_GRACE: Duration = Duration::from_millis(500);

/// After the grace period, so long is left to write that the gateway was stopped.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A connection that we close is read on for so long: closing a socket with unread bytes resets it, and the
/// client may lose the answer that it has not read yet.
const LINGER: Duration = Duration::from_secs(2);

/// Runs `server` on `listener` until `shutdown` is cancelled.
///
/// Then it stops accepting; connections that the kernel had accepted are served. Requests under way have
/// `grace` to end. Those that have not are dropped, which cancels their calls, and answered 503. Returns when
/// no connection is left.
///
/// # Errors
/// Where the listener cannot be emptied at the end. A connection that fails is none.
pub async fn serve(
    listener: TcpListener,
    server: HttpServer,
    shutdown: CancellationToken,
    grace: Duration,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(server.config().max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let connections = Connections::new(server, shutdown.clone());
    loop {
        let place = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place.expect("nobody closes the semaphore"),
        };
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => connections.start(stream, peer, Some(place)),
            Err(error) if is_of_one_connection(&error) => tracing::debug!(%error, "a connection was not accepted"),
            Err(error) => {
                // Mostly too many open files. Others must close theirs first.
                tracing::warn!(%error, "accepting connections fails; trying again");
                drop(place);
                let pause = tokio::time::sleep(Duration::from_millis(200));
                tokio::select! { () = shutdown.cancelled() => break, () = pause => {} }
            }
        }
    }
    let drained = connections.drain_backlog(listener);
    connections.stop(grace).await;
    drained
}

/// What all connections of one listener share.
struct Connections {
    server: Arc<HttpServer>,
    http: http1::Builder,
    write_timeout: Duration,
    draining: CancellationToken,
    killed: CancellationToken,
    tasks: TaskTracker,
}

impl Connections {
    fn new(server: HttpServer, draining: CancellationToken) -> Self {
        let config = server.config();
        let mut http = http1::Builder::new();
        // The guard answers what is over the configured limits; these are for what it never sees.
        http.timer(TokioTimer::new())
            .header_read_timeout(config.keep_alive())
            .max_headers(config.max_headers.saturating_mul(2).clamp(128, 4096))
            .max_header_size(config.header_limit_bytes.saturating_mul(2).max(64 * 1024));
        Self {
            write_timeout: config.write_timeout(),
            server: Arc::new(server),
            http,
            draining,
            killed: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Starts serving a connection.
    fn start(&self, stream: TcpStream, peer: SocketAddr, place: Option<OwnedSemaphorePermit>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it began");
            return;
        }
        let about = Connection {
            peer,
            local: stream.local_addr().ok(),
            draining: self.draining.child_token(),
            killed: self.killed.child_token(),
        };
        let stream = WriteDeadline::new(stream, self.write_timeout);
        let connection = run(self.http.clone(), Arc::clone(&self.server), stream, Arc::new(about));
        self.tasks.spawn(async move {
            connection.await;
            drop(place);
        });
    }

    /// Serves the connections that the kernel accepted before the listener was closed: their clients believe
    /// to be connected, and closing the listener resets them.
    fn drain_backlog(&self, listener: TcpListener) -> io::Result<()> {
        let listener = listener.into_std()?;
        while let Ok((stream, peer)) = listener.accept() {
            stream.set_nonblocking(true)?;
            self.start(TcpStream::from_std(stream)?, peer, None);
        }
        Ok(())
    }

    /// Waits for all connections, at most `grace` for those with requests under way.
    async fn stop(&self, grace: Duration) {
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "the grace period is over; cancelling what is left");
            self.killed.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Serves one connection to its end.
async fn run(http: http1::Builder, server: Arc<HttpServer>, stream: WriteDeadline<TcpStream>, about: Arc<Connection>) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        server.answer_on(&about, request.map(Body::new)).map(Ok::<_, Infallible>)
    });
    let mut connection = http.serve_connection(TokioIo::new(stream), service);
    let ended = {
        let serving = std::future::poll_fn(|task| connection.poll_without_shutdown(task));
        tokio::select! {
            biased;
            ended = serving => Some(ended),
            () = about.draining.cancelled() => None,
        }
    };
    let ended = match ended {
        Some(ended) => Some(ended),
        None => drain(&mut connection, &about.killed).await,
    };
    match ended {
        None => tracing::debug!("a connection was cut off at the end of the grace period"),
        Some(ended) => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
            linger(connection.into_parts().io.into_inner().into_inner(), &about.killed).await;
        }
    }
}

/// Lets a connection end by itself after the gateway has begun to stop. `None` where it did not in time.
async fn drain<S>(
    connection: &mut http1::Connection<TokioIo<WriteDeadline<TcpStream>>, S>,
    killed: &CancellationToken,
) -> Option<hyper::Result<()>>
where
    S: hyper::service::HttpService<Incoming, ResBody = Body> + Unpin,
    S::Future: Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    tokio::select! {
        biased;
        ended = std::future::poll_fn(|task| connection.poll_without_shutdown(task)) => return Some(ended),
        () = tokio::time::sleep(IDLE_GRACE) => {}
        () = killed.cancelled() => {}
    }
    // From now on a connection without a request ends at once, one with a request after it.
    Pin::new(&mut *connection).graceful_shutdown();
    tokio::select! {
        biased;
        ended = std::future::poll_fn(|task| connection.poll_without_shutdown(task)) => return Some(ended),
        () = killed.cancelled() => {}
    }
    // Polled once more from here: that is when a request under way notices that its time is over.
    tokio::select! {
        biased;
        ended = std::future::poll_fn(|task| connection.poll_without_shutdown(task)) => Some(ended),
        () = tokio::time::sleep(LAST_WORDS) => None,
    }
}

/// Closes our half and reads on until the client has closed its own.
async fn linger(mut stream: TcpStream, killed: &CancellationToken) {
    if stream.shutdown().await.is_err() {
        return;
    }
    // On the heap, so that a connection is not larger by it all its life.
    let mut rest = vec![0; 4096];
    let drained = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    tokio::select! {
        () = drained => {}
        () = tokio::time::sleep(LINGER) => {}
        () = killed.cancelled() => {}
    }
}

/// Whether accepting failed for a reason that concerns one client only.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
