//! `cargo xtask demo`: from a clone to a gateway that answers, with one command.

use std::collections::VecDeque;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::process::{lossy_lines, run as run_command};
use crate::workspace::Workspace;

/// Where the documentation says that the gateway listens.
const USUAL_PORT: u16 = 8000;
/// How long the gateway may take to listen. It has been built already.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to end before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_millis(50);
/// Lines of the gateway's log that are shown when it fails.
const LAST_LINES: usize = 30;

/// What follows the tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Serve until Ctrl-C.
    Serve,
    /// End, with the tour's exit status.
    Stop,
}

/// Builds, starts, shows round, and serves.
pub fn run(workspace: &Workspace, after: After) -> Result<ExitCode, String> {
    // From here on Ctrl-C is an event that we see between two steps, so that the gateway is always ended.
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| format!("no signals: {error}"))?;
    println!("building the gateway, the demo server and the tour (the first time takes a few minutes)");
    run_command(workspace.cargo().args(["build", "-p", "gateway-http", "-p", "demo-server", "-p", "tour"]))?;
    let mut gateway = Gateway::start(workspace)?;
    let shown = show_round(workspace, &mut gateway, after, &mut signals);
    let stopped = gateway.stop();
    let code = shown?;
    stopped?;
    Ok(code)
}

