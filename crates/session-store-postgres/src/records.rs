//! What is asked of the database about records.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gateway_core::StoredSession;
use tokio_postgres::Row;

/// The database's time, in milliseconds since 1970.
const NOW: &str = "(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

/// The statements, with the name of their schema. Each is whole by itself: it changes the record and tells of it, or
/// does neither.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) create: String,
    pub(crate) load: String,
    pub(crate) save: String,
    pub(crate) delete: String,
    pub(crate) list: String,
    pub(crate) sweep: String,
    pub(crate) keep: String,
    pub(crate) load_usage: String,
    pub(crate) forget: String,
}

impl Statements {
    /// Most expired records that one sweep removes.
    pub(crate) const SWEPT_AT_ONCE: u64 = 500;

    pub(crate) fn new(schema: &str) -> Self {
        let channel = channel(schema);
        let record = format!(r#""{schema}".record"#);
        let chunk = format!(r#""{schema}".usage_chunk"#);
        let swept = Self::SWEPT_AT_ONCE;
        Self {
            create: format!(
                "WITH made AS (
                     INSERT INTO {record} AS kept (id, revision, expires_at, data) VALUES ($1, 1, $2, $3)
                     ON CONFLICT (id) DO UPDATE
                         SET revision = 1, expires_at = excluded.expires_at, data = excluded.data
                         WHERE kept.expires_at <= {NOW}
                     RETURNING id)
                 SELECT pg_notify('{channel}', id)::text FROM made"
            ),
            load: format!("SELECT id, revision, expires_at, data FROM {record} WHERE id = $1 AND expires_at > {NOW}"),
            // What was there is as it was when the statement began; what was saved is as it is.
            save: format!(
                "WITH saved AS (
                     UPDATE {record} SET revision = revision + 1, expires_at = $3, data = $4
                     WHERE id = $1 AND revision = $2 AND expires_at > {NOW}
                     RETURNING id, revision)
                 SELECT saved.revision, kept.revision,
                        CASE WHEN saved.id IS NOT NULL THEN pg_notify('{channel}', saved.id)::text END
                 FROM (SELECT $1::text AS id) AS asked
                 LEFT JOIN saved ON true
                 LEFT JOIN {record} AS kept ON kept.id = asked.id AND kept.expires_at > {NOW}"
            ),
            delete: format!(
                "WITH gone AS (DELETE FROM {record} WHERE id = $1 RETURNING id, expires_at)
                 SELECT pg_notify('{channel}', id)::text FROM gone WHERE expires_at > {NOW}"
            ),
            // `~` comes after every character of an id.
            list: format!(
                "SELECT id, revision, expires_at, data FROM {record}
                 WHERE id >= $1 AND id < $1 || '~' AND expires_at > {NOW} ORDER BY id"
            ),
            sweep: format!(
                "DELETE FROM {record} WHERE id IN (
                     SELECT id FROM {record} WHERE expires_at <= {NOW} LIMIT {swept} FOR UPDATE SKIP LOCKED)"
            ),
            keep: format!(
                "INSERT INTO {chunk} (begins_at, source, data) VALUES ($1, $2, $3)
                 ON CONFLICT (begins_at, source) DO UPDATE SET data = excluded.data"
            ),
            load_usage: format!(
                "SELECT begins_at, source, data FROM {chunk}
                 WHERE begins_at >= $1 AND begins_at < $2 ORDER BY begins_at, source"
            ),
            forget: format!("DELETE FROM {chunk} WHERE begins_at < $1"),
        }
    }
}

/// What the schema's changes are told on.
pub(crate) fn channel(schema: &str) -> String {
    format!("{schema}_record_change")
}

/// A record in the columns id, revision, expires_at and data.
pub(crate) fn session(row: &Row) -> StoredSession {
    StoredSession {
        id: row.get(0),
        revision: u64::try_from(row.get::<_, i64>(1)).unwrap_or(0),
        expires_at: time(row.get(2)),
        data: Bytes::copy_from_slice(row.get::<_, &[u8]>(3)),
    }
}

/// Milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Its reverse.
pub(crate) fn time(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
