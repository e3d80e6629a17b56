//! Requests that are answered later.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::refusal;
use crate::{Error, Result};

/// A request that is queued.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct QueuedRequest {
    /// Its id.
    pub request_id: String,
    /// Where it is: `Queued`, or further where it was sent before.
    pub status: RequestStatus,
    /// Unix time in seconds.
    pub timestamp: f64,
    /// The session, where the client has one.
    pub session_id: Option<String>,
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RequestStatus {
    /// It waits.
    Queued,
    /// It is worked on.
    Processing,
    /// It is answered, and it went well.
    Completed,
    /// It is answered, and it went wrong.
    Error,
}

/// A request that was queued, and its answer once there is one.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct StoredRequest {
    /// Its id.
    pub request_id: String,
    /// Where it is.
    pub status: RequestStatus,
    /// The job as it was queued.
    pub request: Box<RawValue>,
    /// Its answer, well or badly.
    pub response: Option<Box<RawValue>>,
}

impl StoredRequest {
    /// The answer of a request that went well: a [`ToolReply`](crate::ToolReply) or a
    /// [`SearchReply`](crate::SearchReply). `None` while there is none.
    ///
    /// # Errors
    /// [`Error::Refused`] where it went wrong; [`Error::Unexpected`] where it is no `T`.
    pub fn reply<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(response) = &self.response else { return Ok(None) };
        let unexpected = |error: serde_json::Error| Error::Unexpected(error.to_string());
        if self.status == RequestStatus::Error {
            return Err(refusal(0, None, response.get().as_bytes()));
        }
        serde_json::from_str(response.get()).map(Some).map_err(unexpected)
    }
}
