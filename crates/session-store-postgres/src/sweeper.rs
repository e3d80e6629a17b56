//! Removes what has expired.

use std::time::Duration;

use deadpool_postgres::Pool;

use crate::records::Statements;

/// How often.
const SWEEP: Duration = Duration::from_secs(30);

/// Removes expired records now and then, until it is dropped. Gateways that do so at once do not wait for each other.
pub(crate) async fn run(pool: Pool, statements: std::sync::Arc<Statements>) {
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
