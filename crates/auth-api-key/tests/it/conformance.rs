//! What every authenticator must do.

use std::sync::Arc;

use auth_api_key::ApiKeyAuth;
use gateway_core::Secret;
use gateway_testkit::suites::{self, AuthCase};

#[tokio::test]
async fn it_does_what_every_authenticator_must_do() {
    let make = || async {
        let token = Secret::new("Correct-Horse-7");
        AuthCase { auth: Arc::new(ApiKeyAuth::new(Some(token.clone()))), token }
    };
    suites::auth(make).run().await.assert_passed();
}
