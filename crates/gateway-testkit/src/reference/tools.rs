//! What the reference server's tools do.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::ODD_RESULT;
use super::peer::{Peer, Request};
use super::server::Frame;
use super::wire::{Fault, INVALID_PARAMS, Params, SERVER_ERROR, notification, quote};

/// Largest result of the tool `big`, in bytes.
const MAX_BIG: usize = 512 * 1024 * 1024;

/// Arguments of all tools; each reads its own.
#[derive(Default, Deserialize)]
struct Arguments<'a> {
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(default)]
    bytes: usize,
    #[serde(default)]
    ms: u64,
    #[serde(default)]
    pause_ms: u64,
    #[serde(default)]
    steps: u64,
    #[serde(default)]
    code: Option<i64>,
    #[serde(default)]
    message: Option<String>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// Runs a tool and returns its result as JSON text.
pub(super) async fn call(peer: &Peer, request: &Request, params: &Params<'_>) -> Result<String, Fault> {
    let Some(name) = params.name.as_deref() else {
        return Err(Fault::new(INVALID_PARAMS, "`name` is missing"));
    };
    let arguments = params.arguments.map_or("{}", RawValue::get);
    let arguments: Arguments<'_> = serde_json::from_str(arguments)
        .map_err(|error| Fault::of_tool(INVALID_PARAMS, format!("arguments: {error}")))?;
    let calls = peer.calls.fetch_add(1, Relaxed) + 1;
    let delay = peer.server.options.delay_ms;
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let reply = Reply { modern: request.arrival.modern, unknown_part: peer.server.options.unknown_content };
    match name {
        "odd" => Ok(ODD_RESULT.to_owned()),
        "big" => reply.of_size(arguments.bytes),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(arguments.ms)).await;
            Ok(reply.text("done"))
        }
        "cancelled" => Ok(reply.facts(&cancelled(peer))),
        "hang" => std::future::pending().await,
        "die" => std::process::exit(3),
        "fail" => Ok(reply.failure(&string_or(arguments.text, "it failed on purpose")?)),
        "rpc_error" => Err(rpc_error(&arguments)),
        "progress" => {
            report_progress(request, params, &arguments).await;
            Ok(reply.text("done"))
        }
        "log" => {
            log(request, params, &arguments)?;
            Ok(reply.text("done"))
        }
        "add_tool" => {
            let name = required(arguments.name, "name")?;
            peer.server.add_tool(&name);
            Ok(reply.text(&name))
        }
        "whoami" => Ok(reply.facts(&whoami(peer, calls))),
        "ask" => ask(peer, request, arguments, reply).await,
        "forget" => {
            peer.forgotten.store(true, Relaxed);
            Ok(reply.text("forgotten"))
        }
        "headers" => Ok(reply.facts(request.arrival.headers.as_deref().unwrap_or("{}"))),
        "env" => {
            let name = required(arguments.name, "name")?;
            Ok(reply.facts(&serde_json::Value::from(std::env::var(name).ok()).to_string()))
        }
        "params" => Ok(reply.facts(request.params.get())),
        name if name == "echo" || peer.server.is_echo_like(name) => {
            let text = arguments.text.ok_or_else(|| missing("text"))?;
            if !text.get().starts_with('"') {
                return Err(Fault::of_tool(INVALID_PARAMS, "`text` must be a string"));
            }
            if arguments.ms > 0 {
                tokio::time::sleep(Duration::from_millis(arguments.ms)).await;
            }
            Ok(reply.quoted(text.get(), false))
        }
        name => Err(Fault::of_tool(INVALID_PARAMS, format!("Unknown tool: {name}"))),
    }
}

/// How results are written.
#[derive(Clone, Copy)]
struct Reply {
    modern: bool,
    unknown_part: bool,
}

impl Reply {
    fn text(self, text: &str) -> String {
        self.quoted(&quote(text), false)
    }

    /// JSON text as text content.
    fn facts(self, json: &str) -> String {
        self.text(json)
    }

    fn failure(self, quoted: &str) -> String {
        self.quoted(quoted, true)
    }

