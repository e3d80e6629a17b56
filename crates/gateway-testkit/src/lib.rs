//! The behaviours every backend must show, as runnable suites; fakes; a reference upstream server.

pub mod reference;
