//! Keeps session records and usage in PostgreSQL.
//!
//! Any number of gateways share one schema. Records end by the clock of the database, which is the same for all of
//! them, and what one has changed the others are told by `NOTIFY`.

mod config;
mod error;
mod listener;
mod postgres_store;
mod records;
mod schema;
mod sweeper;
mod tls;
mod usage;

pub use config::PostgresConfig;
pub use postgres_store::PostgresStore;
