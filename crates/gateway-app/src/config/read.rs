//! From what was typed to what it means: each setting's key, default and bounds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use gateway_core::{CommandServers, EngineConfig, Prefix, RawJson, Secret, ServerLimits};
use gateway_layers::{BreakerConfig, ConcurrencyConfig, MetricsConfig, RetryConfig};
use http_server::{BodyLimits, HttpServerConfig};
use serve_mcp::{Binding, Expose, McpConfig};
use serve_rest::RestConfig;
use serve_ui::{ChangeServers, UiConfig};
use transport_http::HttpConfig;
use transport_stdio::StdioConfig;

use super::queue::queue;
use super::read_relay::relay;
use super::reader::Reader;
use super::search::search;
use super::settings::{LogFormat, LogLevel, LogSettings, ResilienceSettings, ServersSettings, Settings, UsageSettings};
use super::storage::{redis, storage};
use crate::arguments::Program;

/// The longest time that a setting in milliseconds may name: a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The largest size that a setting in bytes may name.
pub(super) const GIB: u64 = 1 << 30;

/// Who may add command servers, as the configuration writes it.
const COMMAND_SERVERS: [(&str, CommandServers); 3] = [
    ("local", CommandServers::Local),
    ("authenticated", CommandServers::Authenticated),
    ("never", CommandServers::Never),
];

/// When tools are prefixed, as the configuration writes it.
const PREFIXES: [(&str, Prefix); 3] =
    [("always", Prefix::Always), ("on-collision", Prefix::OnCollision), ("never", Prefix::Never)];

/// Who may change servers with the dashboard, as the configuration writes it.
const CHANGERS: [(&str, ChangeServers); 3] = [
    ("always", ChangeServers::Always),
    ("authenticated", ChangeServers::Authenticated),
    ("never", ChangeServers::Never),
];

/// What MCP clients see, as the configuration writes it.
const EXPOSURES: [(&str, Expose); 2] = [("search", Expose::Search), ("all", Expose::All)];

/// Which servers an MCP client gets, as the configuration writes it.
const BINDINGS: [(&str, Binding); 2] = [("shared", Binding::Shared), ("own", Binding::Own)];

/// Upstream programs and callers on the same machine need the other half; and a call costs less when it does
/// not change processors on its way.
fn half_of_the_processors() -> NonZeroUsize {
    let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(all / 2).unwrap_or(NonZeroUsize::MIN)
}

/// Reads everything, for this program. A setting with a mistake has its default; the reader knows of the mistake.
pub(super) fn settings(reader: &mut Reader<'_>, program: &Program) -> Settings {
    let (address, second_address) = address(reader, program);
    let server = server(reader);
    let rest = rest(reader);
    let grace = reader.number("server.grace_ms", 0..=DAY_MS, 10_000);
    let threads = reader.count("server.threads", 0..=1024, 0);
    let api_key = key(reader, "auth.api_key");
    refuse_open_door(reader, address, api_key.as_ref());
    let servers = servers(reader);
    let command_servers = reader.choice("servers.command_servers", &COMMAND_SERVERS, CommandServers::default());
    let prefix = reader.choice("servers.prefix", &PREFIXES, Prefix::default());
    let engine = engine(reader, command_servers, prefix);
    let mcp = mcp(reader, &rest);
    let speaks_stdio = reader.flag("mcp.stdio", false);
    let relay = relay(reader, &mcp, Duration::from_millis(grace));
    let data_dir = reader.path("data.dir");
    let redis = redis(reader);
    let storage = storage(reader, redis.as_ref(), data_dir.as_ref());
    let queue = queue(reader, redis.as_ref());
    let ui = UiConfig {
        change_servers: reader.choice("ui.change_servers", &CHANGERS, ChangeServers::default()),
        server_limits: servers.limits.clone(),
        keep_alive_ms: rest.event_keep_alive_ms,
        ..UiConfig::default()
    };
    Settings {
        address,
        second_address,
        api_key,
        grace: Duration::from_millis(grace),
        threads: NonZeroUsize::new(threads).unwrap_or_else(half_of_the_processors),
        server,
        speaks_stdio,
        relay,
        rest: RestConfig { server_limits: servers.limits.clone(), ..rest },
        mcp,
        engine,
        servers,
        stdio: stdio(reader),
        http: http(reader),
        resilience: resilience(reader),
        search: search(reader),
        log: log(reader),
        data_dir,
        redis,
        storage,
        queue,
        usage: UsageSettings {
            enabled: reader.flag("usage.enabled", true),
            queries: reader.flag("usage.queries", true),
            retention_days: reader.number("usage.retention_days", 1..=3_660, 30),
        },
        dashboard: reader.flag("ui.enabled", true),
        ui,
    }
}

