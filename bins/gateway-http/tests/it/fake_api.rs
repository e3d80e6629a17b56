//! A model provider on this machine that remembers what it was sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// One request as it came; the names of headers are in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) first_line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Value,
}

/// What a request is answered with.
pub(crate) enum Reply {
    Json(Value),
    /// The end of the connection.
    Closes,
    /// Nothing, for as long as the client waits.
    Silence,
}

pub(crate) struct FakeApi {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl FakeApi {
    pub(crate) fn start(reply: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (reply, log) = (Arc::new(reply), Arc::clone(&received));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (reply, log) = (Arc::clone(&reply), Arc::clone(&log));
                thread::spawn(move || serve(stream, &*reply, &log));
            }
        });
        Self { url, received }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, reply: &dyn Fn(&Received) -> Reply, log: &Mutex<Vec<Received>>) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut stream = BufReader::new(stream);
    loop {
        let request = read(&mut stream)?;
        log.lock().unwrap().push(request.clone());
        match reply(&request) {
            Reply::Json(body) => {
                let body = body.to_string();
                let length = body.len();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
                write!(out, "{head}content-length: {length}\r\n\r\n{body}").ok()?;
            }
            Reply::Closes => return None,
            Reply::Silence => {
                let _ = stream.read(&mut [0]);
                return None;
            }
        }
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut lines = stream.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let first_line = lines.next()?;
    let headers: Vec<String> = lines
        .filter_map(|line| line.split_once(": ").map(|(name, value)| format!("{}: {value}", name.to_lowercase())))
        .collect();
    let length = headers.iter().find_map(|header| header.strip_prefix("content-length: ")).expect("a body");
    let mut body = vec![0; length.parse().expect("a length")];
    stream.read_exact(&mut body).ok()?;
    Some(Received { first_line, headers, body: serde_json::from_slice(&body).expect("a body in JSON") })
}
