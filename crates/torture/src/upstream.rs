//! A server whose tools count how often they ran, and fail now and then where that is wanted.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A legacy MCP server without sessions, over Streamable HTTP. Ends when dropped.
#[derive(Debug)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    counted: Arc<Counted>,
    _serving: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Counted {
    /// How often a tool ran, by tool and key.
    runs: Mutex<HashMap<(String, String), u64>>,
    calls: AtomicU64,
    faults: AtomicU64,
    /// Of so many calls one meets a fault; 0 for none.
    fault_every: u64,
}

impl Upstream {
    /// Starts it.
    pub async fn start(fault_every: u64) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let counted = Arc::new(Counted { fault_every, ..Counted::default() });
        let router = Router::new().route("/mcp", post(answer)).with_state(Arc::clone(&counted));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("torture: the upstream server ended: {error}");
            }
        });
        Ok(Self { address, counted, _serving: serving })
    }

    /// How often `tool` ran with `key`.
    pub fn runs(&self, tool: &str, key: &str) -> u64 {
        self.counted.runs().get(&(tool.to_owned(), key.to_owned())).copied().unwrap_or_default()
    }

    /// Calls of all tools.
    pub fn calls(&self) -> u64 {
        self.counted.calls.load(Ordering::Relaxed)
    }

    /// Faults so far.
    pub fn faults(&self) -> u64 {
        self.counted.faults.load(Ordering::Relaxed)
    }
}

impl Counted {
    fn runs(&self) -> MutexGuard<'_, HashMap<(String, String), u64>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(counted): State<Arc<Counted>>, Json(message): Json<Value>) -> Response {
    let Some(id) = message.get("id").cloned() else { return StatusCode::ACCEPTED.into_response() };
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "counter", "version": "1"},
        }),
        "tools/list" => tools(),
        "ping" => json!({}),
        "tools/call" => match call(&counted, &message["params"]).await {
            Ok(result) => result,
            Err(fault) => return fault,
        },
        _ => {
            let error = json!({"code": -32601, "message": "there is no such method"});
            return Json(json!({"jsonrpc": "2.0", "id": id, "error": error})).into_response();
        }
    };
    Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response()
}

fn tools() -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"key": {"type": "string"}, "pause_ms": {"type": "integer"}},
        "required": ["key"],
    });
    let tool = |name: &str, description: &str, hints: Value| json!({"name": name, "description": description, "inputSchema": schema, "annotations": hints});
    json!({"tools": [
        tool("charge_card", "Charges a customer's credit card once", json!({"destructiveHint": true})),
        tool("look_up_order", "Looks up the state of an order", json!({"readOnlyHint": true})),
        tool("set_address", "Sets the delivery address of an order", json!({"idempotentHint": true})),
    ]})
}

async fn call(counted: &Counted, params: &Value) -> Result<Value, Response> {
    let number = counted.calls.fetch_add(1, Ordering::Relaxed) + 1;
    let tool = params["name"].as_str().unwrap_or_default().to_owned();
    let key = params["arguments"]["key"].as_str().unwrap_or_default().to_owned();
    let pause = params["arguments"]["pause_ms"].as_u64().unwrap_or_default();
    if counted.fault_every > 0 && number.is_multiple_of(counted.fault_every) {
        let which = counted.faults.fetch_add(1, Ordering::Relaxed);
        return fault(which).await;
    }
    // Half before it counts and half after: a gateway may die on either side.
    sleep(Duration::from_millis(pause / 2)).await;
    // Soaking calls have no key, so that what is counted does not grow.
    if !key.is_empty() {
        *counted.runs().entry((tool, key.clone())).or_default() += 1;
    }
    sleep(Duration::from_millis(pause - pause / 2)).await;
    Ok(json!({"content": [{"type": "text", "text": format!("done: {key}")}]}))
}

/// The ways in which servers fail, in turn.
async fn fault(which: u64) -> Result<Value, Response> {
    match which % 6 {
        0 => Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        1 => Err((StatusCode::OK, [("content-type", "application/json")], "{\"jsonrpc\":").into_response()),
        2 => Ok(json!({"content": [{"type": "text", "text": "the tool failed"}], "isError": true})),
        // Longer than the gateway waits.
        3 => {
            sleep(Duration::from_secs(4)).await;
            Ok(json!({"content": []}))
        }
        // The connection breaks off in the middle of the body.
        4 => {
            let pieces = [Ok("{\"jsonrpc\":\"2.0\","), Err(io::Error::from(io::ErrorKind::BrokenPipe))];
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            Err((StatusCode::OK, [("content-type", "application/json")], body).into_response())
        }
        _ => Err(StatusCode::SERVICE_UNAVAILABLE.into_response()),
    }
}
