//! Who is calling, and what they may do.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{Result, Secret};

/// Knows callers.
#[async_trait]
pub trait Auth: Debug + Send + Sync + 'static {
    /// Who has these credentials.
    ///
    /// # Errors
    /// [`Unauthenticated`](crate::ErrorKind::Unauthenticated) where they are missing or wrong; the
    /// message says how to present them, never what was presented.
    async fn authenticate(&self, credentials: &Credentials) -> Result<Principal>;

    /// Whether this caller may see and call this tool. Asked for every tool of a list: must be quick.
    fn allows(&self, principal: &Principal, server: &str, tool: &str) -> bool;
}

/// What a door learned of a caller.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The bearer token or API key that came with the request.
    pub token: Option<Secret>,
    /// Whether the caller is a program on this machine: a loopback peer that is no browser and came
    /// through no proxy.
    pub local: bool,
}

/// Somebody who may use the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Stable name, for logs and ownership: `anonymous`, `api-key`.
    pub id: String,
    /// Whether they presented a valid secret.
    pub authenticated: bool,
}
