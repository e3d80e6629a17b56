//! Keeps session records and usage in an SQLite database.
//!
//! One file, written ahead (WAL) and synchronised at every commit: what has been answered is on the disk, so that a
//! crash or a power cut loses nothing but what was still under way. Several processes of one machine may
//! share the file.

mod config;
mod error;
mod open;
mod records;
mod schema;
mod sqlite_store;
mod usage;
mod worker;

pub use config::SqliteConfig;
pub use sqlite_store::SqliteStore;
