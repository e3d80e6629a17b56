//! The measuring, from outside.

mod conformance;
mod data;
mod sample;
