//! Typed Rust client of the gateway's REST door.
