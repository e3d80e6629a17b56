//! Where a server wants its messages.

use gateway_core::{Error, Result};
use http::Uri;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use mcp_wire::HttpTarget;

use crate::error;

/// Longest endpoint, in bytes.
const MAX_ENDPOINT_BYTES: usize = 8 * 1024;

/// The address that an `endpoint` event names, seen from the address of the stream.
///
/// Only its path and query are taken over: whatever it says, messages and the headers that come with
/// them go to no other origin.
///
/// # Errors
/// [`UpstreamFailed`](gateway_core::ErrorKind::UpstreamFailed) where it is no address, is one of another
/// origin, or has credentials in it.
pub(crate) fn resolve(target: &HttpTarget, named: &[u8]) -> Result<Uri> {
    if named.len() > MAX_ENDPOINT_BYTES {
        return Err(error::protocol("connect: the server names an endpoint that is too long"));
    }
    let unreadable = || error::protocol("connect: the server names an endpoint that is no URL");
    let named = std::str::from_utf8(named).map_err(|_| unreadable())?.trim();
    let without_fragment = named.split('#').next().unwrap_or_default();
    if without_fragment.is_empty() {
        return Err(unreadable());
    }
    let path = if let Some(rest) = without_fragment.strip_prefix("//") {
        let scheme = target.origin.scheme_str().unwrap_or_default();
        same_origin(target, &format!("{scheme}://{rest}"))?
    } else if without_fragment.starts_with('/') {
        without_fragment.parse().map_err(|_| unreadable())?
    } else if has_scheme(without_fragment) {
        same_origin(target, without_fragment)?
    } else {
        beside(target.path.path(), without_fragment).parse().map_err(|_| unreadable())?
    };
    let mut parts = Parts::default();
    parts.scheme = target.origin.scheme().cloned();
    parts.authority = target.origin.authority().cloned();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(|_| unreadable())
}

/// Path and query of a whole URL that must be of the target's origin.
fn same_origin(target: &HttpTarget, url: &str) -> Result<PathAndQuery> {
    let url: Uri = url.parse().map_err(|_| error::protocol("connect: the server names an endpoint that is no URL"))?;
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(error::protocol("connect: the server names an endpoint with credentials in it"));
    }
    if origin(&url) != origin(&target.origin) {
        return Err(foreign(target, &url));
    }
    Ok(url.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")))
}

/// Scheme, host and port (RFC 6454).
fn origin(url: &Uri) -> Option<(&Scheme, String, u16)> {
    let scheme = url.scheme()?;
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    Some((scheme, url.host()?.to_ascii_lowercase(), url.port_u16().unwrap_or(default)))
}

fn foreign(target: &HttpTarget, url: &Uri) -> Error {
    let shown = |url: &Uri| {
        let authority = url.authority().map(Authority::as_str).unwrap_or_default();
        format!("{}://{authority}", url.scheme_str().unwrap_or_default())
    };
    error::protocol(format!(
        "connect: the server at {} wants its messages sent to another origin, {}",
        shown(&target.origin),
        shown(url).chars().take(200).collect::<String>(),
    ))
}

/// Whether a reference begins with a scheme (RFC 3986, section 3.1).
fn has_scheme(reference: &str) -> bool {
    let Some((scheme, _)) = reference.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// A reference relative to `path`: `messages`, `?session=1`.
fn beside(path: &str, reference: &str) -> String {
    let kept = if reference.starts_with('?') { path.len() } else { path.rfind('/').map_or(0, |slash| slash + 1) };
    format!("{}{reference}", &path[..kept])
}

#[cfg(test)]
mod tests {
    use gateway_core::{Endpoint, ErrorKind, ServerSpec, Url};

    use super::*;

    fn resolved(base: &str, named: &[u8]) -> Result<Uri> {
        let endpoint = Endpoint::Url(Url { url: base.to_owned(), ..Url::default() });
        let spec = ServerSpec::new("s", "sse", endpoint).expect("valid");
        resolve(&HttpTarget::new(&spec, "test/1").expect("valid"), named)
    }

    #[test]
    fn endpoints_of_the_same_origin_are_found() {
        let check = |base: &str, named: &str, expected: &str| {
            let found = resolved(base, named.as_bytes()).unwrap_or_else(|error| panic!("{named}: {error}"));
            assert_eq!(found.to_string(), expected, "{named} on {base}");
        };
        check("http://h/sse", "/message?sessionId=1", "http://h/message?sessionId=1");
        check("http://h:8080/a/sse?k=v", " /m ", "http://h:8080/m");
        check("http://h/a/sse?k=v", "m/n?x=1:2", "http://h/a/m/n?x=1:2");
        check("http://h/a/sse?k=v", "?session=1", "http://h/a/sse?session=1");
        check("http://h", "m", "http://h/m");
        check("http://h/sse", "http://H:80/m#part", "http://h/m");
        check("https://h:443/sse", "HTTPS://h", "https://h:443/");
        check("https://h/sse", "//h/m?a", "https://h/m?a");
        check("http://[::1]:9/sse", "http://[::1]:9/m", "http://[::1]:9/m");
    }

    #[test]
    fn all_others_are_refused() {
        let long = format!("/{}", "x".repeat(MAX_ENDPOINT_BYTES));
        for named in [
            "",
            " ",
            "#x",
            "http://evil.example/m",
            "http://h.evil.example/m",
            "https://h/m",
            "http://h:81/m",
            "//evil.example/m",
            "//h:81/m",
            "http://me:hush@h/m",
            "http://h@evil.example/m",
            "//me@h/m",
            "ftp://h/m",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http:/m",
            "http:m",
            "http://",
            "/a b",
            "/a\r\nhost: evil",
            long.as_str(),
        ] {
            let error = resolved("http://h/sse", named.as_bytes()).expect_err(named);
            assert_eq!(error.kind(), ErrorKind::UpstreamFailed, "{named}");
            assert!(!error.message().contains("hush"), "{error}");
        }
        resolved("http://h/sse", b"/\xff").expect_err("no text");
        // Browsers read a backslash as a slash; here it stays a part of the path.
        for named in ["/\\evil.example/m", "\\\\evil.example/m"] {
            if let Ok(found) = resolved("http://h/sse", named.as_bytes()) {
                assert_eq!(found.authority().map(Authority::as_str), Some("h"), "{named}");
            }
        }
    }
}
