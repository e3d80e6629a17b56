//! What the tables are, and how they became so.

use rusqlite::{Connection, Result, TransactionBehavior};

/// In the file's header: this is a database of the gateway ("mcpg").
pub(crate) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"mcpg");

/// What brings a database from each version to the next. Only ever append.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE record (
        id TEXT NOT NULL PRIMARY KEY,
        revision INTEGER NOT NULL,
        expires_at INTEGER NOT NULL, -- milliseconds since 1970
        data BLOB NOT NULL
    ) STRICT;
    CREATE INDEX record_by_end ON record (expires_at);

    -- The last changes, for other processes on the same file.
    CREATE TABLE record_change (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        writer INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE usage_chunk (
        begins_at INTEGER NOT NULL, -- milliseconds since 1970
        source TEXT NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (begins_at, source)
    ) STRICT;
"];

/// The version that this program writes.
pub(crate) fn version() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("a handful")
}

/// The version that the database has.
pub(crate) fn version_of(connection: &Connection) -> Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings the database to this program's version: all the way or not at all, and one process at a time. A newer
/// one is left as it is.
pub(crate) fn migrate(connection: &mut Connection) -> Result<()> {
    if version_of(connection)? >= version() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it in the meantime.
    let begin = usize::try_from(version_of(&transaction)?).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(begin) {
        transaction.execute_batch(migration)?;
    }
    if begin < MIGRATIONS.len() {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version())?;
    }
    transaction.commit()
}
