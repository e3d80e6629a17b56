//! PostgreSQL's errors in the gateway's terms.

use deadpool_postgres::PoolError;
use gateway_core::{Error, ErrorKind, Retry};
use tokio_postgres::error::DbError;

/// What went wrong on the way to the database or inside it.
pub(crate) fn translate(error: tokio_postgres::Error) -> Error {
    let (kind, why) = match error.as_db_error() {
        Some(database) => (kind(database), format!("PostgreSQL says: {}", database.message())),
        // What the driver says by itself is short and of its own words; the cause has the operating system's.
        None => (ErrorKind::Unavailable, with_cause(&error)),
    };
    let message = match kind {
        ErrorKind::Unavailable => format!("cannot reach the session store: {why}"),
        _ => format!("the session store refused: {why}"),
    };
    Error::new(kind, message).with_retry(retry(kind)).with_source(error)
}

/// The same for a connection that could not be had.
pub(crate) fn translate_pool(error: PoolError) -> Error {
    match error {
        PoolError::Backend(error) => translate(error),
        PoolError::Timeout(_) => unavailable("no connection to PostgreSQL became free or was made in time"),
        other => unavailable(&other.to_string()),
    }
}

pub(crate) fn unavailable(why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot reach the session store: {why}")).with_retry(Retry::Safe)
}

fn retry(kind: ErrorKind) -> Retry {
    if kind == ErrorKind::Unavailable { Retry::Safe } else { Retry::Never }
}

/// By the class of the SQLSTATE: what is wrong with a statement or its data is our mistake, all else may pass.
fn kind(error: &DbError) -> ErrorKind {
    match &error.code().code()[..2] {
        "21" | "22" | "23" | "42" => ErrorKind::Internal,
        _ => ErrorKind::Unavailable,
    }
}

fn with_cause(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) if !error.to_string().contains(&cause.to_string()) => format!("{error}: {cause}"),
        _ => error.to_string(),
    }
}
