//! What is asked of the database about records.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gateway_core::StoredSession;
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, TransactionBehavior, params};

/// How many changes are remembered for other processes. Who missed more is told that anything may be another.
const REMEMBERED: i64 = 1024;

/// Most expired records that one sweep removes, so that others need not wait long for it.
const SWEPT_AT_ONCE: i64 = 500;

/// What came of a save.
pub(crate) enum Saved {
    As(u64),
    HasRevision(u64),
    Missing,
}

/// Whether it was created.
pub(crate) fn create(connection: &mut Connection, writer: i64, session: &StoredSession) -> Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let created = transaction
        .prepare_cached(
            "INSERT INTO record (id, revision, expires_at, data) VALUES (?1, 1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET revision = 1, expires_at = excluded.expires_at, data = excluded.data
         WHERE record.expires_at <= ?4",
        )?
        .execute(params![session.id, millis(session.expires_at), session.data.as_ref(), now()])?;
    if created == 1 {
        remember(&transaction, writer, &session.id)?;
    }
    transaction.commit()?;
    Ok(created == 1)
}

pub(crate) fn load(connection: &Connection, id: &str) -> Result<Option<StoredSession>> {
    connection
        .prepare_cached("SELECT id, revision, expires_at, data FROM record WHERE id = ?1 AND expires_at > ?2")?
        .query_row(params![id, now()], session)
        .optional()
}

pub(crate) fn save(connection: &mut Connection, writer: i64, session: &StoredSession) -> Result<Saved> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let now = now();
    let kept = transaction
        .prepare_cached("SELECT revision FROM record WHERE id = ?1 AND expires_at > ?2")?
        .query_row(params![session.id, now], |row| row.get::<_, u64>(0))
        .optional()?;
    let saved = match kept {
        None => Saved::Missing,
        Some(revision) if revision != session.revision => Saved::HasRevision(revision),
        Some(revision) => {
            transaction
                .prepare_cached("UPDATE record SET revision = ?2, expires_at = ?3, data = ?4 WHERE id = ?1")?
                .execute(params![session.id, revision + 1, millis(session.expires_at), session.data.as_ref()])?;
            remember(&transaction, writer, &session.id)?;
            Saved::As(revision + 1)
        }
    };
    transaction.commit()?;
    Ok(saved)
}

/// Whether there was one.
pub(crate) fn delete(connection: &mut Connection, writer: i64, id: &str) -> Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let deleted = transaction
        .prepare_cached("DELETE FROM record WHERE id = ?1 RETURNING expires_at")?
        .query_row(params![id], |row| row.get::<_, i64>(0))
        .optional()?;
    let lived = deleted.is_some_and(|end| end > now());
    if lived {
        remember(&transaction, writer, id)?;
    }
    transaction.commit()?;
    Ok(lived)
}

pub(crate) fn list(connection: &Connection, prefix: &str) -> Result<Vec<StoredSession>> {
    // `~` comes after every character of an id, and text compares by bytes.
    connection
        .prepare_cached(
            "SELECT id, revision, expires_at, data FROM record
             WHERE id >= ?1 AND id < ?1 || '~' AND expires_at > ?2 ORDER BY id",
        )?
        .query_map(params![prefix, now()], session)?
        .collect()
}

/// Removes some of the expired records.
pub(crate) fn sweep(connection: &Connection) -> Result<usize> {
    connection
        .prepare_cached("DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE expires_at <= ?1 LIMIT ?2)")?
        .execute(params![now(), SWEPT_AT_ONCE])
}

/// The number of the last change.
pub(crate) fn last_change(connection: &Connection) -> Result<i64> {
    connection.query_row("SELECT coalesce(max(seq), 0) FROM record_change", [], |row| row.get(0))
}

/// Changes after that one: number, id and writer.
pub(crate) fn changes_after(connection: &Connection, seq: i64) -> Result<Vec<(i64, String, i64)>> {
    connection
        .prepare_cached("SELECT seq, id, writer FROM record_change WHERE seq > ?1 ORDER BY seq")?
        .query_map(params![seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
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

fn remember(transaction: &Transaction<'_>, writer: i64, id: &str) -> Result<()> {
    let insert = "INSERT INTO record_change (id, writer) VALUES (?1, ?2)";
    transaction.prepare_cached(insert)?.execute(params![id, writer])?;
    let oldest = transaction.last_insert_rowid() - REMEMBERED;
    transaction.prepare_cached("DELETE FROM record_change WHERE seq <= ?1")?.execute(params![oldest])?;
    Ok(())
}

fn now() -> i64 {
    millis(SystemTime::now())
}

fn session(row: &Row<'_>) -> Result<StoredSession> {
    Ok(StoredSession {
        id: row.get(0)?,
        revision: row.get(1)?,
        expires_at: time(row.get(2)?),
        data: Bytes::from(row.get::<_, Vec<u8>>(3)?),
    })
}
