//! The store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Client, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use gateway_core::{Error, ErrorKind, RecordChange, Result, SessionStore, StoredSession};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinSet;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::config::PostgresConfig;
use crate::error::{translate, translate_pool, unavailable};
use crate::listener::Listener;
use crate::records::{Statements, channel, millis, session};
use crate::schema::migrate;
use crate::{sweeper, tls};

/// How many changes a receiver may be behind.
const CHANGES_KEPT: usize = 1024;

/// Keeps session records and usage in PostgreSQL.
///
/// Each method is one statement. While the database is away, every method fails with
/// [`Unavailable`](ErrorKind::Unavailable) and goes on by itself afterwards; whoever listens for
/// [`changes`](SessionStore::changes) hears then that anything may be another.
pub struct PostgresStore {
    pub(crate) pool: Pool,
    pub(crate) statements: Arc<Statements>,
    schema: String,
    changes: broadcast::Sender<RecordChange>,
    statement_timeout: Duration,
    /// What listens and what sweeps; they end with the store.
    _tasks: JoinSet<()>,
}

impl PostgresStore {
    /// Connects, and creates the schema and its tables where they are missing.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where the configuration cannot be used;
    /// [`Conflict`](ErrorKind::Conflict) where the schema is another program's or a newer gateway's: it was not changed;
    /// [`Unavailable`](ErrorKind::Unavailable) where the database cannot be reached.
    pub async fn connect(config: PostgresConfig) -> Result<Self> {
        let driver = config.checked()?;
        let tls = tls::connector(config.root_certificates.as_deref())?;
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(driver.clone(), tls.clone(), manager))
            .max_size(config.max_connections)
            .wait_timeout(Some(config.statement_timeout))
            .create_timeout(Some(config.connect_timeout))
            .recycle_timeout(Some(config.connect_timeout))
            .runtime(Runtime::Tokio1)
            .post_create(limit(config.statement_timeout))
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot set up connections").with_source(error))?;
        let mut client = pool.get().await.map_err(translate_pool)?;
        migrate(&mut client, &config.schema).await?;
        drop(client);

        let statements = Arc::new(Statements::new(&config.schema));
        let changes = broadcast::Sender::new(CHANGES_KEPT);
        let listener = Listener {
            config: driver,
            tls,
            channel: format!(r#"LISTEN "{}""#, channel(&config.schema)),
            changes: changes.clone(),
            patience: config.connect_timeout,
        };
        let mut tasks = JoinSet::new();
        let (first, listening) = oneshot::channel();
        tasks.spawn(listener.run(first));
        listening.await.map_err(|_| unavailable("listening for changes ended at once"))??;
        tasks.spawn(sweeper::run(pool.clone(), Arc::clone(&statements)));
        let statement_timeout = config.statement_timeout;
        Ok(Self { pool, statements, schema: config.schema, changes, statement_timeout, _tasks: tasks })
    }

    /// Runs one statement, which is prepared once a connection.
    pub(crate) async fn query(&self, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let client = self.pool.get().await.map_err(translate_pool)?;
        let query = async {
            let prepared = client.prepare_cached(statement).await?;
            client.query(&prepared, values).await
        };
        match tokio::time::timeout(self.statement_timeout, query).await {
            Ok(Err(error)) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
                // The server is not the primary any more; another connection may lead to the one that is.
                discard(client);
                Err(translate(error))
            }
            Ok(answer) => answer.map_err(translate),
            Err(_) => {
                discard(client);
                Err(unavailable("PostgreSQL did not answer in time"))
            }
        }
    }
}

/// What nobody waits for any more the database gives up, too, rather than hold a lock or wait for one.
fn limit(statement_timeout: Duration) -> Hook {
    let set = format!("SET statement_timeout = {}", statement_timeout.as_millis().max(1));
    Hook::async_fn(move |client, _| {
        let set = set.clone();
        Box::pin(async move { client.batch_execute(&set).await.map_err(HookError::Backend) })
    })
}

/// Closes a connection that an answer is still owed on: the next statement would wait behind it.
fn discard(client: Client) {
    drop(Object::take(client));
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn create(&self, session: StoredSession) -> Result<()> {
        let StoredSession { id, expires_at, data, .. } = &session;
        if !StoredSession::is_id(id) {
            let message = format!("create record {id:?}: an id is 1 to 128 characters of [A-Za-z0-9_-]");
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let rows = self.query(&self.statements.create, &[id, &millis(*expires_at), &data.as_ref()]).await?;
        if rows.is_empty() {
            let message = format!("create record {id:?}: a record with this id exists");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        Ok(())
    }

    async fn load(&self, id: &str) -> Result<Option<StoredSession>> {
        if !StoredSession::is_id(id) {
            return Ok(None);
        }
        let rows = self.query(&self.statements.load, &[&id]).await?;
        Ok(rows.first().map(session))
    }

    async fn save(&self, session: StoredSession) -> Result<u64> {
        let StoredSession { id, revision, expires_at, data } = &session;
        let missing = || Error::new(ErrorKind::NotFound, format!("save record {id:?}: there is no such record"));
        if !StoredSession::is_id(id) {
            return Err(missing());
        }
        // A revision that no record can have.
        let known = i64::try_from(*revision).unwrap_or(-1);
        let values: [&(dyn ToSql + Sync); 4] = [id, &known, &millis(*expires_at), &data.as_ref()];
        let rows = self.query(&self.statements.save, &values).await?;
        let revisions = rows.first().map(|row| (row.get::<_, Option<i64>>(0), row.get::<_, Option<i64>>(1)));
        match revisions {
            Some((Some(saved), _)) => Ok(u64::try_from(saved).unwrap_or(0)),
            Some((None, Some(kept))) => Err(Error::new(
                ErrorKind::Conflict,
                format!("save record {id:?}: it has another revision by now ({kept} or later), not {revision}"),
            )),
            _ => Err(missing()),
        }
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        if !StoredSession::is_id(id) {
            return Ok(false);
        }
        Ok(!self.query(&self.statements.delete, &[&id]).await?.is_empty())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredSession>> {
        if !(prefix.is_empty() || StoredSession::is_id(prefix)) {
            return Ok(Vec::new());
        }
        let rows = self.query(&self.statements.list, &[&prefix]).await?;
        Ok(rows.iter().map(session).collect())
    }

    fn changes(&self) -> Option<broadcast::Receiver<RecordChange>> {
        Some(self.changes.subscribe())
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("schema", &self.schema).finish_non_exhaustive()
    }
}