fn show_round(
    workspace: &Workspace,
    gateway: &mut Gateway,
    after: After,
    signals: &mut Signals,
) -> Result<ExitCode, String> {
    let Some(url) = gateway.wait_until_listening(signals)? else {
        return Ok(ExitCode::FAILURE);
    };
    let mut tour = Command::new(workspace.programs().join("tour"));
    tour.arg(&url).arg("--server").arg(workspace.programs().join("demo-server")).stdin(Stdio::null());
    let status = tour.status().map_err(|error| format!("the tour did not start: {error}"))?;
    if signals.pending().next().is_some() {
        return Ok(ExitCode::FAILURE);
    }
    if !status.success() {
        return Err(format!("the tour failed ({status}); the gateway's last words:\n{}", gateway.last_words()));
    }
    if after == After::Serve {
        // What it logged during the tour is old news.
        gateway.read_log();
        invite(&url);
        gateway.serve_until_signal(signals)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn invite(url: &str) {
    println!("\nThe gateway serves until Ctrl-C:\n");
    println!("  REST API    {url}/mcp/…");
    println!("  OpenAPI     {url}/openapi.json");
    println!("  health      {url}/health\n");
    println!("Try it from another terminal:\n");
    println!("  curl -s {url}/mcp/tools");
    for (path, body) in [
        ("search", r#"{"query": "what time is it in Tokyo"}"#),
        ("execute", r#"{"tool_name": "calculate", "args": {"expression": "15% of 240"}}"#),
    ] {
        println!("  curl -s {url}/mcp/{path} -H 'content-type: application/json' -d '{body}'");
    }
    println!();
}

/// The gateway as a child process, and its log. It is ended by `stop`, on every path.
struct Gateway {
    child: Child,
    log: Receiver<String>,
    reader: JoinHandle<()>,
    last: VecDeque<String>,
}

impl Gateway {
    fn start(workspace: &Workspace) -> Result<Self, String> {
        use std::os::unix::process::CommandExt as _;

        // An empty folder, so that a `.env` or a configuration lying about does not change the demo.
        let folder = workspace.target.join("demo");
        fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        let mut command = Command::new(workspace.programs().join("gateway-http"));
        command.args(["--demo", "--host", "127.0.0.1", "--port", &free_port().to_string()]);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GATEWAY_") {
                command.env_remove(name);
            }
        }
        // A group of its own: Ctrl-C reaches us alone, and we ask it to end, once.
        command.current_dir(&folder).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("the gateway did not start: {error}"))?;
        let stderr = child.stderr.take().ok_or("the gateway's stderr is no pipe")?;
        let (sender, log) = channel();
        let reader = thread::Builder::new()
            .name("gateway log".to_owned())
            .spawn(move || lossy_lines(stderr).for_each(|line| drop(sender.send(line))))
            .map_err(|error| format!("no thread: {error}"))?;
        Ok(Self { child, log, reader, last: VecDeque::new() })
    }

    /// The URL, or nothing when a signal came first.
    fn wait_until_listening(&mut self, signals: &mut Signals) -> Result<Option<String>, String> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if signals.pending().next().is_some() {
                return Ok(None);
            }
            match self.log.recv_timeout(GLANCE) {
                Ok(line) => {
                    let url = listening_url(&line);
                    self.remember(line);
                    if url.is_some() {
                        return Ok(url);
                    }
                }
                Err(_) if self.has_ended()? => {
                    return Err(format!("the gateway ended before it listened:\n{}", self.last_words()));
                }
                Err(_) => {}
            }
        }
        Err(format!("the gateway did not listen within {} s:\n{}", START_LIMIT.as_secs(), self.last_words()))
    }

    /// Passes the log on meanwhile.
    fn serve_until_signal(&mut self, signals: &mut Signals) -> Result<(), String> {
        while signals.pending().next().is_none() {
            if self.has_ended()? {
                return Err(format!("the gateway ended:\n{}", self.last_words()));
            }
            if let Ok(line) = self.log.recv_timeout(GLANCE) {
                eprintln!("{line}");
                self.remember(line);
            }
        }
        println!("\nstopping");
        Ok(())
    }

    fn stop(mut self) -> Result<(), String> {
        if !self.has_ended()? {
            // The child has not been waited for, so its id is still its own; it may end by itself meanwhile.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
        let deadline = Instant::now() + STOP_LIMIT;
        while !self.has_ended()? {
            if Instant::now() >= deadline {
                drop(self.child.kill());
                drop(self.child.wait());
                return Err(format!("the gateway did not end within {} s and was killed", STOP_LIMIT.as_secs()));
            }
            thread::sleep(GLANCE);
        }
        self.reader.join().map_err(|_| "reading the gateway's log failed".to_owned())
    }

    fn has_ended(&mut self) -> Result<bool, String> {
        self.child.try_wait().map(|status| status.is_some()).map_err(|error| format!("no word of the gateway: {error}"))
    }

    fn remember(&mut self, line: String) {
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn read_log(&mut self) {
        while let Ok(line) = self.log.try_recv() {
            self.remember(line);
        }
    }

    fn last_words(&mut self) -> String {
        self.read_log();
        self.last.iter().map(|line| format!("  {line}\n")).collect()
    }
}

/// The usual port where it is free, else whichever the system gives.
fn free_port() -> u16 {
    match TcpListener::bind(("127.0.0.1", USUAL_PORT)) {
        Ok(_) => USUAL_PORT,
        Err(_) => {
            println!("port {USUAL_PORT} is taken; using another");
            0
        }
    }
}

/// The address in the line that a gateway prints when it accepts connections.
fn listening_url(line: &str) -> Option<String> {
    let (_, address) = line.split_once("listening on http://")?;
    let end = address.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]-".contains(c))).unwrap_or(address.len());
    Some(format!("http://{}", &address[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_found_in_any_log_format() {
        let cases = [
            ("listening on http://127.0.0.1:8000", Some("http://127.0.0.1:8000")),
            ("2026-11-22 INFO gateway: listening on http://localhost:41233 demo=true", Some("http://localhost:41233")),
            ("{\"message\":\"listening on http://[::1]:80\"}", Some("http://[::1]:80")),
            ("\u{1b}[2mlistening on http://127.0.0.1:1\u{1b}[0m", Some("http://127.0.0.1:1")),
            ("starting", None),
        ];
        for (line, expected) in cases {
            assert_eq!(listening_url(line).as_deref(), expected, "{line}");
        }
    }
}
