//! The engine with fakes.

mod calls;
mod catalogue;
mod connections;
mod sessions;
mod support;
