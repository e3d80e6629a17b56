//! The store against the behaviours of its contract.

mod conformance;
