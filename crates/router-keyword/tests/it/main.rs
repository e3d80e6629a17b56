//! The router, from outside.

mod catalogue;
mod conformance;
mod languages;
mod ranking;
mod sharing;
