//! What the configuration means. Every leaf's own settings stand here as they are.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use gateway_core::{EngineConfig, Secret, ServerLimits};
use gateway_layers::{BreakerConfig, ConcurrencyConfig, MetricsConfig, RetryConfig};
use http_server::HttpServerConfig;
use serve_mcp::McpConfig;
use serve_relay::RelayConfig;
use serve_rest::RestConfig;
use serve_ui::UiConfig;
use transport_http::HttpConfig;
use transport_stdio::StdioConfig;

use super::queue::QueueSettings;
use super::search::SearchSettings;
use super::storage::{RedisSettings, StorageSettings};

/// Everything that a gateway is told, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where it listens too, on machines that have this address: `localhost` is `::1` to many clients.
    pub second_address: Option<IpAddr>,
    /// The key that callers must present; without one everybody who reaches the address may call.
    pub api_key: Option<Secret>,
    /// How long calls under way may go on after the signal to stop.
    pub grace: Duration,
    /// Worker threads.
    pub threads: NonZeroUsize,
    /// The HTTP server that the doors share.
    pub server: HttpServerConfig,
    /// The REST door.
    pub rest: RestConfig,
    /// The MCP door.
    pub mcp: McpConfig,
    /// Whether `gateway-mcp` speaks on standard input and output instead of listening.
    pub speaks_stdio: bool,
    /// The gateway that `gateway-mcp` stands in front of, where there is one.
    pub relay: Option<RelayConfig>,
    /// The engine.
    pub engine: EngineConfig,
    /// The servers file.
    pub servers: ServersSettings,
    /// Programs as upstream servers.
    pub stdio: StdioConfig,
    /// Upstream servers on the network.
    pub http: HttpConfig,
    /// What stands round every call.
    pub resilience: ResilienceSettings,
    /// Search.
    pub search: SearchSettings,
    /// Logging.
    pub log: LogSettings,
    /// Where the gateway may keep data between runs.
    pub data_dir: Option<PathBuf>,
    /// The Redis, where one is named.
    pub redis: Option<RedisSettings>,
    /// Where sessions, servers added at run time, and usage are kept.
    pub storage: StorageSettings,
    /// The message queue.
    pub queue: QueueSettings,
    /// What is counted of use.
    pub usage: UsageSettings,
    /// Whether the dashboard is served at `/ui`.
    pub dashboard: bool,
    /// The dashboard.
    pub ui: UiConfig,
}

/// What is counted of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageSettings {
    /// Whether anything is.
    pub enabled: bool,
    /// Whether the words of searches are kept, too.
    pub queries: bool,
    /// How long counts are kept, in days.
    pub retention_days: u64,
}

/// The servers file.
#[derive(Clone, Debug)]
pub struct ServersSettings {
    /// Where it is; looked for in the usual places when absent.
    pub file: Option<PathBuf>,
    /// Whether changes of it are followed.
    pub watch: bool,
    /// The limits of a server that says nothing of its own.
    pub limits: ServerLimits,
}

/// What stands round every call.
#[derive(Clone, Debug, Default)]
pub struct ResilienceSettings {
    /// Counting and timing.
    pub metrics: MetricsConfig,
    /// The queue before a server that is busy.
    pub concurrency: ConcurrencyConfig,
    /// Leaving alone a server that fails again and again.
    pub breaker: BreakerConfig,
    /// Second attempts.
    pub retry: RetryConfig,
}

/// What is logged, and how. Logs go to standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The least important that is logged.
    pub level: LogLevel,
    /// The form of a line.
    pub format: LogFormat,
    /// Exceptions from `level`, such as `transport_stdio=debug,serve_rest=warn`.
    pub filter: String,
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing at all.
    Off,
    /// What failed.
    Error,
    /// What may fail soon.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// How it happens.
    Debug,
    /// Everything.
    Trace,
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogLevel {
    /// Its words, Python's among them; the first of each is the one that is shown.
    pub(crate) const WORDS: [(&'static str, Self); 10] = [
        ("off", Self::Off),
        ("error", Self::Error),
        ("critical", Self::Error),
        ("fatal", Self::Error),
        ("warning", Self::Warn),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
        ("notset", Self::Trace),
    ];

    /// Its word in a filter.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
