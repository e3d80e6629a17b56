//! What is asked of the database about usage.

use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{Result, UsageChunk, UsageStore};
use rusqlite::params;

use crate::SqliteStore;
use crate::records::{millis, time};

#[async_trait]
impl UsageStore for SqliteStore {
    async fn keep(&self, chunk: UsageChunk) -> Result<()> {
        self.write("write to", move |connection| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO usage_chunk (begins_at, source, data) VALUES (?1, ?2, ?3)")?
                .execute(params![millis(chunk.begins_at), chunk.source, chunk.data.as_ref()])
                .map(drop)
        })
        .await
    }

    async fn load(&self, from: SystemTime, until: SystemTime) -> Result<Vec<UsageChunk>> {
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT begins_at, source, data FROM usage_chunk
                     WHERE begins_at >= ?1 AND begins_at < ?2 ORDER BY begins_at, source",
                )?
                .query_map(params![millis(from), millis(until)], |row| {
                    let data = Bytes::from(row.get::<_, Vec<u8>>(2)?);
                    Ok(UsageChunk { begins_at: time(row.get(0)?), source: row.get(1)?, data })
                })?
                .collect()
        })
        .await
    }

    async fn forget(&self, before: SystemTime) -> Result<()> {
        self.write("delete from", move |connection| {
            connection
                .prepare_cached("DELETE FROM usage_chunk WHERE begins_at < ?1")?
                .execute(params![millis(before)])
                .map(drop)
        })
        .await
    }
}
