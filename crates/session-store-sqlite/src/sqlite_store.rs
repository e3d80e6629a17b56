//! The store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, RecordChange, Result, SessionStore, StoredSession};
use rusqlite::Connection;
use tokio::sync::broadcast;

use crate::config::SqliteConfig;
use crate::error::translate;
use crate::open::{Opened, open};
use crate::records::{self, Saved};
use crate::worker::Worker;

/// How often expired records are removed.
const SWEEP: Duration = Duration::from_secs(10);

/// How many changes a receiver may be behind.
const CHANGES_KEPT: usize = 1024;

/// Keeps session records and usage in an SQLite database.
///
/// Two threads of its own do the work, one for what writes and one for what only reads, so that no task of the
/// runtime ever waits for the disk. What another process has changed in the same file is told of within
/// half a second.
pub struct SqliteStore {
    path: PathBuf,
    writer: Worker,
    reader: Worker,
    /// Whose changes are our own, in the file.
    writer_id: i64,
    changes: broadcast::Sender<RecordChange>,
}

impl SqliteStore {
    /// Opens the database, and creates it where there is none. Blocks for as long as the file takes to be checked.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) where the file is damaged, or no SQLite database, or of another program or a newer
    /// gateway: it was not changed. [`Unavailable`](ErrorKind::Unavailable) where it cannot be opened
    /// or written to.
    pub fn open(config: SqliteConfig) -> Result<Self> {
        let Opened { writer, reader } = open(&config)?;
        let path = config.path;
        let mark = |connection: &Connection| {
            let id: i64 = connection.query_row("SELECT random()", [], |row| row.get(0))?;
            Ok((id, records::last_change(connection)?))
        };
        let (writer_id, seq) = mark(&writer).map_err(|error| translate(&path, "read", error))?;
        let changes = broadcast::Sender::new(CHANGES_KEPT);
        let mut watch = Watch { writer_id, seq, changes: changes.clone(), swept: Instant::now() };
        let writer = Worker::start(&path, writer, move |connection| watch.look(connection))?;
        let reader = Worker::start(&path, reader, |_| {})?;
        Ok(Self { path, writer, reader, writer_id, changes })
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.reader.run(work).await?.map_err(|error| translate(&self.path, "read", error))
    }

    pub(crate) async fn write<T, F>(&self, doing: &str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer.run(work).await?.map_err(|error| translate(&self.path, doing, error))
    }

