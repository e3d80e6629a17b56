//! The client.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::error::refusal;
use crate::{
    AddServersReply, CallEvents, CreatedSession, Error, Health, NewSession, QueuedRequest, RemoveServerReply, Result,
    SearchReply, SearchRequest, ServerList, Session, SessionList, StoredRequest, ToolCall, ToolList, ToolReply, Usage,
    UsageRequest,
};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks one gateway. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct GatewayClient {
    http: reqwest::Client,
    base: Url,
    headers: HeaderMap,
}

impl GatewayClient {
    /// A client of the gateway at `url`, such as `http://localhost:8000`.
    ///
    /// It sets no time limit of its own: a tool may take its time. [`ToolCall::with_timeout_ms`] sets one.
    ///
    /// # Errors
    /// [`Error::Invalid`] where `url` is no `http` or `https` URL; [`Error::Connection`] where TLS cannot be
    /// set up.
    pub fn new(url: impl AsRef<str>) -> Result<Self> {
        let invalid = |what: &str| Error::Invalid(format!("the gateway's URL {what}"));
        let mut base = Url::parse(url.as_ref()).map_err(|_| invalid("is none"))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(invalid("must begin with http:// or https://"));
        }
        base.set_query(None);
        base.set_fragment(None);
        base.path_segments_mut().map_err(|()| invalid("is none"))?.pop_if_empty();
        install_crypto();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            // A gateway redirects nobody; the key must not follow one.
            .redirect(Policy::none())
            .user_agent(concat!("gateway-client/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, base, headers: HeaderMap::new() })
    }

    /// The same gateway, asked with its API key.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the key has characters that no header can carry.
    pub fn with_api_key(mut self, key: impl AsRef<str>) -> Result<Self> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.as_ref()))
            .map_err(|_| Error::Invalid("the API key has characters that a header cannot carry".to_owned()))?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// The same gateway, asked in this session.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the id cannot be one.
    pub fn with_session(mut self, session_id: impl AsRef<str>) -> Result<Self> {
        let value = HeaderValue::try_from(session_id.as_ref())
            .map_err(|_| Error::Invalid("the session id has characters that a header cannot carry".to_owned()))?;
        self.headers.insert(X_SESSION_ID, value);
        Ok(self)
    }

    /// The same gateway, asked in the default session.
    #[must_use]
    pub fn without_session(mut self) -> Self {
        self.headers.remove(X_SESSION_ID);
        self
    }

    /// Finds tools by a description.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn search(&self, request: &SearchRequest) -> Result<SearchReply> {
        self.post(&["mcp", "search"], request).await
    }

    /// Runs a tool. A tool that reports an error is a reply whose `success` is `false`.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn execute(&self, call: &ToolCall) -> Result<ToolReply> {
        self.post(&["mcp", "execute"], call).await
    }

    /// Runs a tool and hears what it tells on the way.
    ///
    /// # Errors
    /// Any of [`Error`], for what is refused before the call begins.
    pub async fn execute_stream(&self, call: &ToolCall) -> Result<CallEvents> {
        let body = write(call)?;
        let request = self.asking(Method::POST, &["mcp", "execute"]);
        let request = request.header(ACCEPT, "text/event-stream").header(CONTENT_TYPE, "application/json").body(body);
        Ok(CallEvents::new(accepted(request.send().await?).await?))
    }

    /// Queues a search under an id of the caller's choice, which may have the characters `A-Z a-z 0-9 - _ . :`. A second attempt
    /// with the same id is the same request. [`request`](Self::request) has the answer.
    ///
    /// # Errors
    /// Any of [`Error`]; [`Error::Unexpected`] where the gateway has no queue and answered at once.
    pub async fn search_later(&self, request_id: &str, request: &SearchRequest) -> Result<QueuedRequest> {
        self.post_later(request_id, &["mcp", "search"], request).await
    }

    /// Queues a call in the same way.
    ///
    /// # Errors
    /// Any of [`Error`]; [`Error::Unexpected`] where the gateway has no queue and answered at once.
    pub async fn execute_later(&self, request_id: &str, call: &ToolCall) -> Result<QueuedRequest> {
        self.post_later(request_id, &["mcp", "execute"], call).await
    }

    /// A request that was queued, and its answer once there is one.
    ///
    /// # Errors
    /// Any of [`Error`]; `not_found` where it is not known, or no longer.
    pub async fn request(&self, request_id: &str) -> Result<StoredRequest> {
        self.get(&["mcp", "requests", request_id]).await
    }

    /// The tools of all servers.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn tools(&self) -> Result<ToolList> {
        self.get(&["mcp", "tools"]).await
    }

    /// The servers, and how they are.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn servers(&self) -> Result<ServerList> {
        self.get(&["mcp", "servers"]).await
    }

    /// Adds servers: `config` is the JSON text `{"mcpServers": {...}}`. Those that fail are in the reply.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn add_servers(&self, config: &str) -> Result<AddServersReply> {
        #[derive(Serialize)]
        struct Body<'a> {
            config_data: &'a str,
        }
        self.post(&["mcp", "servers", "add"], &Body { config_data: config }).await
    }

    /// Removes a server by its name.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn remove_server(&self, name: &str) -> Result<RemoveServerReply> {
        #[derive(Serialize)]
        struct Body<'a> {
            server_name: &'a str,
        }
        self.post(&["mcp", "servers", "remove"], &Body { server_name: name }).await
    }

    /// Removes a server by its identity.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn remove_server_by_uuid(&self, uuid: Uuid) -> Result<RemoveServerReply> {
        #[derive(Serialize)]
        struct Body {
            server_uuid: Uuid,
        }
        self.post(&["mcp", "servers", "remove"], &Body { server_uuid: uuid }).await
    }

    /// Makes a session. This client goes on in its own; see [`with_session`](Self::with_session).
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn create_session(&self, new: &NewSession) -> Result<CreatedSession> {
        self.post(&["sessions", "create"], new).await
    }

    /// One session.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn session(&self, session_id: &str) -> Result<Session> {
        self.get(&["sessions", session_id]).await
    }

    /// The caller's sessions.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn sessions(&self) -> Result<SessionList> {
        self.get(&["sessions"]).await
    }

    /// Ends a session: its connections and programs are gone when this returns.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn delete_session(&self, session_id: &str) -> Result<()> {
        let response = self.asking(Method::DELETE, &["sessions", session_id]).send().await?;
        accepted(response).await.map(drop)
    }

    /// How the gateway is.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn health(&self) -> Result<Health> {
        self.get(&["health"]).await
    }

    /// Whether the gateway takes requests; an error where it does not.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn ready(&self) -> Result<()> {
        accepted(self.asking(Method::GET, &["readyz"]).send().await?).await.map(drop)
    }

    /// Whether the gateway's process answers; an error where it does not.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn live(&self) -> Result<()> {
        accepted(self.asking(Method::GET, &["livez"]).send().await?).await.map(drop)
    }

    /// The gateway's metrics in Prometheus' text format.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn metrics(&self) -> Result<String> {
        let response = accepted(self.asking(Method::GET, &["metrics"]).send().await?).await?;
        Ok(response.text().await?)
    }

    /// What was used: tools, failures, latencies, searches.
    ///
    /// # Errors
    /// Any of [`Error`]; 404 where the gateway does not count.
    pub async fn usage(&self, request: &UsageRequest) -> Result<Usage> {
        let mut url = self.url(&["usage"]);
        // Without anything to ask there is no question mark.
        for (name, value) in request.query() {
            url.query_pairs_mut().append_pair(name, &value);
        }
        read(self.http.get(url).headers(self.headers.clone()).send().await?).await
    }

    /// The gateway's description in OpenAPI 3.1.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn openapi(&self) -> Result<Box<RawValue>> {
        self.get(&["openapi.json"]).await
    }

    async fn post_later<B: Serialize + ?Sized>(&self, id: &str, path: &[&str], body: &B) -> Result<QueuedRequest> {
        let id = HeaderValue::try_from(id)
            .map_err(|_| Error::Invalid("the request id has characters that a header cannot carry".to_owned()))?;
        let request = self.asking(Method::POST, path).header(CONTENT_TYPE, "application/json");
        let request = request.header(PREFER, "respond-async").header(X_REQUEST_ID, id);
        let response = accepted(request.body(write(body)?).send().await?).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(Error::Unexpected("the gateway has no queue: it answered at once".to_owned()));
        }
        read(response).await
    }

    fn asking(&self, method: Method, path: &[&str]) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path)).headers(self.headers.clone())
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Segments are escaped, so that no id can lead to another path.
        url.path_segments_mut().expect("`new` has checked that the URL has a path").extend(path);
        url
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T> {
        read(self.asking(Method::GET, path).send().await?).await
    }

    async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(&self, path: &[&str], body: &B) -> Result<T> {
        let request = self.asking(Method::POST, path).header(CONTENT_TYPE, "application/json");
        read(request.body(write(body)?).send().await?).await
    }
}

fn write<B: Serialize + ?Sized>(body: &B) -> Result<Vec<u8>> {
    serde_json::to_vec(body).map_err(|error| Error::Invalid(error.to_string()))
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T> {
    let body = accepted(response).await?.bytes().await?;
    serde_json::from_slice(&body).map_err(|error| Error::Unexpected(error.to_string()))
}

/// The response, where it is no failure.
async fn accepted(response: Response) -> Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Err(refusal(status.as_u16(), retry_after, &response.bytes().await?))
}

/// Gives TLS its cryptography, unless the program has chosen one.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that the program has chosen already.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
    });
}
