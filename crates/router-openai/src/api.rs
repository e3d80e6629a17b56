//! A POST of JSON to a provider's API.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Error, ErrorKind, Result, Secret};
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::rt::Executor;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use serde::Serialize;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::error;

/// Most that is read of an answer. Those asked for have a few kilobytes.
const MAX_ANSWER_BYTES: usize = 512 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Unused connections that are kept.
const MAX_IDLE: usize = 8;

/// One endpoint of an API, with the key.
///
/// Redirects are not followed: the key must not go where an answer says.
pub(crate) struct Api {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    key: Secret,
    /// Ends the connections with this value.
    _ended: DropGuard,
}

impl Api {
    /// The endpoint at `path`, which may have a query, under `base_url`.
    ///
    /// # Errors
    /// `InvalidRequest` where `base_url` cannot be used.
    pub(crate) fn new(base_url: &str, path: &str) -> Result<Self> {
        let uri = endpoint(base_url, path)?;
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .expect("ring speaks the default versions of TLS")
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let tasks = Tasks { tracker: TaskTracker::new(), ended: CancellationToken::new() };
        let ended = tasks.ended.clone().drop_guard();
        let client = Client::builder(tasks)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector);
        let json = HeaderValue::from_static("application/json");
        let agent = HeaderValue::from_static(concat!("mcp-gateway/", env!("CARGO_PKG_VERSION")));
        let headers = [(CONTENT_TYPE, json.clone()), (ACCEPT, json), (USER_AGENT, agent)].into_iter().collect();
        Ok(Self { client, uri, headers, key: Secret::default(), _ended: ended })
    }

    /// With a header on every request.
    pub(crate) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// With the key in the header `name`, after `prefix`.
    ///
    /// # Errors
    /// `InvalidRequest` where no header can carry it.
    pub(crate) fn with_key(mut self, name: &'static str, prefix: &str, key: &Secret) -> Result<Self> {
        let value = HeaderValue::try_from(format!("{prefix}{}", key.expose())).ok();
        let value = value.filter(|_| !key.expose().is_empty());
        let mut value = value.ok_or_else(|| {
            let message = "`api_key` is empty or has characters that no header can carry, such as a line break: \
                copy it again";
            Error::new(ErrorKind::InvalidRequest, message)
        })?;
        value.set_sensitive(true);
        if self.uri.scheme() == Some(&Scheme::HTTP) && !is_this_machine(self.uri.host().unwrap_or_default()) {
            tracing::warn!(uri = %self.uri, "the model's key travels unencrypted: `base_url` begins with `http://`");
        }
        self.headers.insert(HeaderName::from_static(name), value);
        self.key = key.clone();
        Ok(self)
    }

    /// Sends `body` and reads the whole answer.
    ///
    /// # Errors
    /// Those of [`ChatModel::complete`](crate::ChatModel::complete), as far as HTTP knows them.
    pub(crate) async fn post(&self, body: &(impl Serialize + Sync)) -> Result<Bytes> {
        let body = serde_json::to_vec(body)
            .map_err(|source| Error::new(ErrorKind::Internal, "write the request to the model").with_source(source))?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let (head, body) = self.client.request(request).await.map_err(error::unreached)?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(error::unread)?.to_bytes();
        if head.status.is_success() {
            return Ok(body);
        }
        Err(error::refused(head.status, &head.headers, &body, &self.key))
    }
}

fn endpoint(base_url: &str, path: &str) -> Result<Uri> {
    let invalid = |what: &str| {
        // A URL with a password in it must not be shown.
        let message = format!("`base_url` {what}: write it as `https://host/path`");
        Err(Error::new(ErrorKind::InvalidRequest, message))
    };
    let Ok(base) = base_url.trim_end_matches('/').parse::<Uri>() else { return invalid("is no URL") };
    if !base.scheme().is_some_and(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme)) {
        return invalid("does not begin with `https://` or `http://`");
    }
    if base.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return invalid("has a user name or password");
    }
    if base.query().is_some() || base_url.contains('#') {
        return invalid("has a query or fragment");
    }
    let full = format!("{}{path}", base.path().trim_end_matches('/'));
    let mut parts = base.into_parts();
    parts.path_and_query = PathAndQuery::try_from(full).ok();
    match Uri::from_parts(parts) {
        Ok(uri) => Ok(uri),
        Err(_) => invalid("has a path that cannot be one"),
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Refuses a `value` that would change the URL that it becomes part of.
///
/// # Errors
/// `InvalidRequest` naming `field`.
pub(crate) fn check_url_part(field: &str, value: &str) -> Result<()> {
    let is_plain = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte);
        part.bytes().all(plain) && part.bytes().any(|byte| byte != b'.')
    };
    if value.split('/').all(is_plain) {
        return Ok(());
    }
    let message = format!(
        "`{field}` is `{}`: it becomes part of a URL, so give it letters, digits, `-`, `_` and `.` only",
        value.chars().take(100).collect::<String>().escape_debug()
    );
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

/// The tasks that drive connections. They end together.
#[derive(Clone, Debug)]
struct Tasks {
    tracker: TaskTracker,
    ended: CancellationToken,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.tracker.spawn(self.ended.clone().run_until_cancelled_owned(future));
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("uri", &self.uri).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_stand_under_their_base() {
        let check = |base: &str, expected: &str| {
            assert_eq!(endpoint(base, "/chat?v=1").expect(base).to_string(), expected, "{base}");
        };
        check("https://api.openai.com/v1", "https://api.openai.com/v1/chat?v=1");
        check("https://api.openai.com/v1/", "https://api.openai.com/v1/chat?v=1");
        check("http://127.0.0.1:11434", "http://127.0.0.1:11434/chat?v=1");
        check("https://[::1]:8443/a/b//", "https://[::1]:8443/a/b/chat?v=1");
    }

    #[test]
    fn other_urls_are_refused_unseen() {
        for base in [
            "",
            "api.openai.com",
            "/v1",
            "ftp://hunter2/",
            "https://user:hunter2@host/v1",
            "https://host/v1?key=hunter2",
            "https://host/v1#hunter2",
            "https://host/hun ter2",
            "file:///hunter2",
        ] {
            let error = endpoint(base, "/x").expect_err(base);
            assert!(error.message().starts_with("`base_url` ") && !error.message().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn parts_of_urls_are_plain() {
        for good in ["gemini-3.5-flash-lite", "tunedModels/my_model", "2024-10-21", "a:b@1"] {
            check_url_part("model", good).expect(good);
        }
        for bad in ["", "a b", "..", "a/../b", "a//b", "a?b", "a#b", "a%2e", "a&b", "ä", "a\r\nb"] {
            check_url_part("model", bad).expect_err(bad);
        }
    }

    #[test]
    fn only_this_machine_is_this_machine() {
        for (host, expected) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("[::1]", true),
            ("10.0.0.1", false),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
            ("", false),
        ] {
            assert_eq!(is_this_machine(host), expected, "{host}");
        }
    }

    #[test]
    fn the_key_is_shown_nowhere() {
        let api = Api::new("https://host", "/v1").expect("an endpoint");
        let api = api.with_key("authorization", "Bearer ", &Secret::new("hunter2")).expect("a key");
        assert!(!format!("{api:?} {:?}", api.headers).contains("hunter2"));
        for key in ["", "hunter2\n", "hun\0ter2"] {
            let api = Api::new("https://host", "/v1").expect("an endpoint");
            let error = api.with_key("x-api-key", "", &Secret::new(key)).expect_err(key);
            assert!(error.message().contains("`api_key`") && !format!("{error:?}").contains("hun"), "{error:?}");
        }
    }
}
