//! The router, from outside.

mod catalogue;
mod conformance;
mod degrading;
mod ranking;
