//! The driver's errors in the gateway's words.

use gateway_core::{Error, ErrorKind, Retry};

/// What the driver's errors have in common.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// NATS could not be asked, or refused. What it said is for the log.
pub(crate) fn unavailable<E: Into<Source>>(doing: &'static str) -> impl Fn(E) -> Error {
    move |error| {
        Error::new(ErrorKind::Unavailable, format!("cannot {doing}: NATS cannot be reached or refuses"))
            .with_retry(Retry::Safe)
            .with_source(error)
    }
}

/// NATS did not answer in time.
pub(crate) fn too_slow(doing: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot {doing}: NATS does not answer in time")).with_retry(Retry::Safe)
}

/// A claim is no longer the caller's.
pub(crate) fn lost() -> Error {
    Error::new(ErrorKind::Conflict, "the claim is gone: its lease has ended, or it has been settled")
}
