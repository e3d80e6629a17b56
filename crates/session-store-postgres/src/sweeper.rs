//! Removes what has expired.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;

use crate::records::Statements;

/// How often.
const SWEEP: Duration = Duration::from_secs(30);

/// Removes expired records now and then, until it is dropped. Gateways that do so at once do not wait for each other.
pub(crate) async fn run(pool: Pool, statements: Arc<Statements>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        loop {
            match sweep(&pool, &statements.sweep).await {
                Ok(removed) if removed >= Statements::SWEPT_AT_ONCE => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::debug!(error, "cannot remove expired records from PostgreSQL");
                    break;
                }
            }
        }
    }
}

async fn sweep(pool: &Pool, statement: &str) -> Result<u64, String> {
    let client = pool.get().await.map_err(|error| error.to_string())?;
    client.execute(statement, &[]).await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use gateway_core::{Secret, SessionStore, StoredSession};

    use super::*;
    use crate::{PostgresConfig, PostgresStore};

    #[tokio::test]
    async fn what_has_expired_is_removed_and_what_lives_stays() {
        let schema = format!("test_{}", &uuid::Uuid::new_v4().simple().to_string()[..24]);
        let url = Secret::new("postgres://root@127.0.0.1:5432/test");
        let config = PostgresConfig { schema: schema.clone(), ..PostgresConfig::new(url) };
        let store = PostgresStore::connect(config).await.expect("PostgreSQL on 127.0.0.1:5432");
        let fill = format!(
            r#"INSERT INTO "{schema}".record SELECT 'sess_' || number, 1, 0, '' FROM generate_series(1, 600) AS number"#
        );
        store.query(&fill, &[]).await.expect("filled");
        let expires_at = SystemTime::now() + Duration::from_secs(60);
        let lives = StoredSession { id: "sess_lives".to_owned(), revision: 1, expires_at, data: "x".into() };
        store.create(lives).await.expect("created");
        let mut removed = Vec::new();
        for _ in 0..3 {
            removed.push(sweep(&store.pool, &store.statements.sweep).await.expect("swept"));
        }
        let left = store.query(&format!(r#"SELECT id FROM "{schema}".record"#), &[]).await.expect("asked");
        store.query(&format!(r#"DROP SCHEMA "{schema}" CASCADE"#), &[]).await.expect("dropped");
        assert_eq!(removed, [Statements::SWEPT_AT_ONCE, 100, 0]);
        let left: Vec<String> = left.iter().map(|row| row.get(0)).collect();
        assert_eq!(left, ["sess_lives"]);
    }
}
