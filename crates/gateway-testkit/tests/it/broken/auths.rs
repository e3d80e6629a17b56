//! Authenticators with one fault each.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Auth, Credentials, Error, ErrorKind, Principal, Result, Secret};
use gateway_testkit::suites::{self, AuthCase};

use super::check;

const TOKEN: &str = "S3cret-Token";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    TakesPrefixes,
    TakesLonger,
    FoldsCase,
    Trims,
    AdmitsWithoutToken,
    TrustsLocal,
    RepeatsTheToken,
    HelpsNobody,
    ShowsItself,
    WrongKind,
    Unsteady,
}

struct Broken(Fault);

#[async_trait]
impl Auth for Broken {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Principal> {
        let token = credentials.token.as_ref().map(Secret::expose);
        let matches = token.is_some_and(|token| match self.0 {
            Fault::TakesPrefixes => !token.is_empty() && TOKEN.starts_with(token),
            Fault::TakesLonger => token.starts_with(TOKEN),
            Fault::FoldsCase => token.eq_ignore_ascii_case(TOKEN),
            Fault::Trims => token.trim() == TOKEN,
            _ => token == TOKEN,
        });
        let admitted = match self.0 {
            Fault::AdmitsWithoutToken => matches || token.is_none(),
            Fault::TrustsLocal => matches || credentials.local,
            _ => matches,
        };
        if admitted {
            return Ok(Principal { id: "somebody".to_owned(), authenticated: self.0 != Fault::Unsteady });
        }
        let message = match self.0 {
            Fault::RepeatsTheToken => format!("know the caller with {token:?}: send Authorization"),
            Fault::HelpsNobody => "go away".to_owned(),
            _ => "know the caller: send Authorization".to_owned(),
        };
        let kind = if self.0 == Fault::WrongKind { ErrorKind::Forbidden } else { ErrorKind::Unauthenticated };
        Err(Error::new(kind, message))
    }

    fn allows(&self, _principal: &Principal, _server: &str, _tool: &str) -> bool {
        true
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 == Fault::ShowsItself { TOKEN } else { "Broken" })
    }
}

#[tokio::test]
async fn every_fault_is_caught() {
    let table: [(Fault, &[&str]); 11] = [
        (Fault::TakesPrefixes, &["tokens_close_to_the_valid_one_are_refused"]),
        (Fault::TakesLonger, &["tokens_close_to_the_valid_one_are_refused"]),
        (Fault::FoldsCase, &["tokens_close_to_the_valid_one_are_refused"]),
        (Fault::Trims, &["tokens_close_to_the_valid_one_are_refused"]),
        (Fault::AdmitsWithoutToken, &["a_missing_token_is_refused"]),
        (Fault::TrustsLocal, &["being_local_is_no_token"]),
        (Fault::RepeatsTheToken, &["a_refusal_never_repeats_what_was_presented"]),
        (Fault::HelpsNobody, &["a_refusal_says_how_to_present_a_token"]),
        (Fault::ShowsItself, &["debug_shows_no_secret"]),
        (Fault::WrongKind, &["a_wrong_token_is_refused"]),
        (Fault::Unsteady, &["a_valid_token_is_admitted"]),
    ];
    for (fault, broken) in table {
        let make = move || async move { AuthCase { auth: Arc::new(Broken(fault)), token: Secret::new(TOKEN) } };
        check(&format!("{fault:?}"), suites::auth(make), broken).await;
    }
}
