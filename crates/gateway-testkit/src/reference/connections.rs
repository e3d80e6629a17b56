//! Accepting HTTP connections.

use std::convert::Infallible;
use std::future::Future;

use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::Server;
use super::conformance::Body;

/// Answers each request on `listener` with `answer` until `shutdown` ends.
pub(super) async fn serve_connections<F>(
    server: &Server,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
) -> std::io::Result<()>
where
    F: Future<Output = Response<Body>> + Send,
{
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let ended = loop {
        let stream = tokio::select! {
            () = &mut shutdown => break Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => break Err(error),
            },
            Some(_) = connections.join_next() => continue,
        };
        // A test server without it is only slower.
        let _ = stream.set_nodelay(true);
        let answer = answer.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let answering = answer(request);
                async move { Ok::<_, Infallible>(answering.await) }
            });
            // A connection that breaks is the client's affair.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    };
    server.stop.cancel();
    connections.shutdown().await;
    server.requests.close();
    server.requests.wait().await;
    ended
}
