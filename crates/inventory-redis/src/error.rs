//! Redis' failures → ours.

use gateway_core::{Error, ErrorKind, Retry};
use redis::RedisError;

/// What went wrong, without anything of the URL: what Redis and the network say of themselves names no password.
pub(crate) fn from_redis(doing: &'static str, error: RedisError) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot {doing} in Redis: {error}"))
        .with_retry(Retry::Safe)
        .with_source(error)
}

/// A URL that can never work.
pub(crate) fn bad_url(error: &RedisError) -> Error {
    // The text of the URL itself stands in none of these messages but that of a parameter.
    let why = match error.detail() {
        Some(_) => "it has a part that is not understood".to_owned(),
        None => error.to_string(),
    };
    let message = format!(
        "the URL of Redis is not usable ({why}): write redis://[user][:password]@host[:port][/db], or rediss:// for TLS"
    );
    Error::new(ErrorKind::InvalidRequest, message)
}
