//! Lists of servers in the shape that every MCP client uses: `{"mcpServers": {"NAME": {...}}}`.
//!
//! Reads text only: who may add which server is decided elsewhere. One bad entry never stops the good
//! ones, and all mistakes of an entry are told together. No message shows a value of `env`, `headers`
//! or `args`, a URL's credentials or its query, since secrets live there.

mod check;
mod expand;
mod fields;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde_json::value::RawValue;

use self::fields::{Fields, Object, Text, shown};
use crate::{Command, Endpoint, Error, ErrorKind, Result, Secret, ServerLimits, ServerSpec, Url};

/// Largest text that is read, in bytes.
pub const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// Most servers in one list.
pub const MAX_ENTRIES: usize = 10_000;

/// Most arguments, variables or headers of one server.
const MAX_ITEMS: usize = 1024;

/// Longest single text of an entry, in bytes. Linux takes no longer argument than 128 KiB.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// Longest time limit: a day.
const MAX_TIMEOUT_MS: u64 = 24 * 60 * 60 * 1000;

/// Longest idle time: thirty days.
const MAX_IDLE_MS: u64 = 30 * MAX_TIMEOUT_MS;

/// One entry of a list: a server, or why it is none.
pub type ParsedEntry = std::result::Result<ServerSpec, EntryError>;

/// How a list is read.
#[derive(Clone, Debug)]
pub struct Policy<'a> {
    /// What `${VAR}` means.
    pub variables: Variables<'a>,
    /// The limits of a server that says nothing of its own.
    pub limits: ServerLimits,
}

/// What `${VAR}` and `${VAR:-default}` mean in `command`, `args`, `env`, `cwd`, `url` and `headers`.
#[derive(Clone, Copy)]
pub enum Variables<'a> {
    /// They stand for what this function knows; the servers file has the environment here.
    From(&'a dyn Fn(&str) -> Option<String>),
    /// They are a mistake: a caller from outside must not read the gateway's environment.
    Refused,
}

/// An entry that is no server.
#[derive(Debug)]
pub struct EntryError {
    /// Its name in the list, cut where it is very long.
    pub name: String,
    /// What is wrong with it and what to do, all mistakes in one sentence.
    pub error: Error,
}

/// Reads a list whose variables `expand` knows, with default limits; see [`parse_with`].
///
/// # Errors
/// Those of [`parse_with`].
pub fn parse(text: &str, expand: &dyn Fn(&str) -> Option<String>) -> Result<Vec<ParsedEntry>> {
    parse_with(text, &Policy { variables: Variables::From(expand), limits: ServerLimits::default() })
}

/// Reads `{"mcpServers": {...}}` (or VS Code's `{"servers": {...}}`) in the order of the text. Unknown
/// fields are passed over, since other clients put theirs there.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] where the text is no such list at all, [`ErrorKind::TooLarge`] where it
/// is beyond [`MAX_TEXT_BYTES`] or [`MAX_ENTRIES`].
pub fn parse_with(text: &str, policy: &Policy<'_>) -> Result<Vec<ParsedEntry>> {
    let entries = entries_of(text)?;
    let mut names = HashSet::new();
    let parsed = entries.iter().map(|(name, value)| {
        if names.insert(name.as_str()) {
            entry(name, value, policy)
        } else {
            Err(EntryError::new(name, "another server of the list has this name; rename one of them"))
        }
    });
    Ok(parsed.collect())
}

impl EntryError {
    fn new(name: &str, message: impl Into<String>) -> Self {
        let name: String = name.chars().take(128).collect();
        let error = Error::new(ErrorKind::InvalidRequest, message).with_context("server", name.clone());
        Self { name, error }
    }
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server {:?}: {}", self.name, self.error)
    }
}

impl std::error::Error for EntryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::From(_) => "From(..)",
            Self::Refused => "Refused",
        })
    }
}

