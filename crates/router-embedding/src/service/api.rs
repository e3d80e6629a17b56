//! A POST of JSON to the service.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Error, ErrorKind, Result};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::rt::Executor;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::config::ServiceConfig;
use super::error;

/// Most that is read of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The endpoint, with the key.
///
/// Redirects are not followed: the key must not go where an answer says.
pub(super) struct Api {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    /// Ends the connections with this value.
    _ended: DropGuard,
}

impl Api {
    /// The endpoint of `config`.
    ///
    /// # Errors
    /// `InvalidRequest` where `base_url` or `api_key` cannot be used.
    pub(super) fn new(config: &ServiceConfig) -> Result<Self> {
        let uri = endpoint(&config.base_url)?;
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
            .pool_max_idle_per_host(config.concurrency)
            .build(connector);
        let json = HeaderValue::from_static("application/json");
        let agent = HeaderValue::from_static(concat!("mcp-gateway/", env!("CARGO_PKG_VERSION")));
        let mut headers: HeaderMap =
            [(CONTENT_TYPE, json.clone()), (ACCEPT, json), (USER_AGENT, agent)].into_iter().collect();
        if let Some(key) = &config.api_key {
            let value = HeaderValue::try_from(format!("Bearer {}", key.expose())).ok();
            let mut value = value.filter(|_| !key.expose().is_empty()).ok_or_else(|| {
                let message = "`api_key` is empty or has characters that no header can carry, such as a line break: \
                    copy it again";
                Error::new(ErrorKind::InvalidRequest, message)
            })?;
            value.set_sensitive(true);
            if uri.scheme() == Some(&Scheme::HTTP) && !is_this_machine(uri.host().unwrap_or_default()) {
                tracing::warn!(%uri, "the embedding service's key travels unencrypted: its address begins with `http://`");
            }
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self { client, uri, headers, _ended: ended })
    }

    /// Sends `body` and reads the whole answer.
    pub(super) async fn post(&self, body: Bytes) -> Result<Bytes> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let (head, body) = self.client.request(request).await.map_err(error::unreached)?.into_parts();
        if !head.status.is_success() {
            return Err(error::refused(head.status, &head.headers));
        }
        Ok(Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(error::unread)?.to_bytes())
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn endpoint(base_url: &str) -> Result<Uri> {
    let invalid = |what: &str| {
        // A URL with a password in it must not be shown.
        let message = format!("`base_url` {what}: write it as `https://host`");
        Err(Error::new(ErrorKind::InvalidRequest, message))
    };
    let trimmed = base_url.trim_end_matches('/');
    let Ok(base) = trimmed.strip_suffix("/v1").unwrap_or(trimmed).parse::<Uri>() else { return invalid("is no URL") };
    if !base.scheme().is_some_and(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme)) {
        return invalid("does not begin with `https://` or `http://`");
    }
    if base.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return invalid("has a user name or password");
    }
    if base.query().is_some() || base_url.contains('#') {
        return invalid("has a query or fragment");
    }
    let full = format!("{}/v1/embeddings", base.path().trim_end_matches('/'));
    let mut parts = base.into_parts();
    parts.path_and_query = PathAndQuery::try_from(full).ok();
    match Uri::from_parts(parts) {
        Ok(uri) => Ok(uri),
        Err(_) => invalid("has a path that cannot be one"),
    }
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
    fn the_endpoint_stands_under_its_base() {
        for (base, expected) in [
            ("https://api.openai.com", "https://api.openai.com/v1/embeddings"),
            ("https://api.openai.com/v1/", "https://api.openai.com/v1/embeddings"),
            ("http://[::1]:11434//", "http://[::1]:11434/v1/embeddings"),
            ("https://host/openai/v1", "https://host/openai/v1/embeddings"),
        ] {
            assert_eq!(endpoint(base).expect(base).to_string(), expected, "{base}");
        }
    }

    #[test]
    fn other_urls_are_refused_unseen() {
        for base in [
            "",
            "api.openai.com",
            "ftp://hunter2/",
            "https://user:hunter2@host/v1",
            "https://host/v1?key=hunter2",
            "https://host/v1#hunter2",
            "https://host/hun ter2",
        ] {
            let error = endpoint(base).expect_err(base);
            assert!(error.message().starts_with("`base_url` ") && !error.message().contains("hunter2"), "{error}");
        }
    }
}
