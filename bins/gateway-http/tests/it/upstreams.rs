//! Servers behind the gateway: the reference server, which misbehaves on demand, and those that others wrote.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use gateway_testkit::reference::{self, ReferenceProcess};
use serde_json::{Value, json};

use crate::gateway::{LONG, Place};

/// An entry for the reference server over stdio.
pub(crate) fn stdio(arguments: &[&str]) -> Value {
    json!({ "command": reference::program(), "args": arguments })
}

/// An entry for a server on the network.
pub(crate) fn at(url: &str) -> Value {
    json!({ "url": url })
}

/// An entry for a server that speaks the transport of 2024-11-05.
pub(crate) fn over_sse(url: &str) -> Value {
    and(at(url), json!({ "transport": "sse" }))
}

/// `entry` with more settings of its own.
pub(crate) fn and(mut entry: Value, more: Value) -> Value {
    let more = match more {
        Value::Object(more) => more,
        other => panic!("{other} is no object"),
    };
    entry.as_object_mut().expect("an entry is an object").extend(more);
    entry
}

/// The reference server with these arguments, reached in every way there is. The processes serve as long as
/// they are held.
pub(crate) fn every_way(arguments: &[&str]) -> (Vec<(&'static str, Value)>, Vec<ReferenceProcess>) {
    let mut entries = Vec::new();
    for (name, more) in [
        ("stdio-legacy", &["--era", "legacy"][..]),
        ("stdio-modern", &["--era", "modern"]),
        ("stdio-noise", &["--era", "both", "--noise"]),
    ] {
        entries.push((name, stdio(&[arguments, more].concat())));
    }
    let mut processes = Vec::new();
    for (name, more) in [
        ("http-legacy", &["--era", "legacy"][..]),
        ("http-modern", &["--era", "modern"]),
        ("http-sessionless", &["--era", "legacy", "--no-session"]),
        ("sse-legacy", &["--era", "legacy", "--sse"]),
        ("sse-noise", &["--era", "both", "--sse", "--noise"]),
    ] {
        let process = ReferenceProcess::http(&[arguments, more].concat());
        entries.push((name, at(process.url())));
        processes.push(process);
    }
    let old = ReferenceProcess::old_sse(arguments);
    entries.push(("old-sse", over_sse(old.url())));
    processes.push(old);
    // Nobody says that it speaks the old transport.
    let found = ReferenceProcess::old_sse(&[arguments, &["--noise"]].concat());
    entries.push(("old-found", at(found.url())));
    processes.push(found);
    (entries, processes)
}

/// A place whose servers file has these servers.
pub(crate) fn with_servers(servers: &[(&str, Value)]) -> Place {
    let servers: serde_json::Map<String, Value> =
        servers.iter().map(|(name, entry)| ((*name).to_owned(), entry.clone())).collect();
    Place::new().file("servers.json", &json!({ "mcpServers": servers }).to_string())
}

/// The program of a server that others wrote.
#[track_caller]
pub(crate) fn peer(name: &str) -> PathBuf {
    let folder = std::env::var_os("MCP_PEERS").unwrap_or_else(|| {
        panic!("MCP_PEERS does not say where the servers to test against are: run `cargo xtask test`")
    });
    let program = PathBuf::from(folder).join("bin").join(name);
    assert!(program.exists(), "{} is not there: run `cargo xtask test`", program.display());
    program
}

/// server-everything on the network. It is killed when dropped.
pub(crate) struct EverythingHttp {
    child: Child,
    wire: Wire,
    port: u16,
}

/// How server-everything is reached on the network.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    StreamableHttp,
    Sse,
}

impl EverythingHttp {
    /// Starts one over Streamable HTTP on a free port and waits until it listens.
    pub(crate) fn start() -> Self {
        Self::start_on_a_free_port(Wire::StreamableHttp)
    }

    /// The same over the transport of 2024-11-05.
    pub(crate) fn start_sse() -> Self {
        Self::start_on_a_free_port(Wire::Sse)
    }

    fn start_on_a_free_port(wire: Wire) -> Self {
        // It takes no port 0, so somebody else may be quicker to take the one that was free: then again.
        let started = (0..5).find_map(|_| Self::start_at(wire, free_port()).ok());
        started.expect("server-everything starts on one of five ports")
    }

    fn start_at(wire: Wire, port: u16) -> Result<Self, String> {
        let mut child = Command::new(peer("mcp-server-everything"))
            .arg(if wire == Wire::Sse { "sse" } else { "streamableHttp" })
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("server-everything can be started");
        let lines = BufReader::new(child.stderr.take().expect("its standard error is a pipe")).lines();
        let (sender, said) = mpsc::channel();
        // Reads on to the end: a server that writes to a closed pipe dies of it.
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let server = Self { child, wire, port };
        let mut heard = String::new();
        loop {
            match said.recv_timeout(LONG) {
                Ok(line) if line.contains("listening on port") || line.contains("running on port") => {
                    return Ok(server);
                }
                Ok(line) => heard += &line,
                Err(_) => return Err(heard),
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        let path = if self.wire == Wire::Sse { "sse" } else { "mcp" };
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Kills it and starts another one in its place.
    pub(crate) fn restart(&mut self) {
        self.kill();
        *self = Self::start_at(self.wire, self.port).expect("it starts where it was");
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for EverythingHttp {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of the loopback interface that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
