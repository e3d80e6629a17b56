//! A running server with two doors, and a client that writes and reads text.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{Method, Request, Response};
use http_server::{Answer, Caller, HttpDoor, HttpServer, HttpServerConfig, Refusal, serve};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves the paths that begin with its name.
#[derive(Debug)]
pub struct Door {
    name: &'static str,
    /// Told when a request that never ends is under way.
    hanging: Arc<Notify>,
}

impl HttpDoor for Door {
    fn serves(&self, path: &str) -> bool {
        path.starts_with(self.name)
    }

    fn answer(&self, caller: Caller, request: Request<Body>) -> Answer<'_> {
        Box::pin(async move {
            let path = request.uri().path();
            match path.strip_prefix(self.name).unwrap_or(path) {
                "/hang" => {
                    self.hanging.notify_one();
                    std::future::pending().await
                }
                "/panic" => panic!("as the test wants it"),
                "/stream" => Response::new(Body::new(UntilDraining::new(caller.draining()))),
                _ => Response::new(Body::from(format!("{} {path} {}", self.name, caller.credentials.local))),
            }
        })
    }

    fn refuse(&self, refusal: Refusal, request_id: &str, method: &Method) -> Response<Body> {
        let text = format!("{} refuses {method} {}: {} {request_id}", self.name, refusal.kind, refusal.message);
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = refusal.status;
        response
    }
}

/// A body that says one word and goes on until the gateway stops.
struct UntilDraining {
    word: Option<Bytes>,
    draining: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl UntilDraining {
    fn new(draining: CancellationToken) -> Self {
        Self { word: Some(Bytes::from_static(b"begun")), draining: Box::pin(draining.cancelled_owned()) }
    }
}

impl hyper::body::Body for UntilDraining {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(word) = self.word.take() {
            return Poll::Ready(Some(Ok(Frame::data(word))));
        }
        self.draining.as_mut().poll(task).map(|()| None)
    }
}

/// A server whose door `/mcp` is asked before the door `/`.
pub fn server(hanging: &Arc<Notify>) -> HttpServer {
    let door = |name| Arc::new(Door { name, hanging: Arc::clone(hanging) });
    HttpServer::new(HttpServerConfig::default(), door("/rest")).with_door(door("/mcp"))
}

pub struct Running {
    pub address: SocketAddr,
    pub hanging: Arc<Notify>,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub async fn start(grace: Duration) -> Self {
        let hanging = Arc::new(Notify::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, server(&hanging), shutdown.clone(), grace));
        Self { address, hanging, shutdown, serving }
    }

    /// Sends a request on a connection of its own.
    pub async fn send(&self, method: &str, path: &str, headers: &str) -> Conversation {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        Conversation { stream, read: String::new() }
    }

    /// What is answered to a request after which the connection ends.
    pub async fn ask(&self, method: &str, path: &str, headers: &str) -> String {
        self.send(method, path, &format!("Connection: close\r\n{headers}")).await.rest().await
    }
}

/// A connection on which a request was sent.
pub struct Conversation {
    stream: TcpStream,
    read: String,
}

impl Conversation {
    /// Everything until the server closes the connection.
    pub async fn rest(mut self) -> String {
        while self.read_more().await {}
        self.read
    }

    /// Reads until `mark` has come.
    pub async fn until(&mut self, mark: &str) {
        while !self.read.contains(mark) {
            assert!(self.read_more().await, "the connection ended: {}", self.read);
        }
    }

    async fn read_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("in time").unwrap();
        self.read.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        read > 0
    }
}