    /// `quoted` is a JSON string as it shall appear.
    fn quoted(self, quoted: &str, is_error: bool) -> String {
        let head = if self.modern { r#""resultType":"complete","# } else { "" };
        let part = if self.unknown_part { r#",{"type":"x-hologram","payload":{"n":1.50e+3},"text":7}"# } else { "" };
        format!(r#"{{{head}"content":[{{"type":"text","text":{quoted}}}{part}],"isError":{is_error}}}"#)
    }

    /// A result whose whole JSON text has `bytes` bytes.
    fn of_size(self, bytes: usize) -> Result<String, Fault> {
        let empty = self.text("").len();
        if !(empty..=MAX_BIG).contains(&bytes) {
            let why = format!("`bytes` must be between {empty} and {MAX_BIG}");
            return Err(Fault::of_tool(INVALID_PARAMS, why));
        }
        Ok(self.quoted(&format!("\"{}\"", "x".repeat(bytes - empty)), false))
    }
}

fn cancelled(peer: &Peer) -> String {
    let counters = &peer.server.counters;
    let by_notification = counters.cancelled_by_notification.load(Relaxed);
    let by_disconnect = counters.cancelled_by_disconnect.load(Relaxed);
    // This request is under way itself.
    let running = counters.running.load(Relaxed).saturating_sub(1);
    format!(
        r#"{{"cancelled":{},"by_notification":{by_notification},"by_disconnect":{by_disconnect},"running":{running}}}"#,
        by_notification + by_disconnect,
    )
}

fn whoami(peer: &Peer, calls: u64) -> String {
    let directory = std::env::current_dir().ok().map(|path| path.display().to_string());
    serde_json::json!({
        "name": peer.server.options.name,
        "pid": std::process::id(),
        "connection": peer.number,
        "calls": calls,
        "protocol_version": peer.version(),
        "cwd": directory,
    })
    .to_string()
}

fn rpc_error(arguments: &Arguments<'_>) -> Fault {
    let message = arguments.message.as_deref().unwrap_or("it went wrong on purpose");
    let fault = Fault::of_tool(arguments.code.unwrap_or(SERVER_ERROR), message);
    match arguments.data {
        Some(data) => fault.with_data(data.get().to_owned()),
        None => fault,
    }
}

async fn report_progress(request: &Request, params: &Params<'_>, arguments: &Arguments<'_>) {
    let token = params.meta.as_ref().and_then(|meta| meta.progress_token);
    for step in 1..=arguments.steps {
        if let Some(token) = token {
            let params = format!(
                r#"{{"progressToken":{},"progress":{step},"total":{},"message":"step {step}","x-unknown":1.0}}"#,
                token.get(),
                arguments.steps,
            );
            let message = notification("notifications/progress", &params);
            request.arrival.outlet.send(Frame::Other(message));
        }
        if arguments.pause_ms > 0 {
            tokio::time::sleep(Duration::from_millis(arguments.pause_ms)).await;
        }
    }
}

fn log(request: &Request, params: &Params<'_>, arguments: &Arguments<'_>) -> Result<(), Fault> {
    let text = string_or(arguments.text, "a log message")?;
    let level = quote(arguments.level.as_deref().unwrap_or("info"));
    // A modern client hears log messages only when it names a level (SEP-2575).
    let wanted = !request.arrival.modern || params.meta.as_ref().is_some_and(|meta| meta.log_level.is_some());
    if wanted {
        let params = format!(r#"{{"level":{level},"logger":"reference","data":{text}}}"#);
        request.arrival.outlet.send(Frame::Other(notification("notifications/message", &params)));
    }
    Ok(())
}

async fn ask(peer: &Peer, request: &Request, arguments: Arguments<'_>, reply: Reply) -> Result<String, Fault> {
    let method = required(arguments.method, "method")?;
    let params = arguments.params.map_or("{}", RawValue::get);
    if request.arrival.modern {
        return ask_by_result(request, &method, params, reply);
    }
    match peer.ask(&request.arrival.outlet, &method, params).await {
        Some(answer) => Ok(reply.facts(&answer)),
        None => Err(Fault::of_tool(SERVER_ERROR, "the client is gone")),
    }
}

/// The members that a modern client sends when it calls again.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Again<'a> {
    #[serde(borrow)]
    input_responses: Option<Responses<'a>>,
}

#[derive(Deserialize)]
struct Responses<'a> {
    #[serde(borrow)]
    asked: Option<&'a RawValue>,
}

/// A modern server asks by its result, and is called again with the answer.
fn ask_by_result(request: &Request, method: &str, params: &str, reply: Reply) -> Result<String, Fault> {
    let again: Again<'_> = serde_json::from_str(request.params.get())
        .map_err(|error| Fault::of_tool(INVALID_PARAMS, format!("inputResponses: {error}")))?;
    match again.input_responses.and_then(|responses| responses.asked) {
        Some(answer) => Ok(reply.facts(&format!(r#"{{"result":{}}}"#, answer.get()))),
        None => Ok(format!(
            r#"{{"resultType":"input_required","inputRequests":{{"asked":{{"method":{},"params":{params}}}}}}}"#,
            quote(method)
        )),
    }
}

/// The argument as a JSON string, or a default.
fn string_or(argument: Option<&RawValue>, default: &str) -> Result<String, Fault> {
    match argument.map(RawValue::get) {
        None => Ok(quote(default)),
        Some(text) if text.starts_with('"') => Ok(text.to_owned()),
        Some(_) => Err(Fault::of_tool(INVALID_PARAMS, "`text` must be a string")),
    }
}

fn required(argument: Option<String>, name: &str) -> Result<String, Fault> {
    argument.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Fault {
    Fault::of_tool(INVALID_PARAMS, format!("the argument `{name}` is missing"))
}
