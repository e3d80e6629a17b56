//! Sessions.

use gateway_core::{RawJson, ServerState};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ByUuid, State};

/// A session to be made.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct CreateSessionBody<'a> {
    /// Whatever its maker wants to keep with it.
    #[serde(borrow)]
    #[schema(value_type = Object, required = false, nullable = false)]
    pub metadata: Option<&'a RawValue>,
    /// How long it lives without use, in seconds.
    #[schema(nullable = false, minimum = 1)]
    pub ttl_seconds: Option<u64>,
}

/// A session that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreateSessionAnswer<'a> {
    /// Always `true`.
    pub success: bool,
    /// Its id, for the header `X-Session-ID`.
    pub session_id: &'a str,
    /// When it was made.
    pub created_at: String,
    /// When it ends unless it is used.
    pub expires_at: String,
    /// What its maker keeps with it.
    #[schema(value_type = Object)]
    pub metadata: &'a RawJson,
    /// How many servers it begins with.
    pub servers_loaded: usize,
    /// Their names, by UUID.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub servers: ByUuid<&'a str>,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionAnswer<'a> {
    /// Its id.
    pub session_id: &'a str,
    /// When it was made.
    pub created_at: String,
    /// When it was last used.
    pub last_accessed: String,
    /// When it ends unless it is used.
    pub expires_at: String,
    /// Whether it has not ended.
    pub active: bool,
    /// What its maker keeps with it.
    #[schema(value_type = Object)]
    pub metadata: &'a RawJson,
    /// Its servers.
    pub connections: Vec<SessionConnection<'a>>,
    /// How many tools they have together.
    pub total_tools: usize,
}

/// A server of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionConnection<'a> {
    /// Its identity.
    pub uuid: Uuid,
    /// Its name.
    pub name: &'a str,
    /// How it is reached.
    pub transport: &'a str,
    /// How many tools it has.
    pub tools_count: usize,
    /// Their names.
    pub tools: &'a [String],
    /// Where it is in its life.
    #[schema(value_type = State)]
    pub state: ServerState,
}

/// The caller's sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionsAnswer<'a> {
    /// The sessions.
    pub sessions: Vec<ListedSession<'a>>,
    /// How many there are.
    pub total: usize,
}

/// One session of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedSession<'a> {
    /// Its id.
    pub session_id: &'a str,
    /// When it was made.
    pub created_at: String,
    /// When it was last used.
    pub last_accessed: String,
    /// When it ends unless it is used.
    pub expires_at: String,
    /// How many servers it has.
    pub connections_count: usize,
    /// How many tools they have together.
    pub tools_count: usize,
    /// What its maker keeps with it.
    #[schema(value_type = Object)]
    pub metadata: &'a RawJson,
}

/// A session that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeleteSessionAnswer<'a> {
    /// Always `true`.
    pub success: bool,
    /// Its id.
    pub deleted_session_id: &'a str,
}
