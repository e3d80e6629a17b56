//! `cargo xtask tidy`: the house rules that a program can check.
//!
//! - `lexer` turns Rust text into tokens, and `source` finds functions, tests and items among them;
//! - `rules` judges one source file, `manifest` one `Cargo.toml`, `layers` the arrows between crates,
//!   `purity` what `gateway-core` draws in, `layout` the top level of the repository;
//! - `table` generates the table of crates in `docs/architecture.md`;
//! - `check` runs them all.

mod check;
mod finding;
mod layers;
mod layout;
mod lexer;
mod manifest;
mod purity;
mod rules;
mod source;
mod table;

pub use check::{Generated, run};
