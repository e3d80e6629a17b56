//! Only the gateway's own page may ask for what the dashboard shows, and only it may act.
//!
//! The guard lets pages of other loopback origins through, since they may search and run tools over REST. Here
//! they have no business: a page of another origin cannot send [`MARK`] (the gateway's answer to its pre-flight does
//! not name it), and where a browser says which page it is, it must be ours.

use gateway_core::{Error, ErrorKind, Result};
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http_server::{Caller, Page};

/// The header that the page's script sends with every request.
pub(crate) const MARK: &str = "x-gateway-ui";

/// Refuses a request that another page than the gateway's own has made. Programs may make it; so may pages that
/// the configuration trusts with servers (`server.admin_origins`).
///
/// # Errors
/// `Forbidden`.
pub(crate) fn check(caller: &Caller, parts: &Parts) -> Result<()> {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if text(MARK) != Some("1") {
        return Err(Error::new(ErrorKind::Forbidden, "only the dashboard's own page asks here; open /ui"));
    }
    // A browser's own word cannot be forged by a page, and is right behind proxies that change the host, too.
    let is_own = match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => is_origin_of(origin, host(parts)),
        (None, None) => true,
    };
    match caller.page {
        Page::None | Page::Admin => Ok(()),
        Page::Ordinary | Page::Unnamed if is_own => Ok(()),
        Page::Ordinary | Page::Unnamed => {
            Err(Error::new(ErrorKind::Forbidden, "a page of another origin may not use the dashboard"))
        }
    }
}

fn host(parts: &Parts) -> Option<&str> {
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    target.or_else(|| parts.headers.get(HOST)?.to_str().ok())
}

/// Whether `origin` is the one that `host` is asked under.
fn is_origin_of(origin: &str, host: Option<&str>) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_origin() {
        let check = |origin: &str, host: Option<&str>, expected: bool| {
            assert_eq!(is_origin_of(origin, host), expected, "{origin} {host:?}");
        };
        check("http://localhost:8000", Some("localhost:8000"), true);
        check("https://Gateway.example", Some("gateway.example"), true);
        check("http://localhost:3000", Some("localhost:8000"), false);
        check("http://127.0.0.1:8000", Some("localhost:8000"), false);
        check("http://localhost:8000.evil.example", Some("localhost:8000"), false);
        check("http://evil.example/localhost:8000", Some("localhost:8000"), false);
        check("null", Some("null"), false);
        check("http://localhost:8000", None, false);
    }
}
