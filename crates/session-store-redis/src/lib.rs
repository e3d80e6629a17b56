//! Keeps session records and usage in Redis.
