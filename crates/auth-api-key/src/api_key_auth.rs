//! The authenticator.

use std::fmt;

use async_trait::async_trait;
use gateway_core::{Auth, Credentials, Error, ErrorKind, Principal, Result, Secret};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// One key for all callers, or no key at all.
///
/// Without a key everybody is `anonymous` and not authenticated, whatever they present. With a key,
/// whoever presents it is `api-key`, and nobody else gets in. Everybody who gets in may see and call
/// every tool.
pub struct ApiKeyAuth {
    /// Only a digest is kept: comparing digests takes the same time for every guess, whatever its
    /// length and however many of its first characters are right.
    key_digest: Option<[u8; 32]>,
}

impl ApiKeyAuth {
    /// Admits callers by `key`, or everybody where there is none.
    ///
    /// An empty key is a key that nobody can present: it shuts everybody out. Whoever reads the
    /// configuration decides whether an empty setting means no key.
    pub fn new(key: Option<Secret>) -> Self {
        Self { key_digest: key.map(|key| digest(&key)) }
    }
}

#[async_trait]
impl Auth for ApiKeyAuth {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Principal> {
        let Some(expected) = &self.key_digest else {
            return Ok(Principal { id: "anonymous".to_owned(), authenticated: false });
        };
        let token = credentials.token.as_ref().filter(|token| !token.expose().is_empty());
        let Some(token) = token else {
            return Err(refusal("this gateway wants its API key"));
        };
        if digest(token).ct_eq(expected).into() {
            Ok(Principal { id: "api-key".to_owned(), authenticated: true })
        } else {
            Err(refusal("the API key is wrong"))
        }
    }

    fn allows(&self, _principal: &Principal, _server: &str, _tool: &str) -> bool {
        true
    }
}

impl fmt::Debug for ApiKeyAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyAuth").field("has_key", &self.key_digest.is_some()).finish_non_exhaustive()
    }
}

fn digest(secret: &Secret) -> [u8; 32] {
    Sha256::digest(secret.expose().as_bytes()).into()
}

fn refusal(what: &str) -> Error {
    let how = "send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`";
    Error::new(ErrorKind::Unauthenticated, format!("{what}; {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(key: Option<&str>, token: Option<&str>, expected: Result<(&str, bool), ErrorKind>) {
        let auth = ApiKeyAuth::new(key.map(Secret::new));
        let credentials = Credentials { token: token.map(Secret::new), local: true };
        let answer = auth.authenticate(&credentials).await;
        let seen = answer.as_ref().map(|who| (who.id.as_str(), who.authenticated)).map_err(Error::kind);
        assert_eq!(seen, expected, "key {key:?}, token {token:?}");
        if let Err(error) = answer {
            assert!(error.message().contains("Authorization: Bearer"), "{error}");
            assert!(error.message().contains("X-API-Key"), "{error}");
        }
    }

    #[tokio::test]
    async fn without_a_key_everybody_is_anonymous() {
        check(None, None, Ok(("anonymous", false))).await;
        check(None, Some("anything"), Ok(("anonymous", false))).await;
    }

    #[tokio::test]
    async fn with_a_key_only_its_holders_get_in() {
        let refused = Err(ErrorKind::Unauthenticated);
        check(Some("k3y"), Some("k3y"), Ok(("api-key", true))).await;
        for token in [None, Some(""), Some("k3"), Some("k3yy"), Some("K3Y"), Some(" k3y")] {
            check(Some("k3y"), token, refused).await;
        }
    }

    #[tokio::test]
    async fn an_empty_key_lets_nobody_in() {
        for token in [None, Some(""), Some("x")] {
            check(Some(""), token, Err(ErrorKind::Unauthenticated)).await;
        }
    }

    #[test]
    fn debug_shows_neither_key_nor_digest() {
        let auth = ApiKeyAuth::new(Some(Secret::new("hush")));
        assert_eq!(format!("{auth:?}"), "ApiKeyAuth { has_key: true, .. }");
    }
}
