//! An authenticator with one token, or none.

use async_trait::async_trait;
use gateway_core::{Auth, Credentials, Error, ErrorKind, Principal, Result, Secret};

/// Admits everybody, or only who presents the token. Hides tools whose server or name starts with
/// `hidden`.
#[derive(Clone, Debug, Default)]
pub struct FakeAuth {
    token: Option<Secret>,
}

impl FakeAuth {
    /// Admits everybody as `anonymous`.
    pub fn open() -> Self {
        Self::default()
    }

    /// Admits who presents this token, under an id made from it.
    pub fn with_token(token: impl Into<String>) -> Self {
        Self { token: Some(Secret::new(token)) }
    }
}

#[async_trait]
impl Auth for FakeAuth {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Principal> {
        match &self.token {
            None => Ok(Principal { id: "anonymous".to_owned(), authenticated: false }),
            Some(_) if credentials.token == self.token => Ok(Principal { id: "token".to_owned(), authenticated: true }),
            Some(_) => Err(Error::new(ErrorKind::Unauthenticated, "send `Authorization: Bearer <token>`")),
        }
    }

    fn allows(&self, _principal: &Principal, server: &str, tool: &str) -> bool {
        !server.starts_with("hidden") && !tool.starts_with("hidden")
    }
}
