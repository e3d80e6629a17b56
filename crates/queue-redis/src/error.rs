//! Redis' errors become the gateway's.

use gateway_core::{Error, ErrorKind};
use redis::RedisError;

/// What a failure of Redis means: that it cannot be used now, and why. The text is Redis' own; no address and no password is in it.
pub(crate) fn unavailable(error: RedisError) -> Error {
    let reason = reason(&error);
    Error::new(ErrorKind::Unavailable, format!("the queue's Redis cannot be used: {reason}")).with_source(error)
}

/// Why, where there is no error of Redis.
pub(crate) fn unavailable_because(reason: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the queue's Redis cannot be used: {reason}"))
}

fn reason(error: &RedisError) -> String {
    if error.is_timeout() {
        return "it does not answer".to_owned();
    }
    if error.kind() == redis::ErrorKind::AuthenticationFailed {
        return "the user or the password in the URL is wrong".to_owned();
    }
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    };
    // Redis says which line of a script it was, which tells an operator nothing.
    let text = text.split(" script: ").next().unwrap_or_default();
    let hint = [
        ("WRONGTYPE", "something else is kept under a name of the queue"),
        ("OOM", "it has no memory left (maxmemory)"),
        ("READONLY", "it is a replica; the address must be that of the primary"),
        ("LOADING", "it is still loading its data"),
        ("NOAUTH", "it wants a password, and the URL has none"),
        ("WRONGPASS", "the user or the password in the URL is wrong"),
        ("NOPERM", "its user may not do that"),
        ("The user executing the script can't", "its user may not do that"),
        ("MISCONF", "it cannot write to its disk"),
        ("CROSSSLOT", "it is a cluster, which is not supported"),
        ("MOVED", "it is a cluster, which is not supported"),
    ];
    match hint.iter().find(|(code, _)| text.contains(code)) {
        Some((_, meaning)) => format!("{meaning} ({text})"),
        None => text.to_owned(),
    }
}
