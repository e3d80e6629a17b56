//! The router and its models, from outside.

mod catalogue;
mod conformance;
mod fake_api;
mod fake_model;
mod hostile;
mod judging;
mod limits;
mod log;
mod protocols;
mod sharing;
mod trouble;
