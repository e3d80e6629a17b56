//! What is known of an upstream server before it is connected.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::{Error, ErrorKind, Result, Secret};

/// The namespace of server identities (a random v4 UUID, fixed for ever).
const SERVER_NAMESPACE: Uuid = Uuid::from_u128(0x5f0b_8f0e_54a6_4b53_9c39_7a3a_6f5d_21c4);

/// Longest server name, in bytes.
const MAX_NAME: usize = 128;

/// One upstream server: its name, how to reach it, and its limits. Immutable; two specs with equal
/// content have equal [`uuid`](Self::uuid)s on every replica and after every restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerSpec {
    name: String,
    uuid: Uuid,
    transport: String,
    endpoint: Endpoint,
    limits: ServerLimits,
    shared: bool,
    disabled: bool,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A program that the gateway starts.
    Command(Command),
    /// A server on the network.
    Url(Url),
}

/// A program to start, without a shell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// The program: a path, or a name that is looked up in `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to its environment.
    #[serde(serialize_with = "expose_values")]
    pub env: BTreeMap<String, Secret>,
    /// Its working directory; the gateway's own when absent.
    pub cwd: Option<PathBuf>,
    /// Whether it starts with only `env` and `PATH`, `HOME`, `LANG`, `TMPDIR`, `USER` of the gateway's
    /// environment, instead of all of it.
    pub clean_env: bool,
}

/// An address on the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Url {
    /// The absolute `http` or `https` URL.
    pub url: String,
    /// Headers sent with every request.
    #[serde(serialize_with = "expose_values")]
    pub headers: BTreeMap<String, Secret>,
}

/// The limits of one server. Times in milliseconds. What 0 means stands at each; lists of servers
/// ([`mcp_servers`](crate::mcp_servers)) take 0 only for `idle_timeout_ms` and `max_request_timeout_ms`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerLimits {
    /// For the connection and its handshake together. 0 means the default, since an attempt must end.
    pub connect_timeout_ms: u64,
    /// For one request, from sending to the whole answer. Progress that somebody listens to begins it
    /// anew, up to `max_request_timeout_ms`. 0 sets no limit for calls.
    pub request_timeout_ms: u64,
    /// For one request, whatever its progress. Where it is not above `request_timeout_ms`, as 0 never is,
    /// progress gives no more time.
    pub max_request_timeout_ms: u64,
    /// Without a call for so long, the connection is closed (and the child ended) until the next
    /// call. 0 keeps it, or leaves it to the gateway's own setting where a session has it for itself.
    pub idle_timeout_ms: u64,
    /// Requests under way at once; more wait their turn. 0 counts as 1.
    pub max_concurrency: usize,
    /// Largest message accepted from the server, in bytes. 0 accepts none, which is of no use.
    pub max_message_bytes: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 30_000,
            request_timeout_ms: 60_000,
            max_request_timeout_ms: 600_000,
            idle_timeout_ms: 0,
            max_concurrency: 256,
            max_message_bytes: 64 * 1024 * 1024,
        }
    }
}

impl ServerLimits {
    /// [`connect_timeout_ms`](Self::connect_timeout_ms) as a duration; never zero.
    pub fn connect_timeout(&self) -> Duration {
        let own = Some(self.connect_timeout_ms).filter(|&own| own > 0);
        Duration::from_millis(own.unwrap_or_else(|| Self::default().connect_timeout_ms))
    }

    /// [`request_timeout_ms`](Self::request_timeout_ms) as a duration; zero for no limit.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    /// [`max_request_timeout_ms`](Self::max_request_timeout_ms) as a duration.
    pub fn max_request_timeout(&self) -> Duration {
        Duration::from_millis(self.max_request_timeout_ms)
    }
}

impl ServerSpec {
    /// A server `name`, reached by the transport called `transport` at `endpoint`, with default limits.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] where the name is empty, longer than 128 bytes, or has control
    /// characters.
    pub fn new(name: impl Into<String>, transport: impl Into<String>, endpoint: Endpoint) -> Result<Self> {
        let name = name.into();
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("server name {name:?} must have 1 to {MAX_NAME} bytes and no control characters"),
            ));
        }
        let mut spec = Self {
            name,
            uuid: Uuid::nil(),
            transport: transport.into(),
            endpoint,
            limits: ServerLimits::default(),
            shared: false,
            disabled: false,
        };
        spec.uuid = spec.identity();
        Ok(spec)
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self.uuid = self.identity();
        self
    }

    /// Lets all sessions share one connection to it. Without, each session has its own.
    #[must_use]
    pub fn with_shared(mut self, shared: bool) -> Self {
        self.shared = shared;
        self.uuid = self.identity();
        self
    }

    /// Keeps it in the list without ever connecting to it.
    #[must_use]
    pub fn with_disabled(mut self, disabled: bool) -> Self {
        self.disabled = disabled;
        self.uuid = self.identity();
        self
    }

    /// Its name, unique in its session.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its identity: a hash (UUID v5, RFC 9562) of all that it says.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// The name of the transport: `stdio`, `http`.
    pub fn transport(&self) -> &str {
        &self.transport
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its limits.
    pub fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// Whether sessions share one connection to it.
    pub fn shared(&self) -> bool {
        self.shared
    }

    /// Whether it is never connected.
    pub fn disabled(&self) -> bool {
        self.disabled
    }

    /// Whether reaching it means starting a program.
    pub fn is_command(&self) -> bool {
        matches!(self.endpoint, Endpoint::Command(_))
    }

    /// Whether it carries values that are meant for it alone: variables of its environment, or headers.
    pub fn has_secrets(&self) -> bool {
        match &self.endpoint {
            Endpoint::Command(command) => !command.env.is_empty(),
            Endpoint::Url(url) => !url.headers.is_empty(),
        }
    }

    fn identity(&self) -> Uuid {
        let mut unnamed = self.clone();
        unnamed.uuid = Uuid::nil();
        let text = serde_json::to_vec(&unnamed).expect("a spec is plain data with string keys");
        Uuid::new_v5(&SERVER_NAMESPACE, &text)
    }
}

fn expose_values<S: Serializer>(values: &BTreeMap<String, Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(values.iter().map(|(name, value)| (name, value.expose())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(program: &str) -> ServerSpec {
        let command = Command { program: program.to_owned(), ..Command::default() };
        ServerSpec::new("demo", "stdio", Endpoint::Command(command)).expect("valid")
    }

    #[test]
    fn equal_content_has_equal_identity() {
        assert_eq!(spec("a").uuid(), spec("a").uuid());
        assert_ne!(spec("a").uuid(), spec("b").uuid());
        assert_ne!(spec("a").uuid(), spec("a").with_shared(true).uuid());
    }

    #[test]
    fn debug_shows_no_secret() {
        let env = BTreeMap::from([("TOKEN".to_owned(), Secret::new("hush"))]);
        let command = Command { program: "x".to_owned(), env, ..Command::default() };
        let spec = ServerSpec::new("demo", "stdio", Endpoint::Command(command)).expect("valid");
        assert!(!format!("{spec:?}").contains("hush"));
        let stored = serde_json::to_string(&spec).expect("serializes");
        assert_eq!(serde_json::from_str::<ServerSpec>(&stored).expect("reads"), spec);
    }

    #[test]
    fn refuses_bad_names() {
        for name in ["", "a\nb", &"x".repeat(129)] {
            assert!(ServerSpec::new(name, "http", Endpoint::Url(Url::default())).is_err());
        }
    }
}
