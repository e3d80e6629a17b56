//! Plain HTTP: requests written as they go out, answers read as they come.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::gateway::{LONG, Running};

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Without a body.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// With JSON text.
    pub(crate) fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::new("POST", path) }.with("Content-Type", "application/json")
    }

    /// With a header instead of those of its name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.and(name, value)
    }

    /// With one more header.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What it asks for, as the contract names it: `POST /mcp/search`.
    pub(crate) fn operation(&self) -> String {
        let path = if self.path.starts_with("/sessions/sess_") { "/sessions/{id}" } else { &self.path };
        format!("{} {path}", self.method)
    }

    /// As it goes out to `host`; the connection stays open after it.
    pub(crate) fn text(&self, host: &str) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        let has = |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !has("Host") {
            text += &format!("Host: {host}\r\n");
        }
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if self.method == "POST" && !has("Content-Length") && !has("Transfer-Encoding") {
            text += &format!("Content-Length: {}\r\n", self.body.len());
        }
        let mut bytes = (text + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl Answer {
    /// Takes one answer off the front of `read`; `None` where more must be read first.
    fn take(read: &mut Vec<u8>, ended: bool) -> Option<Self> {
        let end = find(read, b"\r\n\r\n")? + 4;
        let head = String::from_utf8(read[..end].to_vec()).expect("a head is text");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let mut answer = Self { status, headers, body: Vec::new() };
        let used = if answer.header("transfer-encoding") == Some("chunked") {
            let (body, used) = chunks(&read[end..])?;
            answer.body = body;
            used
        } else if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().expect("a length is a number");
            answer.body = read.get(end..end + length)?.to_vec();
            length
        } else if ended {
            answer.body = read[end..].to_vec();
            answer.body.len()
        } else {
            return None;
        };
        read.drain(..end + used);
        Some(answer)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// Checks that it went well and gives the body.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// Checks that it is the answer to a call that went well and gives the tool's text.
    #[track_caller]
    pub(crate) fn content(&self) -> String {
        let body = self.ok();
        assert_eq!(body["result"]["success"], true, "{body}");
        body["result"]["content"].as_str().expect("content is a string").to_owned()
    }

    /// Checks that it is a failure in the contract's shape and gives its message.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.text());
        let body = self.json();
        assert_eq!((&body["kind"], &body["status"]), (&kind.into(), &"error".into()), "{body}");
        assert_eq!(body["request_id"].as_str(), self.header("x-request-id"), "{body}");
        body["error"].as_str().expect("a message").to_owned()
    }
}

/// A connection that is kept open.
pub(crate) struct Connection {
    host: String,
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LONG))?;
        stream.set_nodelay(true)?;
        Ok(Self { host: address.to_owned(), stream, read: Vec::new() })
    }

    pub(crate) fn send(&mut self, request: &Request) -> std::io::Result<()> {
        self.stream.write_all(&request.text(&self.host))
    }

    /// The next answer; `None` where the connection ends without one.
    pub(crate) fn answer(&mut self) -> std::io::Result<Option<Answer>> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if let Some(answer) = Answer::take(&mut self.read, false) {
                return Ok(Some(answer));
            }
            let read = self.stream.read(&mut buffer)?;
            if read == 0 {
                let rest = Answer::take(&mut self.read, true);
                assert!(rest.is_some() || self.read.is_empty(), "an answer was cut off: {:?}", self.read);
                return Ok(rest);
            }
            self.read.extend_from_slice(&buffer[..read]);
        }
    }

    /// Whether the other end closes the connection within `limit`. What it says before does not matter.
    pub(crate) fn closes_within(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut buffer = [0; 1024];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return false;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

impl Running {
    /// The answer to a request on a connection of its own.
    #[track_caller]
    pub(crate) fn http(&self, request: &Request) -> Answer {
        let mut connection = Connection::open(&self.address).expect("the gateway accepts");
        connection.send(&request.clone().with("Connection", "close")).expect("the gateway reads");
        connection.answer().expect("the gateway answers").expect("an answer")
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.http(&Request::get(path))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.http(&Request::post(path, body))
    }

    /// Runs a tool; `arguments` is JSON text.
    #[track_caller]
    pub(crate) fn call(&self, tool: &str, arguments: &str) -> Answer {
        self.http(&call(tool, arguments))
    }

    /// The entry of a server in `/mcp/servers`.
    #[track_caller]
    pub(crate) fn server(&self, name: &str) -> Value {
        let servers = self.get("/mcp/servers").ok()["servers"].take();
        let mut servers = servers.as_object().expect("servers by UUID").values();
        servers.find(|server| server["name"] == name).unwrap_or_else(|| panic!("no server {name}")).clone()
    }

    /// Waits until a server's entry is as it should be, and gives it.
    #[track_caller]
    pub(crate) fn server_when(&self, name: &str, good: impl Fn(&Value) -> bool) -> Value {
        poll(&format!("the server {name}"), || self.server(name), good)
    }

    /// Waits until these servers are ready.
    #[track_caller]
    pub(crate) fn wait_for(&self, servers: &[&str]) {
        for name in servers {
            self.server_when(name, |server| server["state"] == "ready");
        }
    }

    /// The names across servers of all tools.
    #[track_caller]
    pub(crate) fn tool_names(&self) -> Vec<String> {
        let tools = self.get("/mcp/tools").ok();
        let tools = tools["tools"].as_array().expect("a list of tools");
        tools.iter().map(|tool| tool["qualified_name"].as_str().expect("a name").to_owned()).collect()
    }
}

/// The request that runs a tool.
pub(crate) fn call(tool: &str, arguments: &str) -> Request {
    Request::post("/mcp/execute", format!(r#"{{"tool_name":"{tool}","args":{arguments}}}"#))
}

/// Asks again until the answer is good.
#[track_caller]
pub(crate) fn poll<T: std::fmt::Debug>(what: &str, ask: impl Fn() -> T, good: impl Fn(&T) -> bool) -> T {
    let end = Instant::now() + LONG;
    loop {
        let found = ask();
        if good(&found) {
            return found;
        }
        assert!(Instant::now() < end, "{what} is still {found:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The payload of chunked content and how long it was on the wire; `None` before its end is there.
fn chunks(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = find(&text[at..], b"\r\n")?;
        let length = std::str::from_utf8(&text[at..at + line]).ok()?;
        let length = usize::from_str_radix(length.trim(), 16).expect("a chunk begins with its length");
        at += line + 2;
        let chunk = text.get(at..at + length + 2)?;
        body.extend_from_slice(&chunk[..length]);
        at += length + 2;
        if length == 0 {
            return Some((body, at));
        }
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}
