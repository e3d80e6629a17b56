//! The router round a real one, and its memory.

mod conformance;
mod learning;
mod persistence;
mod poison;
mod support;
