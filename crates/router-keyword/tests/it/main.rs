//! The router, from outside.

mod catalogue;
mod conformance;
mod ranking;
mod sharing;
