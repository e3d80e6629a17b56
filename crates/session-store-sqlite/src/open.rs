//! Opens the file, or says why it must not be used. A file that is refused is left as it was, to the byte.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use gateway_core::{Error, ErrorKind, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::config::SqliteConfig;
use crate::error::{refused, translate, unusable};
use crate::schema::{APPLICATION_ID, migrate, version, version_of};

const OTHER_FILE: &str = "name another file in data.dir or storage.sqlite.path, or move this one away";
const DAMAGED: &str = "restore it from a backup, or move it away to begin with an empty one";

/// A connection that writes, and one that only reads and need not wait for the other.
pub(crate) struct Opened {
    pub(crate) writer: Connection,
    pub(crate) reader: Connection,
}

pub(crate) fn open(config: &SqliteConfig) -> Result<Opened> {
    let path = &config.path;
    create_where_missing(path)?;
    check_header(path)?;
    let mut writer = connect(config)?;
    check_inside(path, &writer)?;
    prepare(config, &mut writer).map_err(|error| translate(path, "prepare", error))?;
    let reader = connect(config)?;
    reader.pragma_update(None, "query_only", true).map_err(|error| translate(path, "prepare", error))?;
    Ok(Opened { writer, reader })
}

/// Creates the file, and its folder, for nobody but this user.
fn create_where_missing(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| unusable(folder, "create the folder", error))?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unusable(path, "create the database", error)),
    }
    let metadata = fs::metadata(path).map_err(|error| unusable(path, "look at the database", error))?;
    if !metadata.is_file() {
        return Err(refused(path, "is not a file", OTHER_FILE));
    }
    if metadata.mode() & 0o077 != 0 {
        let mode = format!("{:o}", metadata.mode() & 0o777);
        tracing::warn!(path = %path.display(), mode, "other users may read or write the database; use chmod 600");
    }
    Ok(())
}

/// Looks at the file without SQLite, which might tidy up after a crash of its owner.
fn check_header(path: &Path) -> Result<()> {
    let mut header = Vec::new();
    let read = File::open(path).and_then(|file| file.take(100).read_to_end(&mut header));
    read.map_err(|error| unusable(path, "read the database", error))?;
    if header.is_empty() {
        return Ok(());
    }
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return Err(refused(path, "is not an SQLite database", OTHER_FILE));
    }
    let number = |at: usize| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    match number(68) {
        APPLICATION_ID => check_version(path, number(60)),
        0 => check_has_no_tables(path),
        other => {
            Err(refused(path, &format!("is a database of another program (its application_id is {other})"), OTHER_FILE))
        }
    }
}

/// A database that does not say whose it is: ours only where there is nothing in it.
fn check_has_no_tables(path: &Path) -> Result<()> {
    let count = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .and_then(|connection| connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)));
    match count {
        Ok(0_i64) => Ok(()),
        Ok(tables) => {
            let found =
                format!("is a database of another program (it has no application_id and {tables} tables and indexes)");
            Err(refused(path, &found, OTHER_FILE))
        }
        Err(error) => Err(refused(path, &format!("cannot be read ({error})"), DAMAGED)),
    }
}

fn check_version(path: &Path, found: i32) -> Result<()> {
    let known = version();
    if found <= known {
        return Ok(());
    }
    let found = format!("was written by a newer gateway (its schema has version {found}, this program knows {known})");
    Err(refused(path, &found, "start that gateway or a newer one, or name another file"))
}

fn connect(config: &SqliteConfig) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&config.path, flags).and_then(|connection| {
        connection.busy_timeout(config.busy_timeout)?;
        // Until it has been looked at, nothing may be moved from the log into the file.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(connection)
    });
    connection.map_err(|error| translate(&config.path, "open", error))
}

/// Looks at what SQLite sees, which is newer than the file where a log stands beside it.
fn check_inside(path: &Path, connection: &Connection) -> Result<()> {
    let damaged = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            refused(path, &format!("is damaged ({error})"), DAMAGED)
        }
        _ => translate(path, "check", error),
    };
    check_version(path, version_of(connection).map_err(damaged)?)?;
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(damaged)?;
    if verdict != "ok" {
        return Err(refused(path, &format!("is damaged ({})", verdict.trim()), DAMAGED));
    }
    if connection.is_readonly("main").map_err(damaged)? {
        return Err(Error::new(
            ErrorKind::Unavailable,
            format!("the database {} may not be written to: make the file and its folder writable", path.display()),
        ));
    }
    Ok(())
}

fn prepare(config: &SqliteConfig, connection: &mut Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    // First the tables: so the header says whose file it is before there is a log.
    migrate(connection)?;
    write_ahead(connection, config.busy_timeout)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is overwritten: sessions end, and what they said with them.
    connection.pragma_update(None, "secure_delete", true)?;
    if let Some(max_bytes) = config.max_bytes {
        let page: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(max_bytes.div_ceil(page)).unwrap_or(i64::MAX);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(())
}

/// Asked for while another process opens the file, SQLite answers at once that it is busy.
fn write_ahead(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let until = Instant::now() + patience;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(10));
            }
            answer => {
                // Where a file system cannot share memory, the old journal stays, which is as safe and slower.
                let mode = answer?;
                if mode != "wal" {
                    tracing::warn!(mode, "the database cannot be written ahead on this file system");
                }
                return Ok(());
            }
        }
    }
}
