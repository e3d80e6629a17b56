//! Requests that are answered later.

use gateway_core::RawJson;
use utoipa::ToSchema;

/// A request that is queued.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "written by hand; the type is for OpenAPI")]
pub(crate) struct QueuedAnswer {
    /// The request's id.
    pub request_id: String,
    /// `queued`; of a request that was sent before, where it is by now.
    pub status: String,
    /// Unix time in seconds.
    pub timestamp: f64,
    /// The session, where the request named one.
    #[schema(nullable = false)]
    pub session_id: Option<String>,
}

/// A request that was queued, and its answer.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "written by hand; the type is for OpenAPI")]
pub(crate) struct RequestAnswer {
    /// The request's id.
    pub request_id: String,
    /// `queued`, `processing`, `completed` or `error`.
    pub status: String,
    /// The job as it was queued.
    #[schema(value_type = Object)]
    pub request: RawJson,
    /// What it was answered, once it was: the answer of its own path, or the body of a failure.
    #[schema(value_type = Object, required = false, nullable = false)]
    pub response: Option<RawJson>,
}
