//! server-everything, which others wrote, in the place of a gateway.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::program::{LONG, lines, peer};

/// server-everything over Streamable HTTP. It is killed when dropped.
pub(crate) struct Everything {
    child: Child,
    port: u16,
}

impl Everything {
    /// Starts one on a free port and waits until it listens.
    pub(crate) fn start() -> Self {
        // It takes no port 0, so somebody else may be quicker to take the one that was free: then again.
        (0..5).find_map(|_| Self::start_at(free_port()).ok()).expect("server-everything starts on one of five ports")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts another one in its place.
    pub(crate) fn start_again(&mut self) {
        *self = Self::start_at(self.port).expect("it starts where it was");
    }

    fn start_at(port: u16) -> Result<Self, String> {
        let mut child = Command::new(peer("mcp-server-everything"))
            .arg("streamableHttp")
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("server-everything can be started");
        let said = lines(child.stderr.take().expect("its standard error is a pipe"));
        let server = Self { child, port };
        let mut heard = String::new();
        loop {
            match said.recv_timeout(LONG) {
                Ok(line) if line.contains("listening on port") => return Ok(server),
                Ok(line) => heard += &line,
                Err(_) => return Err(heard),
            }
        }
    }
}

impl Drop for Everything {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of the loopback interface that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
