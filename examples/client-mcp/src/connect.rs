//! Connecting to a server, of either era, over HTTP or stdio.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use chat_terminal::Terminal;
use http::{HeaderName, HeaderValue};
use rmcp::model::ProtocolVersion;
use rmcp::service::{ClientInitializeError, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{IntoTransport, StreamableHttpClientTransport, Transport};
use rmcp::{ClientCacheConfig, ClientLifecycleMode, ClientServiceExt as _, RoleClient, ServiceError};
use tokio::process::{Child, Command};

use crate::person::Person;
use crate::watched::Watched;

/// So long a server may take to answer the first time; programs from npm and PyPI start slowly.
const GREET_TIMEOUT: Duration = Duration::from_secs(60);

/// So long a server may take to end when its input is closed.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection: what requests are sent on.
pub(crate) type Connection = RunningService<RoleClient, Person>;

/// Where the server is.
#[derive(Debug)]
pub(crate) enum Target {
    /// At a URL.
    Http { url: String, expose: Option<String>, session: Option<String>, key: Option<String> },
    /// A program, with its arguments.
    Stdio(Vec<String>),
}

/// How the conversation begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Era {
    /// `server/discover` tells what the server speaks; one that does not know it is of the legacy era.
    Ask,
    /// `initialize`, as it was before 2026-07-28.
    Legacy,
}

/// A connection, and the program at its other end where this one has started it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    child: Option<Child>,
}

/// Connects.
pub(crate) async fn connect(target: Target, era: Era, person: Person, terminal: &Terminal) -> Result<Link, String> {
    match target {
        Target::Http { url, expose, session, key } => {
            let mut config = StreamableHttpClientTransportConfig::with_uri(mcp_url(&url, expose.as_deref()));
            if let Some(session) = session {
                let value = HeaderValue::try_from(session).map_err(|_| "the session's id cannot be one".to_owned())?;
                let header = HeaderName::from_static("x-session-id");
                config = config.custom_headers(HashMap::from([(header, value)]));
            }
            if let Some(key) = key {
                config = config.auth_header(key);
            }
            let transport = StreamableHttpClientTransport::from_config(config);
            let connection = greet(Watched::new(transport, terminal.clone()), era, person).await?;
            Ok(Link { connection, child: None })
        }
        Target::Stdio(command) => {
            let (program, arguments) = command.split_first().ok_or("which program?")?;
            let mut command = Command::new(program);
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            let mut child = command.spawn().map_err(|error| format!("`{program}` cannot be started: {error}"))?;
            let pipes = child.stdout.take().zip(child.stdin.take()).ok_or("the program has no pipes")?;
            let connection = greet(Watched::new(pipes.into_transport(), terminal.clone()), era, person).await?;
            Ok(Link { connection, child: Some(child) })
        }
    }
}

async fn greet<T>(transport: Watched<T>, era: Era, person: Person) -> Result<Connection, String>
where
    T: Transport<RoleClient> + 'static,
{
    let lifecycle = match era {
        Era::Legacy => ClientLifecycleMode::Initialize,
        Era::Ask => ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::LATEST],
            legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
        },
    };
    let connection = tokio::time::timeout(GREET_TIMEOUT, person.serve_with_lifecycle(transport, lifecycle)).await;
    let connection = connection.map_err(|_| "there is no connection: the server does not answer".to_owned())?;
    let connection = connection.map_err(|error| format!("there is no connection: {}", told(error)))?;
    // A person who lists tools wants to see those that there are now.
    connection.peer().set_response_cache_config(ClientCacheConfig::disabled()).await;
    let info = connection.peer().peer_info();
    if info.is_some_and(|info| info.protocol_version.has_initialize() && info.capabilities.logging.is_some()) {
        // A server that cannot is one without log messages.
        let _ = ask_for_logs(&connection).await;
    }
    Ok(connection)
}

#[expect(deprecated, reason = "the newest revision has another way, which `McpToolbox::call` uses")]
async fn ask_for_logs(connection: &Connection) -> Result<(), ServiceError> {
    use rmcp::model::{LoggingLevel, SetLevelRequestParams};
    connection.peer().set_level(SetLevelRequestParams::new(LoggingLevel::Info)).await
}

/// Why the conversation did not begin, for people.
fn told(error: ClientInitializeError) -> String {
    match error {
        // The server was tried in both eras; its answer in the newer one says more.
        ClientInitializeError::LegacyFallbackFailed { discover, .. } => told(*discover),
        ClientInitializeError::JsonRpcError(error) => error.message.into_owned(),
        ClientInitializeError::TransportError { error, .. } => {
            let mut text = error.error.to_string();
            let mut cause = error.error.source();
            while let Some(source) = cause {
                text = format!("{text}: {source}");
                cause = source.source();
            }
            text
        }
        other => other.to_string(),
    }
}

/// The URL with a path and, where the gateway is told what to show, with that.
fn mcp_url(url: &str, expose: Option<&str>) -> String {
    let has_path = |url: &str| url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    let mut url = url.trim_end_matches('/').to_owned();
    if !has_path(&url) {
        url.push_str("/mcp");
    }
    if let Some(expose) = expose {
        let separator = if url.contains('?') { '&' } else { '?' };
        url.push_str(&format!("{separator}expose={expose}"));
    }
    url
}

impl Link {
    /// Who is at the other end.
    pub(crate) fn describe(&self) -> String {
        let Some(info) = self.connection.peer().peer_info() else { return "connected".to_owned() };
        let server = info.server_info.as_ref();
        let name = server.map_or("a server without a name", |server| server.title.as_deref().unwrap_or(&server.name));
        format!("connected to {name}, MCP {}", info.protocol_version)
    }

    /// Says goodbye; a program that was started for this is gone afterwards.
    pub(crate) async fn close(mut self) {
        // There is nothing left to do for a connection that does not end in order.
        let _ = self.connection.close_with_timeout(END_TIMEOUT).await;
        if let Some(child) = &mut self.child
            && tokio::time::timeout(END_TIMEOUT, child.wait()).await.is_err()
        {
            let _ = child.kill().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_get_a_path_where_they_have_none() {
        let cases = [
            ("http://localhost:8000", None, "http://localhost:8000/mcp"),
            ("http://localhost:8000/", Some("all"), "http://localhost:8000/mcp?expose=all"),
            ("https://a.example/servers/b", Some("search"), "https://a.example/servers/b?expose=search"),
            ("https://a.example/mcp?x=1", Some("all"), "https://a.example/mcp?x=1&expose=all"),
        ];
        for (url, expose, expected) in cases {
            assert_eq!(mcp_url(url, expose), expected);
        }
    }
}
