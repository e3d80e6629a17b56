//! A service that speaks OpenAI's embeddings protocol, byte by byte, and remembers what it was sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Received {
    /// The texts that were sent.
    pub fn input(&self) -> Vec<String> {
        let texts = self.body["input"].as_array().expect("a list of texts");
        texts.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
    }
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Vectors for the texts, as the protocol wants it.
    Vectors,
    /// A status, further header lines and a body.
    Whole(u16, &'static str, String),
    /// Nothing, for ever.
    Silence,
    /// The head and some of the body, then the end of the connection.
    Breaks,
    /// The end of the connection.
    Closes,
}

/// A service on this machine. Ends with this value.
#[derive(Debug)]
pub struct FakeService {
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    _tasks: JoinSet<()>,
}

impl FakeService {
    /// Gives the answers in order, the last one again and again.
    pub async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (answers, log) = (answers.clone(), Arc::clone(&log));
                connections.spawn(serve(stream, answers, log));
            }
        });
        Self { url, received, _tasks: tasks }
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no panic under the lock").clone()
    }
}

/// Four dimensions: how often a text has the letters a, e, i and o. A text without them has no direction.
pub fn vector(text: &str) -> [f32; 4] {
    ['a', 'e', 'i', 'o'].map(|letter| text.matches(letter).count() as f32)
}

/// The answer of the protocol to `request`. Not in the order of the texts, which the protocol does not promise.
pub fn vectors(request: &Received) -> Value {
    let texts = request.input();
    let one =
        |(index, text): (usize, &String)| json!({ "object": "embedding", "index": index, "embedding": vector(text) });
    let data: Vec<Value> = texts.iter().enumerate().map(one).rev().collect();
    json!({ "object": "list", "data": data, "model": request.body["model"],
        "usage": { "prompt_tokens": 1, "total_tokens": 1 } })
}

async fn serve(mut stream: TcpStream, answers: Vec<Answer>, log: Arc<Mutex<Vec<Received>>>) {
    while let Some(request) = read(&mut stream).await {
        let count = {
            let mut log = log.lock().expect("no panic under the lock");
            log.push(request.clone());
            log.len() - 1
        };
        let (status, headers, body) = match answers[count.min(answers.len() - 1)].clone() {
            Answer::Vectors => (200, "", vectors(&request).to_string()),
            Answer::Whole(status, headers, body) => (status, headers, body),
            Answer::Silence => return std::future::pending().await,
            Answer::Closes => return,
            Answer::Breaks => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"data\":").await;
                return;
            }
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        if stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await.is_err() {
            return;
        }
    }
}

/// Reads one request; `None` at the end of the connection.
async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
    let mut lines = head.split("\r\n").map(str::to_owned);
    let line = lines.next().expect("a request line");
    let header = |line: String| {
        let (name, value) = line.split_once(':').expect("a header");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let headers: BTreeMap<String, String> = lines.map(header).collect();
    let length: usize = headers["content-length"].parse().expect("a length");
    while bytes.len() < end + 4 + length {
        assert_ne!(stream.read_buf(&mut bytes).await.ok()?, 0, "the body is cut");
    }
    let body = serde_json::from_slice(&bytes[end + 4..]).expect("JSON");
    Some(Received { line, headers, body })
}
