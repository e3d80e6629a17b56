//! Where the database is.

use std::path::PathBuf;
use std::time::Duration;

/// Where the database is, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteConfig {
    /// The file. It is created where there is none, with its folder, for this user only.
    pub path: PathBuf,
    /// How long to wait for another process that writes to the same file.
    pub busy_timeout: Duration,
    /// How large the file may become. A full one refuses to be written to, and can still be read and deleted from.
    pub max_bytes: Option<u64>,
}

impl SqliteConfig {
    /// A database in this file, as large as the disk allows.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), busy_timeout: Duration::from_secs(5), max_bytes: None }
    }
}
