//! SQLite's errors in the gateway's terms.

use std::path::Path;

use gateway_core::{Error, ErrorKind, Retry};
use rusqlite::ErrorCode;

/// What SQLite says, for the caller; the file's name only for the log.
pub(crate) fn translate(path: &Path, doing: &str, error: rusqlite::Error) -> Error {
    let (kind, why) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (ErrorKind::Unavailable, "another process keeps it locked".to_owned())
        }
        Some(ErrorCode::DiskFull) => {
            (ErrorKind::Unavailable, "the disk, or what the database may take of it, is full".to_owned())
        }
        Some(ErrorCode::ReadOnly) => (ErrorKind::Unavailable, "the file may not be written to".to_owned()),
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OutOfMemory,
        ) => (ErrorKind::Unavailable, error.to_string()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (ErrorKind::Internal, "its file is damaged; stop the gateway and restore it from a backup".to_owned())
        }
        _ => (ErrorKind::Internal, "SQLite refused".to_owned()),
    };
    let retry = if kind == ErrorKind::Unavailable { Retry::Safe } else { Retry::Never };
    Error::new(kind, format!("cannot {doing} the database: {why}"))
        .with_retry(retry)
        .with_context("database", path.display().to_string())
        .with_source(error)
}

/// A file that must not be used, for whoever starts the gateway.
pub(crate) fn refused(path: &Path, found: &str, remedy: &str) -> Error {
    let path = path.display();
    Error::new(ErrorKind::Conflict, format!("the database {path} {found}; nothing in it was changed: {remedy}"))
}

/// A file or folder that cannot be made or read.
pub(crate) fn unusable(path: &Path, doing: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot {doing} {}: {error}", path.display())).with_source(error)
}
