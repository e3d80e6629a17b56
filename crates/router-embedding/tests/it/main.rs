//! The router, from outside.

mod catalogue;
mod conformance;
mod fake_service;
mod ranking;
mod service;
mod store;
