//! The transport against the reference server, and against a peer whose every byte the test decides.

mod answers;
mod conformance;
mod ends;
mod faults;
mod peer;
