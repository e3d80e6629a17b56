//! The driver's errors in the gateway's words.

use gateway_core::{Error, ErrorKind, Retry};

/// RabbitMQ could not be asked, or refused. What it said is for the log.
pub(crate) fn unavailable(doing: &'static str, error: lapin::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot {doing}: RabbitMQ cannot be reached or refuses"))
        .with_retry(Retry::Safe)
        .with_source(error)
}

/// RabbitMQ did not answer in time.
pub(crate) fn too_slow(doing: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot {doing}: RabbitMQ does not answer in time"))
        .with_retry(Retry::Safe)
}

/// A claim is no longer the caller's.
pub(crate) fn lost() -> Error {
    Error::new(ErrorKind::Conflict, "the claim is gone: its lease has ended, or it has been settled")
}
