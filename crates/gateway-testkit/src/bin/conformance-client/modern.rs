//! 2026-07-28: no handshake, no session; a server asks by an incomplete result.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::client::result_of;
use crate::http::{Headers, Target};
use crate::{Outcome, answers, mirror};

const VERSION: &str = "2026-07-28";
const UNSUPPORTED_VERSION: i64 = -32022;
/// How often a request may be answered by questions.
const MOST_ROUNDS: usize = 10;

/// A client without a session.
pub struct Modern {
    pub capabilities: Value,
    target: Target,
    ids: AtomicU64,
}

impl Modern {
    pub async fn connect(target: Target) -> Outcome<Self> {
        let mut client = Self { capabilities: Value::Null, target, ids: AtomicU64::new(1) };
        let description = client.request("server/discover", json!({}), &Headers::new()).await?;
        client.capabilities = description["capabilities"].clone();
        Ok(client)
    }

    pub async fn request(&self, method: &str, mut params: Value, headers: &Headers) -> Outcome<Value> {
        for _ in 0..MOST_ROUNDS {
            let mut result = result_of(self.exchange(method, &params, headers).await?)?;
            // A result without a type is complete.
            if result["resultType"] != "input_required" {
                return Ok(result);
            }
            let mut responses = json!({});
            for (key, question) in result["inputRequests"].as_object().into_iter().flatten() {
                let asked = question["method"].as_str().unwrap_or_default();
                responses[key] = answers::to(asked, &question["params"])
                    .map_err(|error| format!("the server asks {asked}: {error}"))?;
            }
            params["inputResponses"] = responses;
            // Sent back as it came, or not at all.
            match result.get_mut("requestState") {
                Some(state) => params["requestState"] = state.take(),
                None => drop(params.as_object_mut().map(|params| params.remove("requestState"))),
            }
        }
        Err("the server asks and asks".to_owned())
    }

    /// One message and the one that answers it.
    async fn exchange(&self, method: &str, params: &Value, headers: &Headers) -> Outcome<Value> {
        let answer = self.send(method, params, headers).await?;
        if answer["error"]["code"] != UNSUPPORTED_VERSION {
            return Ok(answer);
        }
        let supported = answer["error"]["data"]["supported"].as_array().cloned().unwrap_or_default();
        // There is one revision that this client speaks: a server that names it is asked once more.
        if supported.contains(&json!(VERSION)) { self.send(method, params, headers).await } else { Ok(answer) }
    }

    async fn send(&self, method: &str, params: &Value, headers: &Headers) -> Outcome<Value> {
        let id = json!(self.ids.fetch_add(1, Relaxed));
        let mut params = params.clone();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientInfo": { "name": "conformance-client", "version": "1.0" },
            "io.modelcontextprotocol/clientCapabilities": answers::capabilities(),
        });
        let mut all = headers.clone();
        all.push(("mcp-protocol-version".to_owned(), VERSION.to_owned()));
        all.push(("mcp-method".to_owned(), method.to_owned()));
        let name = match method {
            "tools/call" | "prompts/get" => params["name"].as_str(),
            "resources/read" => params["uri"].as_str(),
            _ => None,
        };
        all.extend(name.map(|name| ("mcp-name".to_owned(), mirror::encoded(name))));
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut answer = self.target.post(&all, &message).await?;
        if !answer.is_event_stream() {
            return answer.json().await;
        }
        while let Some(event) = answer.event().await {
            match serde_json::from_str::<Value>(&event.data) {
                Ok(message) if message["id"] == id && message.get("method").is_none() => return Ok(message),
                _ => {}
            }
        }
        Err("the event stream ended without an answer".to_owned())
    }
}
