//! A gateway that runs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{LONG, program};

const GLANCE: Duration = Duration::from_millis(20);

/// A gateway process in a directory of its own; killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    address: String,
    _directory: TempDir,
    /// Kept open: a process that writes to a closed pipe dies of it.
    _stderr: BufReader<ChildStderr>,
}

impl Gateway {
    /// One with the demo server.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn demo() -> Self {
        program("demo-server");
        Self::start(&["--demo"], &json!({}))
    }

    /// One with these servers: the object `mcpServers` of a servers file.
    ///
    /// # Panics
    /// Where it does not start, or a server is not ready in time.
    pub fn with_servers(servers: &Value) -> Self {
        Self::start(&[], servers)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it answers to a GET.
    ///
    /// # Panics
    /// Where it answers no JSON.
    pub fn get(&self, path: &str) -> Value {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address))
    }

    /// What it answers to a POST.
    ///
    /// # Panics
    /// Where it answers no JSON.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.post_with(path, "", body)
    }

    /// What it answers to a POST in a session.
    ///
    /// # Panics
    /// Where it answers no JSON.
    pub fn post_in_session(&self, path: &str, session: &str, body: &Value) -> Value {
        self.post_with(path, &format!("X-Session-ID: {session}\r\n"), body)
    }

    fn post_with(&self, path: &str, headers: &str, body: &Value) -> Value {
        let (address, body) = (&self.address, body.to_string());
        let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}");
        let length = body.len();
        self.ask(&format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"))
    }

    fn start(arguments: &[&str], servers: &Value) -> Self {
        let directory = TempDir::new().expect("a directory for the test");
        let file = json!({ "mcpServers": servers }).to_string();
        std::fs::write(directory.path().join("servers.json"), file).expect("the directory can be written to");
        let mut command = Command::new(program("gateway-http"));
        command.args(arguments).args(["--port", "0"]).current_dir(directory.path()).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the gateway starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("its standard error is a pipe"));
        let lines = stderr.by_ref().lines().map_while(Result::ok);
        let address = lines.filter_map(|line| line.split_once("listening on http://").map(|(_, it)| it.to_owned()));
        let address = address.take(1).next().expect("the gateway says where it listens");
        let gateway = Self { child, address, _directory: directory, _stderr: stderr };
        gateway.wait_until_ready();
        gateway
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + LONG;
        loop {
            let status = self.get("/mcp/servers");
            let servers: Vec<_> = status["servers"].as_object().into_iter().flatten().collect();
            if servers.iter().all(|(_, server)| server["state"] == "ready") {
                return;
            }
            assert!(Instant::now() < deadline, "the servers are not ready: {status}");
            std::thread::sleep(GLANCE);
        }
    }

    fn ask(&self, request: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).expect("the gateway listens");
        stream.set_read_timeout(Some(LONG)).expect("a socket has a time limit");
        stream.write_all(request.as_bytes()).expect("the gateway reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the gateway answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head and a body");
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {head}\n{body}"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
