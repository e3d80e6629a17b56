//! What the official conformance suite asks of a server under test, in both eras.
//!
//! The names and texts are the suite's. What asks the client something (elicitation, sampling, roots) is
//! written once, as a [`dialogue`]: a legacy client gets requests in the middle of the call, a modern one
//! an `input_required` result and calls again.

mod answer;
mod complete;
mod custom_header;
mod declarations;
mod dialogue;
mod prompts;
mod resources;
mod seal;
mod session;
mod streams;
mod tools;

pub(super) use answer::result;
pub(super) use custom_header::{check as check_custom_header, decoded};
pub(super) use declarations::{CAPABILITIES, prompts, tools};
pub(super) use session::Session;
pub(super) use streams::{Body, Place, Streams};
