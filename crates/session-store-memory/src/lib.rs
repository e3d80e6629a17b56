//! Keeps session records in this process's memory.
//!
//! Records are gone when the process ends; a gateway that must keep sessions over a restart, or
//! share them with another replica, needs another store.

mod memory_store;

pub use memory_store::MemoryStore;