/// The address to listen on, and a second one with the same port where `localhost` means both.
fn address(reader: &mut Reader<'_>, program: &Program) -> (SocketAddr, Option<IpAddr>) {
    let host = reader.text("server.host", "localhost");
    let (ip, second) = match host.trim().trim_start_matches('[').trim_end_matches(']') {
        "localhost" => (IpAddr::V4(Ipv4Addr::LOCALHOST), Some(IpAddr::V6(Ipv6Addr::LOCALHOST))),
        host => {
            let ip = host.parse().unwrap_or_else(|_| {
                let problem = "must be localhost or an IP address, such as 127.0.0.1, ::1 or 0.0.0.0";
                reader.mistake("server.host", problem);
                IpAddr::V4(Ipv4Addr::LOCALHOST)
            });
            (ip, None)
        }
    };
    // Both programs can run with one configuration.
    let http = reader.number("server.port", 0..=u64::from(u16::MAX), 8000);
    let mcp = reader.number("mcp.port", 0..=u64::from(u16::MAX), 3000);
    let port = match program {
        Program::Http => http,
        Program::Mcp(_) => mcp,
    };
    (SocketAddr::new(ip, u16::try_from(port).unwrap_or_default()), second)
}

/// Another address than loopback without a key is a door open to everybody who reaches it.
fn refuse_open_door(reader: &mut Reader<'_>, address: SocketAddr, key: Option<&Secret>) {
    let insecure = reader.flag("server.insecure_bind", false);
    if !address.ip().to_canonical().is_loopback() && key.is_none() && !insecure {
        reader.mistake(
            "server.host",
            "is not loopback, so the gateway needs an API key: set GATEWAY_API_KEY (or auth.api_key). \
             Where everybody who reaches this address may run its tools, set server.insecure_bind = true",
        );
    }
}

/// A key that a header can carry.
pub(super) fn key(reader: &mut Reader<'_>, setting: &'static str) -> Option<Secret> {
    let key = reader.secret(setting)?;
    if key.expose().is_empty() {
        reader.mistake(setting, "is empty; give it a value, or remove it to run without a key");
    }
    if !key.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        // No header can carry it, so nobody could ever present it.
        reader.mistake(setting, "must be of visible ASCII letters without white space; choose another");
    }
    Some(key)
}

fn server(reader: &mut Reader<'_>) -> HttpServerConfig {
    let default = HttpServerConfig::default();
    let allowed_hosts = reader.texts("server.allowed_hosts", &default.allowed_hosts);
    if let Some(host) = allowed_hosts.iter().find(|host| !is_host(host)) {
        let problem = format!("has {host:?}; a host is a name as in gateway.example, with or without :port");
        reader.mistake("server.allowed_hosts", problem);
    }
    let allowed_origins = reader.texts("server.allowed_origins", &default.allowed_origins);
    let is_word = |origin: &str| origin == "*" || origin == "loopback";
    if let Some(origin) = allowed_origins.iter().find(|origin| !is_word(origin) && !is_origin(origin)) {
        let problem = format!("has {origin:?}; an origin is as in https://app.example:8443, or loopback, or *");
        reader.mistake("server.allowed_origins", problem);
    }
    let admin_origins = reader.texts("server.admin_origins", &default.admin_origins);
    if let Some(origin) = admin_origins.iter().find(|origin| !is_origin(origin)) {
        let problem = format!("has {origin:?}; an origin is as in https://app.example:8443");
        reader.mistake("server.admin_origins", problem);
    }
    HttpServerConfig {
        allowed_hosts,
        allowed_origins,
        admin_origins,
        header_limit_bytes: reader.count("server.header_limit_bytes", 8192..=1 << 20, default.header_limit_bytes),
        max_headers: reader.count("server.max_headers", 16..=10_000, default.max_headers),
        keep_alive_ms: time_ms(reader, "server.keep_alive_ms", default.keep_alive_ms),
        write_timeout_ms: time_ms(reader, "server.write_timeout_ms", default.write_timeout_ms),
        max_connections: reader.count("server.max_connections", 1..=1_000_000, default.max_connections),
    }
}