fn entries_of(text: &str) -> Result<Vec<(String, &RawValue)>> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidRequest, message);
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("the list of servers has {} bytes; at most {MAX_TEXT_BYTES} are read", text.len()),
        ));
    }
    // Windows editors put a byte order mark first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Object(mut document) = serde_json::from_str(text).map_err(|error| {
        invalid(match error.classify() {
            serde_json::error::Category::Data => {
                r#"the list of servers must be an object: {"mcpServers": {"NAME": {...}}}"#.to_owned()
            }
            _ => format!("the list of servers is not valid JSON: {error}"),
        })
    })?;
    let mut of_key = |key: &str| -> Result<Option<&RawValue>> {
        let mut found = document.extract_if(.., |(name, _)| name == key);
        let first = found.next().map(|(_, value)| value);
        match found.next() {
            Some(_) => Err(invalid(format!("the list of servers has {key:?} twice; join the two"))),
            None => Ok(first),
        }
    };
    let found = match of_key("mcpServers")? {
        Some(value) => Some(("mcpServers", value)),
        None => of_key("servers")?.map(|value| ("servers", value)),
    };
    let Some((key, value)) = found else {
        let keys: Vec<_> = document.iter().take(5).map(|(name, _)| shown(name)).collect();
        let found = if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
        return Err(invalid(format!(
            r#"the list of servers must have the key "mcpServers" at its top: {{"mcpServers": {{"NAME": {{...}}}}}}; found {found}"#
        )));
    };
    let Object(entries) = serde_json::from_str(value.get())
        .map_err(|_| invalid(format!(r#"{key:?} must be an object: {{"NAME": {{...}}}}"#)))?;
    if entries.len() > MAX_ENTRIES {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("the list has {} servers; at most {MAX_ENTRIES} are read", entries.len()),
        ));
    }
    Ok(entries)
}

fn entry(name: &str, value: &RawValue, policy: &Policy<'_>) -> ParsedEntry {
    let Ok(object) = serde_json::from_str::<Object<'_>>(value.get()) else {
        return Err(EntryError::new(
            name,
            r#"must be an object, such as {"command": "npx", "args": [...]} or {"url": "https://..."}"#,
        ));
    };
    let mut fields = Fields::new(object, policy.variables);
    let disabled = disabled(&mut fields);
    if disabled {
        fields.keep_variables();
    }
    let shared = fields.flag(&["shared"]).unwrap_or(false);
    let limits = limits(&mut fields, &policy.limits);
    let place = place(&mut fields);
    let mut mistakes = fields.into_mistakes();
    let spec = place.and_then(|(transport, endpoint)| {
        ServerSpec::new(name, transport, endpoint)
            .map_err(|_| {
                mistakes.push(format!(
                    "the name {} must have 1 to 128 bytes and no control characters; rename it",
                    shown(name)
                ))
            })
            .ok()
    });
    match spec {
        Some(spec) if mistakes.is_empty() => Ok(spec.with_limits(limits).with_shared(shared).with_disabled(disabled)),
        _ => Err(EntryError::new(name, mistakes.join("; "))),
    }
}

/// `disabled: true`, or `enabled: false` as some clients write it.
fn disabled(fields: &mut Fields<'_>) -> bool {
    let disabled = fields.flag(&["disabled"]);
    let enabled = fields.flag(&["enabled"]);
    disabled.unwrap_or(false) || enabled == Some(false)
}

fn limits(fields: &mut Fields<'_>, defaults: &ServerLimits) -> ServerLimits {
    // Some clients count `timeout` in seconds: a number that can only be seconds must not become a limit
    // of a few milliseconds.
    let timeout = fields.number(
        &["timeout"],
        1000..=MAX_TIMEOUT_MS,
        "it counts milliseconds; write request_timeout_ms for less than a second",
    );
    let mut time = |names: &[&str], lowest, highest| fields.number(names, lowest..=highest, "it counts milliseconds");
    let connect_timeout_ms = time(&["connect_timeout_ms"], 1, MAX_TIMEOUT_MS);
    let request_timeout_ms = time(&["request_timeout_ms"], 1, MAX_TIMEOUT_MS).or(timeout);
    let max_request_timeout_ms = time(&["max_request_timeout_ms"], 0, MAX_TIMEOUT_MS);
    let idle_timeout_ms = time(&["idle_timeout_ms"], 0, MAX_IDLE_MS);
    let max_concurrency = fields.number(&["max_concurrency"], 1..=100_000, "");
    let max_message_bytes = fields.number(&["max_message_bytes"], 1024..=1 << 30, "it counts bytes");
    if let (Some(own @ 1..), Some(request)) = (max_request_timeout_ms, request_timeout_ms)
        && own < request
    {
        fields.mistake(format!(
            "max_request_timeout_ms ({own}) is below the request time-out ({request}); raise it, or set 0 so that \
             progress gives no more time"
        ));
    }
    let size = |number: Option<u64>, default| number.and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
    ServerLimits {
        connect_timeout_ms: connect_timeout_ms.unwrap_or(defaults.connect_timeout_ms),
        request_timeout_ms: request_timeout_ms.unwrap_or(defaults.request_timeout_ms),
        max_request_timeout_ms: max_request_timeout_ms.unwrap_or(defaults.max_request_timeout_ms),
        idle_timeout_ms: idle_timeout_ms.unwrap_or(defaults.idle_timeout_ms),
        max_concurrency: size(max_concurrency, defaults.max_concurrency),
        max_message_bytes: size(max_message_bytes, defaults.max_message_bytes),
    }
}

