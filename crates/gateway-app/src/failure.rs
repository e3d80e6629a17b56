//! What an operating system refused.

use std::io;

use gateway_core::{Error, ErrorKind};

/// The failure to do `what`; reads after "failed to".
pub(crate) fn failure(what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("{what}: {error}")).with_source(error)
}
