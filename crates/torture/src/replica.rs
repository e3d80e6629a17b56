//! One gateway as a process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::fs::OpenOptions;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::{Error, Result};

/// How long one may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How a gateway is started.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The program.
    pub program: PathBuf,
    /// Where it runs: a folder with a servers file.
    pub folder: PathBuf,
    /// Its settings, as variables.
    pub variables: Vec<(String, String)>,
    /// Where its log goes.
    pub log: Option<PathBuf>,
}

/// A running gateway. It is killed when dropped.
#[derive(Debug)]
pub struct Replica {
    /// Its address, as in `http://127.0.0.1:1234`.
    pub url: String,
    child: Child,
    _log: JoinSet<()>,
}

impl Replica {
    /// Starts one and waits until it listens.
    pub async fn start(recipe: &Recipe) -> Result<Self> {
        let mut command = Command::new(&recipe.program);
        command.args(["--host", "127.0.0.1", "--port", "0", "--servers", "servers.json"]);
        command.current_dir(&recipe.folder).envs(recipe.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|source| Error::Start {
            program: recipe.program.display().to_string(),
            source,
            hint: "; build it with `cargo build --bin gateway-http`",
        })?;
        let stderr = child.stderr.take().ok_or_else(|| Error::NotReady("a gateway without a log".to_owned()))?;
        let mut lines = BufReader::new(stderr).lines();
        let listening = async {
            let mut said = Vec::new();
            while let Some(line) = lines.next_line().await? {
                if let Some((_, url)) = line.split_once("listening on ") {
                    let url = url.split_whitespace().next().unwrap_or_default().to_owned();
                    return Ok((url, said));
                }
                said.push(line);
            }
            Err(Error::NotReady(format!("a gateway ended before it listened:\n{}", said.join("\n"))))
        };
        let (url, said) = timeout(START_LIMIT, listening)
            .await
            .map_err(|_| Error::NotReady("a gateway does not listen".to_owned()))??;
        let mut log = JoinSet::new();
        let mut kept = open(recipe.log.as_deref()).await?;
        log.spawn(async move {
            let mut said = said.into_iter();
            // A log that nobody reads would hold the gateway up, so all lines are taken.
            while let Some(line) = match said.next() {
                Some(line) => Some(line),
                None => lines.next_line().await.ok().flatten(),
            } {
                if let Some(file) = &mut kept {
                    // One that cannot be kept must not stop the torture.
                    let _ = file.write_all(format!("{line}\n").as_bytes()).await;
                }
            }
        });
        Ok(Self { url, child, _log: log })
    }

    /// Its process.
    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it as `kill -9` does.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to stop, and says whether it did so in order.
    pub async fn stop(mut self, within: Duration) -> Result<bool> {
        if let Some(id) = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        Ok(timeout(within, self.child.wait()).await.is_ok_and(|ended| ended.is_ok_and(|status| status.success())))
    }
}

async fn open(path: Option<&Path>) -> Result<Option<tokio::fs::File>> {
    let Some(path) = path else { return Ok(None) };
    Ok(Some(OpenOptions::new().create(true).append(true).open(path).await?))
}
