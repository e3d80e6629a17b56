//! A Redis of our own, which writes down what it is told and is killed now and then.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use redis::aio::ConnectionManager;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::error::{Error, Result};

/// How long it may take to answer.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A Redis with persistence (an append-only file). Ends when dropped.
#[derive(Debug)]
pub struct RedisServer {
    pub port: u16,
    folder: TempDir,
    child: Child,
}

impl RedisServer {
    /// Starts one on a free port.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = launch(folder.path(), port)?;
        let server = Self { port, folder, child };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// A connection that comes back by itself.
    pub async fn connect(&self) -> Result<ConnectionManager> {
        let config = redis::aio::ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(Duration::from_secs(2)))
            .set_number_of_retries(2);
        Ok(ConnectionManager::new_with_config(redis::Client::open(self.url())?, config).await?)
    }

    /// Kills it as `kill -9` does, leaves it away for a while and starts it again on what it has written.
    pub async fn kill_and_restart(&mut self, away: Duration) -> Result<()> {
        self.child.kill().await?;
        sleep(away).await;
        self.child = launch(self.folder.path(), self.port)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let client = redis::Client::open(self.url())?;
        let begun = Instant::now();
        while begun.elapsed() < START_LIMIT {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await
                && redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
            {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(Error::NotReady(format!("redis-server did not answer on port {} in time", self.port)))
    }
}

fn launch(folder: &Path, port: u16) -> Result<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "yes"]);
    // What was answered has been handed to the system by then, so a killed process loses nothing of it.
    command.args(["--appendfsync", "everysec", "--dir"]).arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().map_err(|source| Error::Start {
        program: "redis-server".to_owned(),
        source,
        hint: "; install it (Debian: apt-get install redis-server)",
    })
}
