//! Encrypts session records on their way into another store.
