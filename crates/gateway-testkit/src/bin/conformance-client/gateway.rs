//! The gateway between this client and the suite's server.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::Outcome;
use crate::arguments::Arguments;
use crate::http::{Headers, Target};

/// How long it may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(20);

/// A running gateway. It is killed when dropped.
pub struct Gateway {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    /// `127.0.0.1:1234`
    address: String,
    _folder: Folder,
}

/// A folder of its own for the gateway, so that no settings lie about. It goes when dropped.
struct Folder(PathBuf);

impl Gateway {
    /// Starts a gateway whose only server is the suite's, and waits until it knows how that server is.
    pub async fn start(arguments: &Arguments) -> Outcome<Self> {
        let folder = Folder(std::env::temp_dir().join(format!("conformance-client-{}", std::process::id())));
        let failed = |error: std::io::Error| format!("{}: {error}", folder.0.display());
        std::fs::create_dir_all(&folder.0).map_err(failed)?;
        let servers = json!({ "mcpServers": { "suite": { "url": arguments.url } } });
        std::fs::write(folder.0.join("servers.json"), servers.to_string()).map_err(failed)?;
        let mut command = Command::new(&arguments.gateway);
        command.args(["--host", "127.0.0.1", "--port", "0", "--servers", "servers.json"]).current_dir(&folder.0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|error| format!("{} does not start: {error}", arguments.gateway.display()))?;
        let stderr = child.stderr.take().expect("its standard error is a pipe");
        let mut gateway = Self { child, log: BufReader::new(stderr).lines(), address: String::new(), _folder: folder };
        gateway.address = gateway.listens_on().await?;
        gateway.wait_for_server().await?;
        Ok(gateway)
    }

    /// Where it speaks MCP.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Ends it, and shows its log.
    pub async fn stop(&mut self) -> Outcome<()> {
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(id, Signal::TERM);
        }
        let ended = tokio::time::timeout(STOP_LIMIT, async {
            while let Ok(Some(line)) = self.log.next_line().await {
                eprintln!("{line}");
            }
            self.child.wait().await
        });
        match ended.await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("the gateway ended badly ({status})")),
            Ok(Err(error)) => Err(format!("the gateway cannot be waited for: {error}")),
            Err(_) => Err(format!("the gateway did not end within {} s", STOP_LIMIT.as_secs())),
        }
    }

    async fn listens_on(&mut self) -> Outcome<String> {
        let mut last = String::new();
        while let Ok(Some(line)) = self.log.next_line().await {
            eprintln!("{line}");
            if let Some((_, address)) = line.split_once("listening on http://") {
                return Ok(address.trim_end().to_owned());
            }
            last = line;
        }
        Err(format!("the gateway ended before it listened: {}", last.trim()))
    }

    /// A server that cannot be reached is known to be so: what the client then gets is the gateway's answer.
    async fn wait_for_server(&self) -> Outcome<()> {
        let servers = Target::parse(&self.url())?.at("/mcp/servers");
        loop {
            let answer = servers.get("application/json", &Headers::new()).await?.json().await?;
            let mut states = answer["servers"].as_object().into_iter().flatten().map(|(_, server)| &server["state"]);
            let known = |state: &Value| state.as_str().is_some_and(|state| !matches!(state, "idle" | "connecting"));
            if states.all(known) {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the temporary folder hurts nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
