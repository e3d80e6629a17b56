//! What every authenticator must do.

use std::future::Future;
use std::sync::Arc;

use gateway_core::{Auth, Credentials, ErrorKind, Principal, Secret};

use crate::Suite;
use crate::suite::{Verdict, ensure, ensure_eq, suite};

/// An authenticator, and a token that it knows.
#[derive(Clone, Debug)]
pub struct AuthCase {
    /// The authenticator.
    pub auth: Arc<dyn Auth>,
    /// A token that it admits, of at least 8 ASCII characters.
    pub token: Secret,
}

/// The behaviours of an [`Auth`] that wants a token.
pub fn auth<F>(make: impl Fn() -> F + Send + Sync + 'static) -> Suite
where
    F: Future<Output = AuthCase> + Send + 'static,
{
    suite!(
        "auth",
        make,
        [
            a_valid_token_is_admitted,
            the_same_token_is_the_same_caller,
            a_missing_token_is_refused,
            a_wrong_token_is_refused,
            tokens_close_to_the_valid_one_are_refused,
            being_local_is_no_token,
            a_refusal_says_how_to_present_a_token,
            a_refusal_never_repeats_what_was_presented,
            debug_shows_no_secret,
            allows_answers_the_same_each_time,
        ]
    )
}

async fn a_valid_token_is_admitted(case: AuthCase) -> Verdict {
    let principal = admit(&case).await?;
    ensure!(principal.authenticated, "the caller is not authenticated");
    ensure!(!principal.id.is_empty(), "the caller has no id");
    ensure!(!principal.id.contains(case.token.expose()), "the caller's id holds the token");
    Ok(())
}

async fn the_same_token_is_the_same_caller(case: AuthCase) -> Verdict {
    ensure_eq!(admit(&case).await?, admit(&case).await?, "the caller the second time");
    Ok(())
}

async fn a_missing_token_is_refused(case: AuthCase) -> Verdict {
    refused(&case, None).await?;
    refused(&case, Some("")).await?;
    Ok(())
}

async fn a_wrong_token_is_refused(case: AuthCase) -> Verdict {
    let long = "x".repeat(100_000);
    for token in ["wrong", "\0", "null", "undefined", "Bearer", " ", long.as_str()] {
        refused(&case, Some(token)).await?;
    }
    Ok(())
}

async fn tokens_close_to_the_valid_one_are_refused(case: AuthCase) -> Verdict {
    let token = case.token.expose();
    let (head, last) = token.split_at(token.len() - 1);
    let changed_last = if last == "x" { "y" } else { "x" };
    let candidates = [
        head.to_owned(),
        format!("{token}x"),
        format!("{token}\0"),
        format!(" {token}"),
        format!("{token} "),
        format!("{head}{changed_last}"),
        format!("{token}{token}"),
        token[1..].to_owned(),
        format!("Bearer {token}"),
    ];
    for candidate in candidates {
        refused(&case, Some(&candidate)).await?;
    }
    for other_case in [token.to_uppercase(), token.to_lowercase()] {
        if other_case != token {
            refused(&case, Some(&other_case)).await?;
        }
    }
    Ok(())
}

async fn being_local_is_no_token(case: AuthCase) -> Verdict {
    let local = Credentials { token: Some(Secret::new("wrong")), local: true };
    ensure!(case.auth.authenticate(&local).await.is_err(), "a local caller got in with a wrong token");
    Ok(())
}

async fn a_refusal_says_how_to_present_a_token(case: AuthCase) -> Verdict {
    for token in [None, Some("wrong")] {
        let message = refused(&case, token).await?;
        ensure!(message.contains("Authorization") || message.contains("X-API-Key"), "the message is: {message}");
    }
    Ok(())
}

async fn a_refusal_never_repeats_what_was_presented(case: AuthCase) -> Verdict {
    let presented = "presented-by-mistake";
    let credentials = Credentials { token: Some(Secret::new(presented)), local: false };
    match case.auth.authenticate(&credentials).await {
        Ok(_) => Err("a wrong token was admitted".to_owned()),
        Err(error) => {
            let said = format!("{error} {error:?}");
            ensure!(!said.contains(presented), "the error says: {said}");
            ensure!(!said.contains(case.token.expose()), "the error shows the valid token");
            Ok(())
        }
    }
}

async fn debug_shows_no_secret(case: AuthCase) -> Verdict {
    ensure!(!format!("{:?}", case.auth).contains(case.token.expose()), "Debug shows the token");
    Ok(())
}

async fn allows_answers_the_same_each_time(case: AuthCase) -> Verdict {
    let principal = admit(&case).await?;
    for (server, tool) in [("a", "b"), ("", ""), ("s\u{0}", "é")] {
        let first = case.auth.allows(&principal, server, tool);
        ensure_eq!(case.auth.allows(&principal, server, tool), first, "allows {server} {tool}");
    }
    Ok(())
}

async fn admit(case: &AuthCase) -> Result<Principal, String> {
    let credentials = Credentials { token: Some(case.token.clone()), local: false };
    case.auth.authenticate(&credentials).await.map_err(|error| format!("the valid token is refused: {error:?}"))
}

/// Checks that the token is refused, and returns the message.
async fn refused(case: &AuthCase, token: Option<&str>) -> Result<String, String> {
    let credentials = Credentials { token: token.map(Secret::new), local: false };
    match case.auth.authenticate(&credentials).await {
        Err(error) if error.kind() == ErrorKind::Unauthenticated => Ok(error.message().to_owned()),
        other => Err(format!("{token:?} must be refused as unauthenticated, saw {other:?}")),
    }
}
