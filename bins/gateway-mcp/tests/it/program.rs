//! The program in a directory of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Much longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A directory to run the program in, with variables of its own and none of ours.
pub(crate) struct Place {
    directory: Arc<TempDir>,
    variables: Vec<(&'static str, String)>,
}

/// What a finished program said.
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A program that runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    out: mpsc::Receiver<String>,
    err: mpsc::Receiver<String>,
    next_id: u64,
    _directory: Arc<TempDir>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: Arc::new(TempDir::new().unwrap()), variables: Vec::new() }
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Runs the program to its end, without any input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let mut running = self.start(arguments);
        running.hang_up();
        let status = running.end();
        let all = |lines: &mpsc::Receiver<String>| lines.iter().map(|line| line + "\n").collect();
        Said { status: status.code(), out: all(&running.out), err: all(&running.err) }
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-mcp"));
        command.args(arguments).current_dir(self.directory.path()).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        let out = lines(child.stdout.take().unwrap());
        let err = lines(child.stderr.take().unwrap());
        Running { child, input, out, err, next_id: 0, _directory: Arc::clone(&self.directory) }
    }
}

/// A client in front of the gateway at `url`, its session opened.
pub(crate) fn greeted(url: &str) -> Running {
    let mut client = Place::new().start(&["--stdio", "--gateway-url", url]);
    client.greet();
    client
}

impl Running {
    pub(crate) fn greet(&mut self) {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "sampling": {}, "elicitation": {} },
            "clientInfo": { "name": "test", "version": "1" },
        });
        let answer = self.ask("initialize", &params);
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
        self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }

    pub(crate) fn say(&mut self, message: &Value) {
        let input = self.input.as_mut().unwrap();
        input.write_all(format!("{message}\n").as_bytes()).unwrap();
    }

    /// Sends a request and returns its id.
    pub(crate) fn begin(&mut self, method: &str, params: &Value) -> u64 {
        self.next_id += 1;
        self.say(&json!({ "jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params }));
        self.next_id
    }

    /// Sends a request and returns its answer; what comes before is passed over.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params);
        self.answer(id)
    }

    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }))
    }

    pub(crate) fn answer(&mut self, id: u64) -> Value {
        self.hear_until(|message| message["id"] == id && message.get("method").is_none())
    }

    /// The next message.
    pub(crate) fn hear(&mut self) -> Value {
        let line = self.out.recv_timeout(LONG).unwrap_or_else(|_| panic!("silence; the log: {}", self.log()));
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        message
    }

    pub(crate) fn hear_until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.hear();
            if is_it(&message) {
                return message;
            }
        }
    }

    /// What is left on standard output after the end.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.out.iter().collect()
    }

    /// The next line of standard error that contains `part`.
    pub(crate) fn logged(&mut self, part: &str) -> String {
        let end = Instant::now() + LONG;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.err.recv_timeout(left).unwrap_or_else(|_| panic!("{part} was not logged"));
            if line.contains(part) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends the input.
    pub(crate) fn hang_up(&mut self) {
        self.input = None;
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < LONG, "it does not end; the log: {}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn log(&self) -> String {
        self.err.try_iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of a peer that others wrote.
#[track_caller]
pub(crate) fn peer(name: &str) -> PathBuf {
    let folder = std::env::var_os("MCP_PEERS").unwrap_or_else(|| {
        panic!("MCP_PEERS does not say where the servers to test against are: run `cargo xtask test`")
    });
    let program = PathBuf::from(folder).join("bin").join(name);
    assert!(program.exists(), "{} is not there: run `cargo xtask test`", program.display());
    program
}

/// The lines of a stream, read to its end: a program that writes to a closed pipe dies of it.
pub(crate) fn lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}