fn rest(reader: &mut Reader<'_>) -> RestConfig {
    let default = RestConfig::default();
    RestConfig {
        // From the whole environment, which is not known here.
        variables: default.variables,
        server_limits: default.server_limits,
        body: BodyLimits {
            bytes: reader.count("server.body_limit_bytes", 1024..=GIB, default.body.bytes),
            timeout_ms: time_ms(reader, "server.body_timeout_ms", default.body.timeout_ms),
            nesting: reader.count("server.max_nesting", 8..=10_000, default.body.nesting),
        },
        max_timeout_ms: time_ms(reader, "server.max_timeout_ms", default.max_timeout_ms),
        event_keep_alive_ms: time_ms(reader, "server.event_keep_alive_ms", default.event_keep_alive_ms),
        max_waiting_events: reader.count("server.max_waiting_events", 1..=1_000_000, default.max_waiting_events),
    }
}

fn mcp(reader: &mut Reader<'_>, rest: &RestConfig) -> McpConfig {
    let default = McpConfig::default();
    let seconds =
        |reader: &mut Reader<'_>, key, default: u64| reader.number(key, 1..=30 * DAY_MS / 1000, default / 1000) * 1000;
    let session_ttl_ms = seconds(reader, "mcp.session_ttl_seconds", default.session_ttl_ms);
    let own_session_ttl_ms = seconds(reader, "mcp.own_session_ttl_seconds", default.own_session_ttl_ms);
    McpConfig {
        expose: reader.choice("mcp.expose", &EXPOSURES, default.expose),
        pinned: reader.texts("mcp.pinned", &default.pinned),
        binding: reader.choice("mcp.session", &BINDINGS, default.binding),
        page_size: reader.count("mcp.page_size", 1..=1_000_000, default.page_size),
        session_ttl_ms,
        own_session_ttl_ms,
        max_sessions: reader.count("mcp.max_sessions", 0..=10_000_000, default.max_sessions),
        resume_window_ms: reader.number("mcp.resume_window_ms", 0..=DAY_MS, default.resume_window_ms),
        input_window_ms: time_ms(reader, "mcp.input_window_ms", default.input_window_ms),
        first_list_patience_ms: reader.number("mcp.first_list_patience_ms", 0..=DAY_MS, default.first_list_patience_ms),
        keep_alive_ms: rest.event_keep_alive_ms,
        max_waiting_events: rest.max_waiting_events,
        body: rest.body,
    }
}

fn servers(reader: &mut Reader<'_>) -> ServersSettings {
    let default = ServerLimits::default();
    ServersSettings {
        file: reader.path("servers.file"),
        watch: reader.flag("servers.watch", true),
        limits: ServerLimits {
            connect_timeout_ms: time_ms(reader, "servers.connect_timeout_ms", default.connect_timeout_ms),
            request_timeout_ms: time_ms(reader, "servers.request_timeout_ms", default.request_timeout_ms),
            max_request_timeout_ms: reader.number(
                "servers.max_request_timeout_ms",
                0..=DAY_MS,
                default.max_request_timeout_ms,
            ),
            idle_timeout_ms: reader.number("servers.idle_timeout_ms", 0..=30 * DAY_MS, default.idle_timeout_ms),
            max_concurrency: reader.count("servers.max_concurrency", 1..=100_000, default.max_concurrency),
            max_message_bytes: reader.count("servers.max_message_bytes", 1024..=GIB, default.max_message_bytes),
        },
    }
}

/// What clients of the MCP door can be asked. Whether the one at hand can, turns out when it is asked.
const CLIENT_CAPABILITIES: &str =
    r#"{"sampling":{"context":{},"tools":{}},"elicitation":{"form":{},"url":{}},"roots":{"listChanged":true}}"#;

fn engine(reader: &mut Reader<'_>, command_servers: CommandServers, prefix: Prefix) -> EngineConfig {
    let default = EngineConfig::default();
    let year = 366 * DAY_MS / 1000;
    let seconds =
        |reader: &mut Reader<'_>, key, lowest, default| reader.number(key, lowest..=year, default / 1000) * 1000;
    let max_sessions = reader.count("sessions.max", 0..=10_000_000, default.max_sessions);
    let session_ttl_ms = seconds(reader, "sessions.ttl_seconds", 1, default.session_ttl_ms);
    let max_session_ttl_ms = seconds(reader, "sessions.max_ttl_seconds", 1, default.max_session_ttl_ms);
    if session_ttl_ms > max_session_ttl_ms {
        reader.mistake("sessions.ttl_seconds", "is longer than sessions.max_ttl_seconds; change one of them");
    }
    EngineConfig {
        max_sessions,
        session_ttl_ms,
        max_session_ttl_ms,
        session_idle_timeout_ms: seconds(reader, "sessions.idle_timeout_seconds", 0, default.session_idle_timeout_ms),
        max_servers_per_session: reader.count("sessions.max_servers", 1..=10_000, default.max_servers_per_session),
        max_processes: reader.count("sessions.max_processes", 0..=100_000, default.max_processes),
        command_servers,
        prefix,
        client_capabilities: RawJson::parse(CLIENT_CAPABILITIES).unwrap_or_else(|_| RawJson::empty_object()),
    }
}

