//! Encrypts session records on their way into another store.
//!
//! What a record says is sealed with XChaCha20-Poly1305 under a random nonce and bound to the record's id: who can read the
//! store below learns ids, ends of life, revisions and lengths, and who can write to it can take records
//! away or bring an old state of one back, but can neither change one nor pass one off as another.

mod key_file;
mod sealed_store;
mod sealing_keys;

pub use sealed_store::SealedStore;
pub use sealing_keys::SealingKeys;
