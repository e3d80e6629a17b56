//! The queue against the behaviours of its contract.

mod bounds;
mod conformance;
