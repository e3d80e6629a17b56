//! What the tables are, and how they became so.

use deadpool_postgres::Client;
use gateway_core::{Error, ErrorKind, Result};
use tokio_postgres::Transaction;

use crate::error::translate;

/// What gateways that start at once wait for: only one may change the schema at a time ("mcpg").
const LOCK: i64 = 0x6d63_7067;

/// What brings a schema from each version to the next; `SCHEMA` stands for its name. Only ever append.
const MIGRATIONS: [&str; 1] = [r#"
    CREATE TABLE "SCHEMA".record (
        id text COLLATE "C" PRIMARY KEY,
        revision bigint NOT NULL,
        expires_at bigint NOT NULL, -- milliseconds since 1970
        data bytea NOT NULL
    );
    CREATE INDEX record_by_end ON "SCHEMA".record (expires_at);

    CREATE TABLE "SCHEMA".usage_chunk (
        begins_at bigint NOT NULL, -- milliseconds since 1970
        source text COLLATE "C" NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (begins_at, source)
    );
"#];

/// Brings the schema to this program's version: all the way or not at all, and one gateway at a time.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) where the schema is another program's or a newer gateway's: nothing was changed.
pub(crate) async fn migrate(client: &mut Client, schema: &str) -> Result<()> {
    let transaction = client.transaction().await.map_err(translate)?;
    // Others that start may take a while.
    transaction.batch_execute("SET LOCAL statement_timeout = '60s'").await.map_err(translate)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(translate)?;
    let known = MIGRATIONS.len();
    let found = version(&transaction, schema).await?;
    if found > known {
        return Err(refused(
            schema,
            &format!("was written by a newer gateway (it has version {found}, this program knows {known})"),
            "start that gateway or a newer one, or name another schema",
        ));
    }
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(found) {
        transaction.batch_execute(&migration.replace("SCHEMA", schema)).await.map_err(translate)?;
        let number = i32::try_from(number + 1).expect("a handful");
        let set = format!(r#"UPDATE "{schema}".gateway_schema SET version = $1"#);
        transaction.execute(&set, &[&number]).await.map_err(translate)?;
    }
    transaction.commit().await.map_err(translate)
}

/// The version that the schema has; a schema that is missing or empty is made one of version 0.
async fn version(transaction: &Transaction<'_>, schema: &str) -> Result<usize> {
    let looked = transaction
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
                    EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'gateway_schema'),
                    (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1)))",
            &[&schema],
        )
        .await
        .map_err(translate)?;
    let (exists, is_ours, holds): (bool, bool, i64) = (looked.get(0), looked.get(1), looked.get(2));
    if is_ours {
        let ask = format!(r#"SELECT version FROM "{schema}".gateway_schema"#);
        let version: i32 = transaction.query_one(&ask, &[]).await.map_err(translate)?.get(0);
        return Ok(usize::try_from(version).unwrap_or(0));
    }
    if holds > 0 {
        return Err(refused(
            schema,
            &format!("belongs to another program (it holds {holds} tables and the like, and none says its version)"),
            "name another schema",
        ));
    }
    // Whoever prepared the schema need not let us create one.
    let create = if exists { String::new() } else { format!(r#"CREATE SCHEMA "{schema}";"#) };
    let mark = format!(
        r#"{create}
        CREATE TABLE "{schema}".gateway_schema (
            one boolean PRIMARY KEY DEFAULT true CHECK (one),
            version integer NOT NULL
        );
        INSERT INTO "{schema}".gateway_schema (version) VALUES (0);"#
    );
    transaction.batch_execute(&mark).await.map_err(translate)?;
    Ok(0)
}

fn refused(schema: &str, found: &str, remedy: &str) -> Error {
    let message = format!("the schema {schema:?} of the database {found}; nothing in it was changed: {remedy}");
    Error::new(ErrorKind::Conflict, message)
}
