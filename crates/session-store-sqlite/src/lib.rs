//! Keeps session records and usage in an SQLite database.
