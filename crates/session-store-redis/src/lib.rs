//! Keeps session records and usage in Redis.
//!
//! Every change of a record is one script: the record, the index that lists are made of, and the word to other
//! gateways change together or not at all. Records end by the clock of Redis. How much of them outlives Redis itself is
//! as Redis is configured: with `appendonly yes` and `appendfsync everysec` a crash loses a second, and a
//! `maxmemory-policy` other than `noeviction` or `volatile-…` may lose any.

mod config;
mod error;
mod link;
mod listener;
mod names;
mod redis_store;
mod scripts;
mod sweeper;
mod usage;

pub use config::RedisStoreConfig;
pub use redis_store::RedisStore;
