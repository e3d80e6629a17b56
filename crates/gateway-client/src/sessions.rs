//! Sessions.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{Error, Result, ServerState};

/// A session to be made.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewSession {
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_seconds: Option<u64>,
}

impl NewSession {
    /// A session that lives as long as the gateway's default, without metadata.
    pub fn new() -> Self {
        Self::default()
    }

    /// With something to keep with it, an object.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it cannot be written as JSON.
    pub fn with_metadata<T: Serialize + ?Sized>(mut self, metadata: &T) -> Result<Self> {
        let raw = serde_json::value::to_raw_value(metadata);
        self.metadata = Some(raw.map_err(|error| Error::Invalid(format!("the metadata is no JSON: {error}")))?);
        Ok(self)
    }

    /// With a life of so many seconds without use.
    #[must_use]
    pub fn with_ttl_seconds(mut self, seconds: u64) -> Self {
        self.ttl_seconds = Some(seconds);
        self
    }
}

/// A session that was made.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct CreatedSession {
    /// Its id, for [`GatewayClient::with_session`](crate::GatewayClient::with_session).
    pub session_id: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it ends unless it is used (RFC 3339).
    pub expires_at: String,
    /// What its maker keeps with it.
    pub metadata: Box<RawValue>,
    /// How many servers it begins with.
    pub servers_loaded: usize,
    /// Their names.
    pub servers: HashMap<Uuid, String>,
}

/// A session.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// Its id.
    pub session_id: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was last used (RFC 3339).
    pub last_accessed: String,
    /// When it ends unless it is used (RFC 3339).
    pub expires_at: String,
    /// Whether it has not ended.
    pub active: bool,
    /// What its maker keeps with it.
    pub metadata: Box<RawValue>,
    /// Its servers.
    pub connections: Vec<SessionConnection>,
    /// How many tools they have together.
    pub total_tools: usize,
}

/// A server of a session.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct SessionConnection {
    /// Its identity.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// How it is reached.
    pub transport: String,
    /// How many tools it has.
    pub tools_count: usize,
    /// Their names.
    pub tools: Vec<String>,
    /// Where it is in its life.
    pub state: ServerState,
}

/// The caller's sessions.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct SessionList {
    /// The sessions.
    pub sessions: Vec<SessionEntry>,
    /// How many there are.
    pub total: usize,
}

/// One session of a list.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct SessionEntry {
    /// Its id.
    pub session_id: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was last used (RFC 3339).
    pub last_accessed: String,
    /// When it ends unless it is used (RFC 3339).
    pub expires_at: String,
    /// How many servers it has.
    pub connections_count: usize,
    /// How many tools they have together.
    pub tools_count: usize,
    /// What its maker keeps with it.
    pub metadata: Box<RawValue>,
}
