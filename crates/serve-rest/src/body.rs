//! Reading request bodies.

use axum::extract::Request;
use bytes::Bytes;
use http_server::{Caller, check_json_type, read_body};
use hyper::body::Body as _;
use serde::Deserialize;

use crate::door::Door;
use crate::problem::Problem;

/// Limit of bodies that hold only a few words.
pub(crate) const SMALL_LIMIT: usize = 64 * 1024;

/// Reads a JSON body of at most `limit` bytes. The text is JSON of a bearable depth, not yet parsed.
pub(crate) async fn read_json(door: &Door, caller: &Caller, request: Request, limit: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    check_json_type(&parts.headers, caller.page)?;
    let limits = door.config().body.of_at_most(limit);
    Ok(read_body(&door.gateway, caller, &parts.headers, body, limits).await?)
}

/// Reads a JSON body that may be missing altogether.
pub(crate) async fn read_optional_json(
    door: &Door,
    caller: &Caller,
    request: Request,
    limit: usize,
) -> Result<Option<Bytes>, Problem> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(None);
    }
    let limits = door.config().body.of_at_most(limit);
    let text = read_body(&door.gateway, caller, &parts.headers, body, limits).await?;
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    check_json_type(&parts.headers, caller.page)?;
    Ok(Some(text))
}

/// Parses a body into what the endpoint takes, which may borrow from it.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a Bytes) -> Result<T, Problem> {
    serde_json::from_slice(text).map_err(|error| {
        Problem::invalid(match error.classify() {
            serde_json::error::Category::Data => format!("the body is not what this endpoint takes: {error}"),
            _ => format!("the body is not valid JSON: {error}"),
        })
    })
}
