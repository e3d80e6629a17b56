//! The store against the behaviours of its contracts, in a real PostgreSQL.

mod conformance;
mod network;
mod replicas;
mod schema;
mod tls;

use std::time::{Duration, SystemTime};

use gateway_core::{Secret, StoredSession};
use session_store_postgres::{PostgresConfig, PostgresStore};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

const SERVER: &str = "127.0.0.1:5432";

/// A schema of one test's own, which goes with it.
#[derive(Debug)]
struct Schema(String);

impl Schema {
    fn new() -> Self {
        Self(format!("test_{}", &Uuid::new_v4().simple().to_string()[..24]))
    }

    fn config(&self) -> PostgresConfig {
        self.config_through(SERVER)
    }

    fn config_through(&self, address: &str) -> PostgresConfig {
        let url = Secret::new(format!("postgres://root@{address}/test"));
        PostgresConfig { schema: self.0.clone(), max_connections: 4, ..PostgresConfig::new(url) }
    }

    async fn open(&self) -> PostgresStore {
        PostgresStore::connect(self.config()).await.expect("PostgreSQL on 127.0.0.1:5432")
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let drop = format!(r#"DROP SCHEMA IF EXISTS "{}" CASCADE"#, self.0);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async { admin().await.0.batch_execute(&drop).await.expect("dropped") });
        };
        std::thread::spawn(work).join().expect("cleaned up");
    }
}

/// A client of the test's own, and what keeps it going.
async fn admin() -> (Client, tokio::task::JoinSet<()>) {
    let (client, connection) = tokio_postgres::connect(&format!("postgres://root@{SERVER}/test"), NoTls)
        .await
        .expect("PostgreSQL on 127.0.0.1:5432");
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { drop(connection.await) });
    (client, tasks)
}

fn record(id: &str, data: &str) -> StoredSession {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis();
    let expires_at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now).expect("small") + 3_600_000);
    StoredSession { id: id.to_owned(), revision: 1, expires_at, data: data.to_owned().into() }
}