/// The transport's name and the endpoint; `None` after noting a mistake.
fn place(fields: &mut Fields<'_>) -> Option<(String, Endpoint)> {
    let transport = transport(fields);
    let has_place = fields.has(&["command", "url", "server_url", "http_url"]);
    let command = fields.text(&["command"]);
    let args = fields.texts("args");
    let env = fields.map("env");
    let cwd = fields.text(&["cwd"]);
    let clean_env = fields.flag(&["clean_env"]).unwrap_or(false);
    let url = fields.text(&["url", "server_url", "http_url"]);
    let headers = fields.map("headers");

    let transport = match (transport, &command, &url) {
        (Some(transport), ..) => transport,
        (None, Some(_), Some(_)) => {
            fields.mistake(r#"has both "command" and "url"; remove one, or set "transport" to "stdio" or "http""#);
            return None;
        }
        (None, Some(_), None) => "stdio".to_owned(),
        (None, None, Some(_)) => "http".to_owned(),
        // What is wrong with the one that is there has been said already.
        (None, None, None) if has_place => return None,
        (None, None, None) => {
            fields.mistake(r#"has neither "command" nor "url"; a server needs one of them"#);
            return None;
        }
    };
    let endpoint = match (transport.as_str(), command) {
        ("stdio", None) => {
            fields.mistake(r#"the transport "stdio" needs "command", the program to start"#);
            return None;
        }
        ("stdio", Some(program)) => {
            let program = check::program(fields, &program)?;
            let args = args.into_iter().map(|arg| arg.value).collect();
            let env = check::env(fields, env);
            let cwd = cwd.and_then(|cwd| check::directory(fields, &cwd));
            Endpoint::Command(Command { program, args, env, cwd, clean_env })
        }
        (transport, _) => {
            let Some(url) = url.or_else(|| last_url(args)) else {
                fields
                    .mistake(format!("the transport {} needs \"url\", such as \"https://host/mcp\"", shown(transport)));
                return None;
            };
            let url = check::url(fields, &url)?;
            Endpoint::Url(Url { url, headers: check::headers(fields, headers) })
        }
    };
    Some((transport, endpoint))
}

/// The original gateway took the address of an HTTP server from its arguments.
fn last_url(args: Vec<Text>) -> Option<Text> {
    args.into_iter().rev().find(|arg| check::has_http_scheme(&arg.value))
}

fn transport(fields: &mut Fields<'_>) -> Option<String> {
    let typed = fields.plain_text(&["transport", "type", "transport_type"])?;
    let name = typed.to_ascii_lowercase();
    match name.as_str() {
        "stdio" | "local" | "command" => Some("stdio".to_owned()),
        "http" | "https" | "streamable-http" | "streamable_http" | "streamablehttp" | "remote" => {
            Some("http".to_owned())
        }
        // Other names are the business of whoever has a transport of that name.
        _ if (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') =>
        {
            Some(name)
        }
        _ => {
            fields.mistake(format!(
                "the transport {} is no name of one; use \"stdio\", \"http\" or \"sse\"",
                shown(&typed)
            ));
            None
        }
    }
}

/// Values that nothing shows.
type Secrets = BTreeMap<String, Secret>;
