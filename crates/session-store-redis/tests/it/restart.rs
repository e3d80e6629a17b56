//! A Redis of the test's own, which is stopped and started.

use std::process::Stdio;
use std::time::{Duration, Instant};

use gateway_core::{ErrorKind, Secret, SessionStore};
use session_store_redis::{RedisStore, RedisStoreConfig};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{any, record, works_again};

struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Server {
    async fn start() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut server = Self { folder: tempfile::tempdir().expect("a folder"), port, process: None };
        server.start_again().await;
        server
    }

    async fn start_again(&mut self) {
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--requirepass", "hunter2"])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server in the PATH");
        self.process = Some(process);
        let until = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(Instant::now() < until, "redis-server does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().await.expect("killed");
    }

    fn open(&self) -> RedisStore {
        let url = Secret::new(format!("redis://:hunter2@127.0.0.1:{}/", self.port));
        RedisStore::new(RedisStoreConfig::new(url)).expect("a configuration")
    }
}

#[tokio::test]
async fn a_redis_that_was_killed_and_started_again_has_the_records_and_is_used_again() {
    let mut server = Server::start().await;
    let store = server.open();
    let mut changes = store.changes().expect("it tells");
    any(&mut changes).await;
    works_again(&store).await;
    for number in 0..10 {
        store.create(record(&format!("sess_{number}"), "x")).await.expect("created");
    }
    server.kill().await;
    let error = store.create(record("sess_away", "x")).await.expect_err("it is away");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    server.start_again().await;
    works_again(&store).await;
    any(&mut changes).await;
    assert_eq!(store.list("sess_").await.expect("listed").len(), 10);
    // The scripts are gone with the process, and are sent again.
    assert_eq!(store.save(record("sess_1", "y")).await.expect("saved"), 2);
}

#[tokio::test]
async fn a_store_may_be_made_before_its_redis_is_there() {
    let mut server = Server::start().await;
    server.kill().await;
    let store = server.open();
    let mut changes = store.changes().expect("it tells");
    assert_eq!(store.list("").await.expect_err("not there").kind(), ErrorKind::Unavailable);
    server.start_again().await;
    works_again(&store).await;
    any(&mut changes).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_without_being_shown() {
    let server = Server::start().await;
    let url = Secret::new(format!("redis://:hunter3@127.0.0.1:{}/", server.port));
    let store = RedisStore::new(RedisStoreConfig::new(url)).expect("a configuration");
    let error = SessionStore::load(&store, "sess_1").await.expect_err("wrong");
    assert!(error.message().contains("the password in the URL is wrong"), "{error}");
    assert!(!format!("{error:?}").contains("hunter3"), "{error:?}");
    let url = Secret::new(format!("redis://127.0.0.1:{}/", server.port));
    let store = RedisStore::new(RedisStoreConfig::new(url)).expect("a configuration");
    let error = SessionStore::load(&store, "sess_1").await.expect_err("none");
    assert!(error.message().contains("wants a password"), "{error}");
}
