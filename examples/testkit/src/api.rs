//! An HTTP API that is played.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use serde_json::Value;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its path.
    pub path: String,
    /// Its headers, the names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body; `null` where that is no JSON.
    pub body: Value,
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// JSON with a status.
    Json(u16, Value),
    /// Some other text with a status.
    Text(u16, String),
    /// Nothing, until the client goes away.
    Silence,
}

type Play = dyn Fn(&Request) -> Answer + Send + Sync;

/// A server on a free port of the loopback interface; ended when dropped.
pub struct Api {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    play: Box<Play>,
    requests: Mutex<Vec<Request>>,
    has_ended: AtomicBool,
}

impl Api {
    /// Starts one that answers as `play` says. A panic in it is an answer with status 500.
    ///
    /// # Panics
    /// Where there is no port.
    pub fn start(play: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (play, requests) = (Box::new(play), Mutex::default());
        let shared = Arc::new(Shared { play, requests, has_ended: AtomicBool::new(false) });
        let serving = Arc::clone(&shared);
        let serve = move || {
            let mut answering = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.has_ended.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&serving);
                let answer = move || shared.answer(&stream);
                answering.push(Builder::new().spawn(answer).expect("a thread starts"));
            }
            for thread in answering {
                // Its panic has been answered.
                let _ = thread.join();
            }
        };
        let listening = Builder::new().spawn(serve).expect("a thread starts");
        Self { address, shared, listening: Some(listening) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

impl Shared {
    fn answer(&self, mut stream: &TcpStream) {
        let Some(request) = read(stream) else { return };
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (self.play)(&request)));
        let answer = played.unwrap_or_else(|_| Answer::Text(500, "the one who plays has panicked".to_owned()));
        let (status, kind, body) = match answer {
            Answer::Json(status, body) => (status, "application/json", body.to_string()),
            Answer::Text(status, body) => (status, "text/html", body),
            Answer::Silence => {
                // It sends nothing more, so that this ends with the connection, however that ends.
                let _ = stream.read(&mut [0]);
                return;
            }
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n");
        // A client that has gone away is none of our business.
        let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
    }
}

/// `None` where the client went away.
fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}

impl std::fmt::Debug for Api {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Api").field("address", &self.address).finish_non_exhaustive()
    }
}
