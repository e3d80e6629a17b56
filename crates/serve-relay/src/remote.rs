//! The gateway elsewhere: its address, and what every request to it carries.

use std::collections::BTreeMap;

use gateway_core::{Endpoint, Error, ErrorKind, Result, Secret, ServerSpec, Url};
use http::header::HOST;
use http::{HeaderMap, Uri};
use mcp_wire::HttpTarget;

/// The path of a gateway's MCP door.
pub(crate) const PATH: &str = "/mcp";

/// The part of an address that says what the gateway shows.
const EXPOSE: &str = "expose=";

const USER_AGENT: &str = concat!("mcp-gateway-relay/", env!("CARGO_PKG_VERSION"));

/// A gateway that runs elsewhere.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `http://host:port`
    origin: String,
    /// Of the MCP door.
    path: String,
    /// What is asked of the door besides, such as `expose=all`.
    query: Option<String>,
    /// Whether it is `https`.
    pub(crate) tls: bool,
    /// The headers of every request: who we are, the key, the session.
    pub(crate) headers: HeaderMap,
}

impl Remote {
    /// The gateway at `url`, `http://host:8000`, whose MCP door is at `/mcp` below it. `key` is its API key, and
    /// `session` the gateway's session (`X-Session-ID`) that every request belongs to.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] where no request could ever reach it like this.
    pub fn new(url: &str, key: Option<&Secret>, session: Option<&str>) -> Result<Self> {
        let bearer = key.map(|key| ("Authorization".to_owned(), Secret::new(format!("Bearer {}", key.expose()))));
        let session = session.map(|id| ("X-Session-ID".to_owned(), Secret::new(id)));
        let headers: BTreeMap<_, _> = bearer.into_iter().chain(session).collect();
        let endpoint = Endpoint::Url(Url { url: door_of(url), headers });
        let target = HttpTarget::new(&ServerSpec::new("gateway", "http", endpoint)?, USER_AGENT)?;
        let mut headers = target.headers;
        // The HTTP client writes it.
        headers.remove(HOST);
        Ok(Self {
            origin: target.origin.to_string().trim_end_matches('/').to_owned(),
            path: target.path.path().to_owned(),
            query: target.path.query().filter(|query| !query.is_empty()).map(str::to_owned),
            tls: target.tls,
            headers,
        })
    }

    /// The same, asked to show itself as `expose` says (`search` or `all`), where the client does not say.
    #[must_use]
    pub fn with_expose(mut self, expose: &str) -> Self {
        if !names_expose(self.query.as_deref()) {
            self.query = joined(self.query.as_deref(), Some(&format!("{EXPOSE}{expose}")));
        }
        self
    }

    /// Its address without the path, for messages.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Where a request goes; `query` is the client's own.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] where the two together are no address.
    pub(crate) fn uri(&self, query: Option<&str>) -> Result<Uri> {
        let own = self.query.as_deref();
        let query =
            if names_expose(query) { joined(without_expose(own).as_deref(), query) } else { joined(own, query) };
        let mark = if query.is_some() { "?" } else { "" };
        let text = format!("{}{}{mark}{}", self.origin, self.path, query.unwrap_or_default());
        text.parse().map_err(|error| {
            Error::new(ErrorKind::InvalidRequest, "the request's query is too long or no query").with_source(error)
        })
    }
}

/// The address of the MCP door of the gateway at `url`; people paste that of the door itself, too.
fn door_of(url: &str) -> String {
    let url = url.trim();
    let url = url.split('#').next().unwrap_or_default();
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let path = path.trim_end_matches('/');
    let door = if path.ends_with(PATH) { "" } else { PATH };
    let mark = if query.is_some() { "?" } else { "" };
    format!("{path}{door}{mark}{}", query.unwrap_or_default())
}

fn names_expose(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|part| part.starts_with(EXPOSE)))
}

fn without_expose(query: Option<&str>) -> Option<String> {
    let parts: Vec<_> = query?.split('&').filter(|part| !part.starts_with(EXPOSE)).collect();
    Some(parts.join("&"))
}

fn joined(first: Option<&str>, second: Option<&str>) -> Option<String> {
    let parts: Vec<_> = first.into_iter().chain(second).filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(url: &str) -> Remote {
        Remote::new(url, None, None).expect(url)
    }

    #[test]
    fn the_door_is_at_mcp() {
        let check = |url: &str, expected: &str| {
            assert_eq!(remote(url).uri(None).expect("an address").to_string(), expected, "{url}");
        };
        check("http://localhost:8000", "http://localhost:8000/mcp");
        check(" http://localhost:8000/ ", "http://localhost:8000/mcp");
        check("http://localhost:8000/mcp", "http://localhost:8000/mcp");
        check("http://localhost:8000/mcp/", "http://localhost:8000/mcp");
        check("https://h/gateways/one/", "https://h/gateways/one/mcp");
        check("https://h?session=s#x", "https://h/mcp?session=s");
        check("http://[::1]:9", "http://[::1]:9/mcp");
    }

    #[test]
    fn queries_are_joined_and_the_clients_word_counts() {
        let check = |remote: &Remote, query: Option<&str>, expected: &str| {
            assert_eq!(remote.uri(query).expect("an address").query().unwrap_or_default(), expected, "{query:?}");
        };
        let plain = remote("http://h");
        check(&plain, None, "");
        check(&plain, Some("session=a&expose=all"), "session=a&expose=all");
        let exposed = remote("http://h?a=b").with_expose("search");
        check(&exposed, None, "a=b&expose=search");
        check(&exposed, Some("session=a"), "a=b&expose=search&session=a");
        check(&exposed, Some("expose=all"), "a=b&expose=all");
        check(&remote("http://h?expose=all").with_expose("search"), None, "expose=all");
    }

    #[test]
    fn what_cannot_work_is_refused_and_secrets_stay_secret() {
        for url in ["", "h", "localhost:8000", "ftp://h", "http://", "http://me:hush@h"] {
            let error = Remote::new(url, None, None).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(!error.message().contains("hush"));
        }
        assert!(Remote::new("http://h", Some(&Secret::new("a\nb")), None).is_err());
        assert!(Remote::new("http://h", None, Some("a\nb")).is_err());
        let remote = Remote::new("http://h", Some(&Secret::new("hush")), Some("sess_1")).expect("fine");
        assert_eq!(remote.headers["authorization"], "Bearer hush");
        assert_eq!(remote.headers["x-session-id"], "sess_1");
        assert!(remote.headers.get(HOST).is_none());
        assert!(!format!("{remote:?}").contains("hush"));
    }
}
