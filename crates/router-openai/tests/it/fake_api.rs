//! Servers that answer byte by byte as they are told, and remember what they were sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub target: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status, further headers and a body.
    Whole(u16, String, String),
    /// Nothing, for ever.
    Silence,
    /// The head and some of the body, then nothing.
    Stops(String),
    /// One byte of the body after the other, for ever.
    Drips,
    /// The head and some of the body, then the end of the connection.
    Breaks(String),
    /// The end of the connection.
    Closes,
    /// A body without end.
    Floods,
}

/// A server on this machine. Ends with this value.
#[derive(Debug)]
pub struct FakeApi {
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    _tasks: JoinSet<()>,
}

impl Answer {
    pub fn ok(body: &Value) -> Self {
        Self::Whole(200, String::new(), body.to_string())
    }

    pub fn status(status: u16, body: &Value) -> Self {
        Self::Whole(status, String::new(), body.to_string())
    }
}

impl FakeApi {
    /// Gives the answers in order, the last one again and again.
    pub async fn start(answers: Vec<Answer>) -> Self {
        Self::answering(move |count, _| answers[count.min(answers.len() - 1)].clone()).await
    }

    /// `answer` hears how many requests came before, and the request.
    pub async fn answering(answer: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&received));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                connections.spawn(async move { serve(stream, &*answer, &log).await });
            }
        });
        Self { url, received, _tasks: tasks }
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("nothing panics under the lock").clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &(dyn Fn(usize, &Received) -> Answer + Sync),
    log: &Mutex<Vec<Received>>,
) {
    while let Some(request) = read(&mut stream).await {
        let count = {
            let mut log = log.lock().expect("nothing panics under the lock");
            log.push(request.clone());
            log.len() - 1
        };
        // A client that goes away is none of the server's business.
        if write(&mut stream, answer(count, &request)).await.is_none() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let mut first = lines.next().expect("a request line").split(' ');
    let method = first.next().expect("a method").to_owned();
    let target = first.next().expect("a target").to_owned();
    let split = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: BTreeMap<_, _> = lines.filter_map(split).collect();
    let length: usize = headers.get("content-length").expect("a body").parse().expect("a length");
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(&body[..length]).expect("a body in JSON");
    Some(Received { method, target, headers, body })
}

/// `None` where the connection is of no more use.
async fn write(stream: &mut TcpStream, answer: Answer) -> Option<()> {
    let head = |status: u16, headers: &str, length: usize| {
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n")
    };
    match answer {
        Answer::Whole(status, headers, body) => {
            stream.write_all(format!("{}{body}", head(status, &headers, body.len())).as_bytes()).await.ok()
        }
        Answer::Silence => std::future::pending().await,
        Answer::Stops(body) => {
            stream.write_all(format!("{}{body}", head(200, "", body.len() + 1)).as_bytes()).await.ok()?;
            std::future::pending().await
        }
        Answer::Drips => {
            stream.write_all(head(200, "", 1_000_000).as_bytes()).await.ok()?;
            loop {
                stream.write_all(b" ").await.ok()?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Answer::Breaks(body) => {
            stream.write_all(format!("{}{body}", head(200, "", body.len() + 1)).as_bytes()).await.ok()?;
            None
        }
        Answer::Closes => None,
        Answer::Floods => {
            stream.write_all(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n").await.ok()?;
            let chunk = format!("10000\r\n{}\r\n", "[".repeat(0x10000));
            loop {
                stream.write_all(chunk.as_bytes()).await.ok()?;
            }
        }
    }
}
