//! A Redis of one's own, to be killed, stopped and filled.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub(crate) struct Server {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    tls: bool,
}

impl Server {
    /// Starts one that keeps everything.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut server = Self::absent(arguments);
        server.run();
        server
    }

    /// One that does not run yet.
    pub(crate) fn absent(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The port is free now, and the kernel does not give it out again soon.
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { child: None, folder, port: free.port(), arguments, tls: false }
    }

    /// Makes its port one for TLS.
    pub(crate) fn over_tls(&mut self) {
        self.tls = true;
    }

    pub(crate) fn run(&mut self) {
        let port = self.port.to_string();
        let ports = if self.tls { ["--port", "0", "--tls-port", &port] } else { ["--tls-port", "0", "--port", &port] };
        let mut child = Command::new("redis-server")
            .args(ports)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need `redis-server` in PATH");
        let output = child.stdout.take().expect("it is a pipe");
        let mut lines = BufReader::new(output).lines().map_while(std::result::Result::ok);
        let mut seen = Vec::new();
        let ready = lines.by_ref().any(|line| {
            seen.push(line);
            seen.last().is_some_and(|line| line.contains("Ready to accept connections"))
        });
        assert!(ready, "redis-server did not start: {seen:?}");
        // What it has to say later is read, so that it can go on writing; the thread ends with it.
        std::thread::spawn(move || lines.for_each(drop));
        self.child = Some(child);
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it has ended");
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().expect("there is a kill");
        assert!(sent.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
