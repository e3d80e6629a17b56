//! The router, from outside.

mod conformance;
