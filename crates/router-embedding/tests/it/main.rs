//! The router, from outside.

mod catalogue;
mod conformance;
mod fake_service;
#[cfg(feature = "minilm")]
mod minilm;
mod ranking;
mod service;
mod store;
