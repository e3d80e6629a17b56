//! The address of a server on the network and what every HTTP request to it carries, checked once.

use gateway_core::{Endpoint, Error, ErrorKind, Result, ServerSpec};
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::header;

/// Where HTTP requests to a server go.
#[derive(Clone, Debug)]
pub struct HttpTarget {
    /// Scheme and authority, for the connector.
    pub origin: Uri,
    /// Path and query, as the request line has them.
    pub path: Uri,
    /// Whether it is `https`.
    pub tls: bool,
    /// The headers of every request: `Host`, `User-Agent` and those of the spec.
    pub headers: HeaderMap,
}

/// Headers that belong to the connection or to the protocol; a spec that sets one is refused.
const RESERVED: [&str; 16] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    header::LAST_EVENT_ID,
    header::METHOD,
    header::NAME,
    header::PROTOCOL_VERSION,
    header::SESSION_ID,
];

impl HttpTarget {
    /// Reads and checks the address in a spec.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] where no connection could ever come of it.
    pub fn new(spec: &ServerSpec, user_agent: &str) -> Result<Self> {
        let Endpoint::Url(url) = spec.endpoint() else {
            return Err(invalid("its transport needs a URL, and this server has a command"));
        };
        let uri: Uri = url.url.trim().parse().map_err(|error| invalid("its URL cannot be read").with_source(error))?;
        let tls = match uri.scheme().map(Scheme::as_str) {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(invalid("its URL must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| invalid("its URL has no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("its URL has credentials in it; put them into an Authorization header instead"));
        }
        if authority.host().is_empty() {
            return Err(invalid("its URL has no host"));
        }
        let mut headers = custom_headers(&url.headers)?;
        headers.insert(HOST, host(&uri, tls)?);
        if let Ok(agent) = HeaderValue::from_str(user_agent) {
            headers.entry(USER_AGENT).or_insert(agent);
        }
        let path = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let origin = Uri::builder()
            .scheme(if tls { Scheme::HTTPS } else { Scheme::HTTP })
            .authority(authority.clone())
            .path_and_query("/")
            .build()
            .map_err(|error| invalid("its URL cannot be read").with_source(error))?;
        Ok(Self { origin, path: Uri::from(path), tls, headers })
    }
}

fn host(uri: &Uri, tls: bool) -> Result<HeaderValue> {
    let name = uri.host().unwrap_or_default();
    let default = if tls { 443 } else { 80 };
    let text = match uri.port_u16() {
        Some(port) if port != default => format!("{name}:{port}"),
        _ => name.to_owned(),
    };
    HeaderValue::from_str(&text).map_err(|error| invalid("its URL has no usable host").with_source(error))
}

fn custom_headers(given: &std::collections::BTreeMap<String, gateway_core::Secret>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(given.len() + 8);
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| invalid(&format!("{name:?} is no name of an HTTP header")))?;
        if RESERVED.contains(&name.as_str()) {
            return Err(invalid(&format!("the header `{name}` is the gateway's to set")));
        }
        // Configurations made for other clients often carry these; they must say what we do.
        if name == ACCEPT || name == CONTENT_TYPE {
            continue;
        }
        let mut value = HeaderValue::from_str(value.expose().trim())
            .map_err(|_| invalid(&format!("the value of the header `{name}` has line ends or control characters")))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("cannot reach the server: {message}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gateway_core::{Secret, Url};

    use super::*;

    fn target(url: &str, headers: &[(&str, &str)]) -> Result<HttpTarget> {
        let secret = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new(*value));
        let headers: BTreeMap<_, _> = headers.iter().map(secret).collect();
        let endpoint = Endpoint::Url(Url { url: url.to_owned(), headers });
        HttpTarget::new(&ServerSpec::new("s", "http", endpoint).expect("valid"), "test/1")
    }

    #[test]
    fn addresses_are_taken_apart() {
        let check = |url: &str, origin: &str, path: &str, host: &str| {
            let target = target(url, &[("Authorization", " Bearer x ")]).expect(url);
            assert_eq!(target.origin.to_string(), origin, "{url}");
            assert_eq!(target.path.to_string(), path, "{url}");
            assert_eq!(target.headers[HOST], host, "{url}");
            assert_eq!(target.headers["authorization"], "Bearer x");
            assert!(!format!("{target:?}").contains("Bearer"));
        };
        check("http://127.0.0.1:80/mcp", "http://127.0.0.1:80/", "/mcp", "127.0.0.1");
        check("https://h:8443/a/b?k=v#f", "https://h:8443/", "/a/b?k=v", "h:8443");
        check("HTTP://[::1]:9", "http://[::1]:9/", "/", "[::1]:9");
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let check = |url: &str, headers: &[(&str, &str)]| {
            let error = target(url, headers).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(!error.message().contains("hush"));
        };
        for url in ["", "h", "/mcp", "ftp://h/", "http://", "http://a b/", "http://me:hush@h/", "http://:80/"] {
            check(url, &[]);
        }
        for name in ["Host", "content-length", "Transfer-Encoding", "Mcp-Session-Id", "a b", "", "é"] {
            check("http://h/", &[(name, "hush")]);
        }
        check("http://h/", &[("x", "hush\r\nhost: evil")]);
        assert!(target("http://h/", &[("Accept", "*/*")]).expect("fine").headers.get(ACCEPT).is_none());
    }
}