    /// Tells of a change of our own.
    fn teller(&self, id: &str) -> impl FnOnce() + Send + use<> {
        let (changes, id) = (self.changes.clone(), Arc::from(id));
        // Nobody may be listening.
        move || drop(changes.send(RecordChange::One(id)))
    }
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn create(&self, session: StoredSession) -> Result<()> {
        let id = session.id.clone();
        if !StoredSession::is_id(&id) {
            let message = format!("create record {id:?}: an id is 1 to 128 characters of [A-Za-z0-9_-]");
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let (writer_id, tell) = (self.writer_id, self.teller(&id));
        let create = move |connection: &mut Connection| {
            let created = records::create(connection, writer_id, &session)?;
            if created {
                tell();
            }
            Ok(created)
        };
        if self.write("write to", create).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, format!("create record {id:?}: a record with this id exists")))
    }

    async fn load(&self, id: &str) -> Result<Option<StoredSession>> {
        let id = id.to_owned();
        self.read(move |connection| records::load(connection, &id)).await
    }

    async fn save(&self, session: StoredSession) -> Result<u64> {
        let (id, revision) = (session.id.clone(), session.revision);
        let (writer_id, tell) = (self.writer_id, self.teller(&id));
        let save = move |connection: &mut Connection| {
            let saved = records::save(connection, writer_id, &session)?;
            if matches!(saved, Saved::As(_)) {
                tell();
            }
            Ok(saved)
        };
        match self.write("write to", save).await? {
            Saved::As(revision) => Ok(revision),
            Saved::HasRevision(kept) => Err(Error::new(
                ErrorKind::Conflict,
                format!("save record {id:?}: it has revision {kept} by now, not {revision}"),
            )),
            Saved::Missing => {
                Err(Error::new(ErrorKind::NotFound, format!("save record {id:?}: there is no such record")))
            }
        }
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        let (writer_id, tell, id) = (self.writer_id, self.teller(id), id.to_owned());
        let delete = move |connection: &mut Connection| {
            let deleted = records::delete(connection, writer_id, &id)?;
            if deleted {
                tell();
            }
            Ok(deleted)
        };
        self.write("delete from", delete).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredSession>> {
        let prefix = prefix.to_owned();
        self.read(move |connection| records::list(connection, &prefix)).await
    }

    fn changes(&self) -> Option<broadcast::Receiver<RecordChange>> {
        Some(self.changes.subscribe())
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What the writer does now and then: tells of others' changes, and removes what has expired.
struct Watch {
    writer_id: i64,
    /// The last change that was told of.
    seq: i64,
    changes: broadcast::Sender<RecordChange>,
    swept: Instant,
}

impl Watch {
    fn look(&mut self, connection: &mut Connection) {
        match records::changes_after(connection, self.seq) {
            Ok(changes) => self.tell(changes),
            Err(error) => tracing::debug!(%error, "cannot look for changes in the database"),
        }
        if self.swept.elapsed() >= SWEEP {
            self.swept = Instant::now();
            if let Err(error) = records::sweep(connection) {
                tracing::debug!(%error, "cannot remove expired records from the database");
            }
        }
    }

    fn tell(&mut self, changes: Vec<(i64, String, i64)>) {
        let Some((first, ..)) = changes.first() else { return };
        // Nobody may be listening.
        if *first > self.seq + 1 {
            let _ = self.changes.send(RecordChange::Any);
        }
        for (seq, id, writer) in changes {
            self.seq = seq;
            if writer != self.writer_id {
                let _ = self.changes.send(RecordChange::One(id.into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::open;

    struct Case {
        _folder: tempfile::TempDir,
        connection: Connection,
        watch: Watch,
        heard: broadcast::Receiver<RecordChange>,
    }

    fn case() -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open(&SqliteConfig::new(folder.path().join("gateway.db"))).expect("opened");
        let (changes, heard) = broadcast::channel(CHANGES_KEPT * 4);
        let watch = Watch { writer_id: 1, seq: 0, changes, swept: Instant::now() };
        Case { _folder: folder, connection: opened.writer, watch, heard }
    }

    fn record(id: &str, end: std::time::SystemTime) -> StoredSession {
        StoredSession { id: id.to_owned(), revision: 1, expires_at: end, data: "x".into() }
    }

    #[test]
    fn others_changes_are_told_once_each_and_own_ones_not_again() {
        let Case { _folder, mut connection, mut watch, mut heard } = case();
        let end = std::time::SystemTime::now() + Duration::from_secs(60);
        for (writer, id) in [(1, "own"), (2, "other"), (1, "own-2"), (3, "other-2")] {
            assert!(records::create(&mut connection, writer, &record(id, end)).expect("created"));
        }
        watch.look(&mut connection);
        watch.look(&mut connection);
        for id in ["other", "other-2"] {
            assert_eq!(heard.try_recv().expect("told"), RecordChange::One(id.into()));
        }
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn who_missed_more_than_is_remembered_hears_that_anything_may_be_another() {
        let Case { _folder, mut connection, mut watch, mut heard } = case();
        let end = std::time::SystemTime::now() + Duration::from_secs(60);
        connection.pragma_update(None, "synchronous", "OFF").expect("faster");
        for number in 0..1100 {
            let record = record(&format!("sess_{number}"), end);
            assert!(records::create(&mut connection, 2, &record).expect("created"));
        }
        watch.look(&mut connection);
        assert_eq!(heard.try_recv().expect("told"), RecordChange::Any);
        let rows: i64 =
            connection.query_row("SELECT count(*) FROM record_change", [], |row| row.get(0)).expect("counted");
        assert_eq!(rows, 1024, "what is remembered");
    }

    #[test]
    fn what_has_expired_is_removed_now_and_then_and_what_lives_stays() {
        let Case { _folder, mut connection, mut watch, mut heard } = case();
        let now = std::time::SystemTime::now();
        records::create(&mut connection, 1, &record("sess_gone", now - Duration::from_secs(1))).expect("created");
        records::create(&mut connection, 1, &record("sess_lives", now + Duration::from_secs(60))).expect("created");
        let ids = |connection: &Connection| -> String {
            let ask = "SELECT group_concat(id, ' ') FROM (SELECT id FROM record ORDER BY id)";
            connection.query_row(ask, [], |row| row.get(0)).expect("asked")
        };
        watch.look(&mut connection);
        assert_eq!(ids(&connection), "sess_gone sess_lives", "it is not yet time");
        watch.swept = Instant::now().checked_sub(SWEEP).expect("the machine has run for a while");
        watch.look(&mut connection);
        assert_eq!(ids(&connection), "sess_lives");
        assert!(heard.try_recv().is_err(), "an end is no change");
    }
}
