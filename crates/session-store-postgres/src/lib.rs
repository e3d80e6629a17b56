//! Keeps session records and usage in PostgreSQL.