fn stdio(reader: &mut Reader<'_>) -> StdioConfig {
    let default = StdioConfig::default();
    StdioConfig {
        probe_timeout: time(reader, "stdio.probe_timeout_ms", default.probe_timeout),
        stdin_grace: time(reader, "stdio.stdin_grace_ms", default.stdin_grace),
        term_grace: time(reader, "stdio.term_grace_ms", default.term_grace),
        max_outbox_bytes: reader.count("stdio.max_outbox_bytes", 1024..=GIB, default.max_outbox_bytes),
    }
}

fn http(reader: &mut Reader<'_>) -> HttpConfig {
    let default = HttpConfig::default();
    HttpConfig {
        idle_timeout: time(reader, "http.idle_timeout_ms", default.idle_timeout),
        tls_idle_timeout: time(reader, "http.tls_idle_timeout_ms", default.tls_idle_timeout),
        close_timeout: time(reader, "http.close_timeout_ms", default.close_timeout),
        ..default
    }
}

fn resilience(reader: &mut Reader<'_>) -> ResilienceSettings {
    let ResilienceSettings { metrics, concurrency, breaker, retry } = ResilienceSettings::default();
    let small = |reader: &mut Reader<'_>, key, lowest, default: u32| {
        let number = reader.number(key, lowest..=1_000_000, default.into());
        u32::try_from(number).unwrap_or(default)
    };
    ResilienceSettings {
        concurrency: ConcurrencyConfig {
            max_waiting: reader.count("resilience.max_waiting", 0..=1_000_000, concurrency.max_waiting),
        },
        breaker: BreakerConfig {
            failures_to_open: small(reader, "resilience.breaker_failures", 1, breaker.failures_to_open),
            cool_down_ms: reader.number("resilience.breaker_cool_down_ms", 1..=DAY_MS, breaker.cool_down_ms),
        },
        retry: RetryConfig {
            max_retries: small(reader, "resilience.retries", 0, retry.max_retries),
            pause_ms: reader.number("resilience.retry_pause_ms", 0..=DAY_MS, retry.pause_ms),
        },
        metrics: MetricsConfig { max_servers: reader.count("metrics.max_servers", 0..=100_000, metrics.max_servers) },
    }
}

/// A time that its owner keeps as a duration.
pub(super) fn time(reader: &mut Reader<'_>, key: &'static str, default: Duration) -> Duration {
    let default = u64::try_from(default.as_millis()).unwrap_or(DAY_MS);
    Duration::from_millis(reader.number(key, 1..=DAY_MS, default))
}

/// A time that its owner keeps in milliseconds.
fn time_ms(reader: &mut Reader<'_>, key: &'static str, default: u64) -> u64 {
    reader.number(key, 1..=DAY_MS, default)
}

fn log(reader: &mut Reader<'_>) -> LogSettings {
    let level = reader.choice("log.level", &LogLevel::WORDS, LogLevel::default());
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = reader.choice("log.format", &formats, LogFormat::default());
    let filter = reader.text("log.filter", "");
    if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&filter) {
        reader.mistake("log.filter", format!("must be as in transport_stdio=debug,serve_rest=warn: {error}"));
    }
    LogSettings { level, format, filter }
}

/// A host with or without a port, or `*`.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte));
    host == "*" || (is_name && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0)))
}

/// A scheme and a host, as browsers write it (RFC 6454, section 6.2).
fn is_origin(origin: &str) -> bool {
    let (scheme, host) = origin.split_once("://").unwrap_or_default();
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme && host != "*" && is_host(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_hosts_and_origins() {
        for host in ["gateway.example", "a:80", "*", "[::1]", "[::1]:8000", "10.0.0.1:1"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "a b", "a/b", "http://a", "a:0", "a:x", ":80"] {
            assert!(!is_host(host), "{host}");
        }
        for origin in ["https://app.example", "http://localhost:3000", "chrome-extension://abcdef"] {
            assert!(is_origin(origin), "{origin}");
        }
        for origin in ["", "app.example", "https://", "https://a/", "https://*", "null", "://a", "*"] {
            assert!(!is_origin(origin), "{origin}");
        }
    }
}
