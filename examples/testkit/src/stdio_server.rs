//! An MCP server as a child process that is spoken to line by line.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::LONG;

/// The newest revision that begins with `initialize`.
const LEGACY: &str = "2025-11-25";

/// A running server; ended when dropped.
#[derive(Debug)]
pub struct StdioServer {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    reader: Option<JoinHandle<()>>,
    last_id: u64,
}

impl StdioServer {
    /// Starts the server at `path` with these environment variables, and none of ours but `PATH`.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(path: impl AsRef<Path>, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(path.as_ref())
            .env_clear()
            .envs(env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("its standard output is a pipe");
        let (sender, lines) = channel();
        let read = move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        };
        let reader = Builder::new().spawn(read).expect("a thread starts");
        Self { child, stdin, lines, reader: Some(reader), last_id: 0 }
    }

    /// Shakes hands as clients did before 2026-07-28, and returns the server's answer.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn initialize(&mut self) -> Value {
        let client = json!({ "name": "test", "version": "1" });
        let hello = json!({ "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client });
        let answer = self.request("initialize", &hello);
        self.notify("notifications/initialized");
        answer
    }

    /// The result of a tool.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let mut answer = self.request("tools/call", &json!({ "name": tool, "arguments": arguments }));
        answer["result"].take()
    }

    /// Sends a request and returns the answer with its id.
    ///
    /// # Panics
    /// Where there is none.
    pub fn request(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}));
        loop {
            let line = self.lines.recv_timeout(LONG).expect("an answer in time");
            let message: Value = serde_json::from_str(&line).expect("stdout carries JSON and nothing else");
            if message["id"] == self.last_id {
                return message;
            }
        }
    }

    /// Sends a notification.
    ///
    /// # Panics
    /// Where the server does not read.
    pub fn notify(&mut self, method: &str) {
        self.send(&json!({"jsonrpc": "2.0", "method": method}));
    }

    /// The exit status, or nothing when the server lives on for `limit`.
    ///
    /// # Panics
    /// Where it cannot be waited for.
    pub fn close_stdin_and_wait(mut self, limit: Duration) -> Option<ExitStatus> {
        self.stdin = None;
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait().expect("the child can be waited for") {
                Some(status) => return Some(status),
                None if Instant::now() > deadline => return None,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn send(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        writeln!(stdin, "{message}").and_then(|()| stdin.flush()).expect("the server reads its stdin");
    }
}

impl Drop for StdioServer {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}
