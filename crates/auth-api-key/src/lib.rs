//! Knows callers by one shared API key.

mod api_key_auth;

pub use api_key_auth::ApiKeyAuth;
