//! Files that must not be used: each is refused in words that help, and left as it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gateway_core::{Error, ErrorKind, SessionStore};
use rusqlite::Connection;
use session_store_sqlite::{SqliteConfig, SqliteStore};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{open, record};

/// The files in a folder, but for the memory that SQLite shares, which says nothing that is kept.
fn hashes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    files
        .filter(|path| !path.to_string_lossy().ends_with("-shm"))
        // An empty log holds nothing, either.
        .filter(|path| !path.to_string_lossy().ends_with("-wal") || fs::metadata(path).is_ok_and(|file| file.len() > 0))
        .map(|path| (path.clone(), Sha256::digest(fs::read(&path).expect("read")).to_vec()))
        .collect()
}

/// Opening must fail with all these words, and change nothing.
fn check_refused(folder: &Path, path: &Path, words: &[&str]) -> Error {
    let before = hashes(folder);
    let error = SqliteStore::open(SqliteConfig::new(path)).expect_err("it must be refused");
    let message = error.message();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    for word in words.iter().chain(&[path.to_str().expect("UTF-8"), "nothing in it was changed"]) {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert_eq!(hashes(folder), before, "the files after {message:?}");
    error
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    (folder, path)
}

/// A database of ours with a record, all in one file.
async fn ours(path: &Path) {
    let store = open(path);
    for number in 0..50 {
        store.create(record(&format!("sess_{number}"), vec![b'x'; 4000])).await.expect("created");
    }
    drop(store);
    let connection = Connection::open(path).expect("opened");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("in the file");
}

#[test]
fn a_file_that_is_no_database() {
    for content in [b"{\"mcpServers\": {}}".to_vec(), vec![0; 4096], b"SQLite format 3\0".to_vec()] {
        let (folder, path) = folder();
        fs::write(&path, content).expect("written");
        check_refused(folder.path(), &path, &["is not an SQLite database", "another file"]);
    }
}

#[test]
fn a_folder() {
    let (folder, path) = folder();
    let error = SqliteStore::open(SqliteConfig::new(folder.path())).expect_err("a folder");
    assert!(error.message().contains("is not a file"), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_database_of_another_program_that_says_so() {
    let (folder, path) = folder();
    let other = Connection::open(&path).expect("opened");
    other
        .execute_batch("PRAGMA application_id = 252006674; CREATE TABLE record (x); PRAGMA user_version = 1")
        .expect("made");
    drop(other);
    check_refused(folder.path(), &path, &["another program", "application_id is 252006674"]);
}

#[test]
fn a_database_of_another_program_that_does_not_say_so() {
    let (folder, path) = folder();
    let other = Connection::open(&path).expect("opened");
    other.execute_batch("CREATE TABLE bookmarks (x); PRAGMA user_version = 1").expect("made");
    drop(other);
    check_refused(folder.path(), &path, &["another program", "no application_id", "1 tables"]);
}

#[tokio::test]
async fn a_newer_database() {
    let (folder, path) = folder();
    ours(&path).await;
    let newer = Connection::open(&path).expect("opened");
    newer.execute_batch("PRAGMA user_version = 7").expect("made newer");
    newer.close().expect("closed");
    check_refused(folder.path(), &path, &["newer gateway", "version 7", "knows 1"]);
}

#[tokio::test]
async fn a_database_that_is_newer_in_its_log_only() {
    let (folder, path) = folder();
    ours(&path).await;
    let newer = Connection::open(&path).expect("opened");
    newer.execute_batch("PRAGMA user_version = 7").expect("made newer");
    // As after a crash: the log is there, and nobody has the file open.
    let crashed = folder.path().join("crashed");
    fs::create_dir(&crashed).expect("a folder");
    for name in ["gateway.db", "gateway.db-wal"] {
        fs::copy(path.with_file_name(name), crashed.join(name)).expect("copied");
    }
    check_refused(&crashed, &crashed.join("gateway.db"), &["newer gateway", "version 7"]);
}

#[tokio::test]
async fn a_damaged_database() {
    let (folder, path) = folder();
    ours(&path).await;
    let mut bytes = fs::read(&path).expect("read");
    let length = bytes.len();
    // The header stays; of the rest every second page is noise.
    for page in (4096..length).step_by(8192) {
        bytes[page..page + 4096].fill(0xA5);
    }
    fs::write(&path, bytes).expect("written");
    check_refused(folder.path(), &path, &["is damaged", "backup"]);
}

#[tokio::test]
async fn a_database_that_was_cut_off() {
    let (folder, path) = folder();
    ours(&path).await;
    let file = fs::OpenOptions::new().write(true).open(&path).expect("opened");
    file.set_len(3 * 4096).expect("cut off");
    check_refused(folder.path(), &path, &["is damaged", "backup"]);
}

#[tokio::test]
async fn an_empty_file_and_an_empty_database_are_nobodys() {
    let (_folder, path) = folder();
    fs::write(&path, "").expect("written");
    open(&path).create(record("sess_1", "x")).await.expect("created");
    let (_folder, path) = self::folder();
    let empty = Connection::open(&path).expect("opened");
    empty.execute_batch("CREATE TABLE x (x); DROP TABLE x").expect("made");
    drop(empty);
    open(&path).create(record("sess_1", "x")).await.expect("created");
}

#[test]
fn a_place_where_no_file_can_be() {
    let error = SqliteStore::open(SqliteConfig::new("/proc/nowhere/gateway.db")).expect_err("no folder there");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("/proc/nowhere"), "{error}");
}
