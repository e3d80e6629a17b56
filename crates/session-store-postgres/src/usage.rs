//! The store for usage.

use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{Result, UsageChunk, UsageStore};

use crate::PostgresStore;
use crate::records::{millis, time};

#[async_trait]
impl UsageStore for PostgresStore {
    async fn keep(&self, chunk: UsageChunk) -> Result<()> {
        let (begins_at, data) = (millis(chunk.begins_at), chunk.data.as_ref());
        self.query(&self.statements.keep, &[&begins_at, &chunk.source, &data]).await.map(drop)
    }

    async fn load(&self, from: SystemTime, until: SystemTime) -> Result<Vec<UsageChunk>> {
        let rows = self.query(&self.statements.load_usage, &[&millis(from), &millis(until)]).await?;
        let chunk = |row: tokio_postgres::Row| UsageChunk {
            begins_at: time(row.get(0)),
            source: row.get(1),
            data: Bytes::copy_from_slice(row.get::<_, &[u8]>(2)),
        };
        Ok(rows.into_iter().map(chunk).collect())
    }

    async fn forget(&self, before: SystemTime) -> Result<()> {
        self.query(&self.statements.forget, &[&millis(before)]).await.map(drop)
    }
}
