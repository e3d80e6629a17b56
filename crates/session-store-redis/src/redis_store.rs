//! The store.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{Error, ErrorKind, RecordChange, Result, SessionStore, StoredSession};
use redis::{RedisResult, ScriptInvocation, Value};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::config::RedisStoreConfig;
use crate::error::unavailable;
use crate::link::{Link, Once, Question};
use crate::names::Names;
use crate::scripts::Scripts;
use crate::{listener, sweeper};

/// How many changes a receiver may be behind.
const CHANGES_KEPT: usize = 1024;

/// How many records a list asks Redis for at once.
const LISTED_AT_ONCE: usize = 256;

/// Revision, end and data of a record as Redis has them.
type Fields = (Option<String>, Option<i64>, Option<Vec<u8>>);

/// Keeps session records and usage in Redis.
///
/// Connects when it is first needed. While Redis is away, every method fails with
/// [`Unavailable`](ErrorKind::Unavailable) and goes on by itself afterwards; whoever listens for
/// [`changes`](SessionStore::changes) hears then that anything may be another.
pub struct RedisStore {
    pub(crate) link: Arc<Link>,
    pub(crate) names: Arc<Names>,
    scripts: Arc<Scripts>,
    changes: broadcast::Sender<RecordChange>,
    pub(crate) usage_ttl: Duration,
    /// What listens and what sweeps; they end with the store.
    _tasks: JoinSet<()>,
}

impl RedisStore {
    /// A store in this Redis, which need not be there yet. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where the configuration cannot be used.
    pub fn new(config: RedisStoreConfig) -> Result<Self> {
        config.check()?;
        let link = Arc::new(Link::new(&config)?);
        let names = Arc::new(Names::new(config.prefix));
        let scripts = Arc::new(Scripts::new());
        let changes = broadcast::Sender::new(CHANGES_KEPT);
        let mut tasks = JoinSet::new();
        tasks.spawn(listener::run(link.clone(), names.changes.clone(), changes.clone()));
        tasks.spawn(sweeper::run(link.clone(), names.clone(), scripts.clone()));
        Ok(Self { link, names, scripts, changes, usage_ttl: config.usage_ttl, _tasks: tasks })
    }

    /// The keys and values that a record is written with. The token tells our own writing from another's where the answer to
    /// it was lost.
    fn written<'a>(&self, script: &'a redis::Script, session: &StoredSession) -> ScriptInvocation<'a> {
        let mut written = script.prepare_invoke();
        written.key(self.names.record(&session.id)).key(&self.names.index).key(&self.names.ends);
        written.arg(&session.id).arg(millis(session.expires_at)).arg(session.data.as_ref());
        written.arg(Uuid::new_v4().simple().to_string()).arg(&self.names.changes);
        written
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn create(&self, session: StoredSession) -> Result<()> {
        let id = &session.id;
        if !StoredSession::is_id(id) {
            let message = format!("create record {id:?}: an id is 1 to 128 characters of [A-Za-z0-9_-]");
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let create = self.written(&self.scripts.create, &session);
        if self.link.ask(Question::Script(&create)).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, format!("create record {id:?}: a record with this id exists")))
    }

    async fn load(&self, id: &str) -> Result<Option<StoredSession>> {
        if !StoredSession::is_id(id) {
            return Ok(None);
        }
        let mut ask = redis::cmd("HMGET");
        ask.arg(self.names.record(id)).arg(&["r", "e", "d"]);
        let fields = self.link.ask(Question::Command(&ask)).await?;
        Ok(record(id, fields))
    }

    async fn save(&self, session: StoredSession) -> Result<u64> {
        let (id, revision) = (&session.id, session.revision);
        let missing = || Error::new(ErrorKind::NotFound, format!("save record {id:?}: there is no such record"));
        if !StoredSession::is_id(id) {
            return Err(missing());
        }
        let mut save = self.written(&self.scripts.save, &session);
        save.arg(revision.to_string()).arg(revision.saturating_add(1).to_string());
        let answer: Option<(String, u64)> = self.link.ask(Question::Script(&save)).await?;
        match answer {
            Some((what, saved)) if what == "saved" => Ok(saved),
            Some((_, kept)) => Err(Error::new(
                ErrorKind::Conflict,
                format!("save record {id:?}: it has revision {kept} by now, not {revision}"),
            )),
            None => Err(missing()),
        }
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        if !StoredSession::is_id(id) {
            return Ok(false);
        }
        let mut delete = self.scripts.delete.prepare_invoke();
        delete.key(self.names.record(id)).key(&self.names.index).key(&self.names.ends);
        delete.arg(id).arg(&self.names.changes);
        let ask = Question::Script(&delete);
        match self.link.ask_once(ask).await? {
            Once::Done(deleted) => Ok(deleted),
            Once::Closed(closed) => match self.link.ask(ask).await? {
                true => Ok(true),
                // It is gone; whether there was one, nobody can say any more.
                false => Err(closed),
            },
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredSession>> {
        if !(prefix.is_empty() || StoredSession::is_id(prefix)) {
            return Ok(Vec::new());
        }
        let mut ask = redis::cmd("ZRANGEBYLEX");
        // `~` comes after every character of an id.
        ask.arg(&self.names.index).arg(format!("[{prefix}")).arg(format!("({prefix}~"));
        let ids: Vec<String> = self.link.ask(Question::Command(&ask)).await?;
        let mut records = Vec::with_capacity(ids.len());
        for ids in ids.chunks(LISTED_AT_ONCE) {
            let mut pipeline = redis::pipe();
            for id in ids {
                pipeline.cmd("HMGET").arg(self.names.record(id)).arg(&["r", "e", "d"]);
            }
            pipeline.ignore_errors();
            let answers: Vec<RedisResult<Value>> = self.link.ask(Question::Pipeline(&pipeline)).await?;
            for (id, answer) in ids.iter().zip(answers) {
                records.extend(listed(id, answer)?);
            }
        }
        Ok(records)
    }

    fn changes(&self) -> Option<broadcast::Receiver<RecordChange>> {
        Some(self.changes.subscribe())
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.names.records()).finish_non_exhaustive()
    }
}

/// A record of a list, unless it is missing. What is none must not hide the others.
fn listed(id: &str, answer: RedisResult<Value>) -> Result<Option<StoredSession>> {
    let fields: Fields = match answer {
        Err(error) if error.code() != Some("WRONGTYPE") => return Err(unavailable(error)),
        Err(_) => Default::default(),
        Ok(fields) => redis::from_redis_value(fields).unwrap_or_default(),
    };
    let record = record(id, fields);
    if record.is_none() {
        tracing::debug!(id, "a record has ended, or something else is kept under its name");
    }
    Ok(record)
}

/// A record, unless it is missing.
fn record(id: &str, fields: Fields) -> Option<StoredSession> {
    let (Some(revision), Some(end), Some(data)) = fields else { return None };
    let revision = revision.parse().ok()?;
    Some(StoredSession { id: id.to_owned(), revision, expires_at: time(end), data: Bytes::from(data) })
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
