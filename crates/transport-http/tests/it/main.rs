//! The HTTP transport against small servers that behave, and against ones that don't.

mod answers;
mod conformance;
mod ends;
mod fallback;
mod faults;
mod peer;
mod streams;
