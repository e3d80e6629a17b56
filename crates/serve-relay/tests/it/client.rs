//! A client that speaks in lines.

use std::io;
use std::time::Duration;

use gateway_core::Secret;
use serde_json::{Value, json};
use serve_relay::{RelayConfig, Remote, stdio};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A client and the relay that serves it.
pub struct Client {
    input: Option<DuplexStream>,
    output: Lines<BufReader<DuplexStream>>,
    pub shutdown: CancellationToken,
    relay: JoinHandle<io::Result<()>>,
    next_id: u64,
    /// Everything that it heard.
    pub heard: Vec<Value>,
}

/// The settings of a relay to `url`.
pub fn config(url: &str) -> RelayConfig {
    let remote = Remote::new(url, Some(&Secret::new("k3y")), Some("sess_1")).unwrap();
    RelayConfig::new(remote.with_expose("all"))
}

/// A message of the revision 2026-07-28.
pub fn modern(id: u64, method: &str, mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

pub fn call(id: u64, tool: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

pub fn initialize(id: u64) -> Value {
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": { "sampling": {} },
        "clientInfo": { "name": "test", "version": "1" },
    });
    json!({ "jsonrpc": "2.0", "id": id, "method": "initialize", "params": params })
}

pub fn notification(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// The text of a tool's result.
#[track_caller]
pub fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {answer}"))
}

/// The JSON in the text of a tool's result.
#[track_caller]
pub fn facts(answer: &Value) -> Value {
    serde_json::from_str(text(answer)).unwrap()
}

impl Client {
    pub fn start(config: RelayConfig) -> Self {
        let (input, their_input) = tokio::io::duplex(64 * 1024);
        let (their_output, output) = tokio::io::duplex(64 * 1024);
        let shutdown = CancellationToken::new();
        let relay = tokio::spawn(stdio(config, their_input, their_output, shutdown.clone()));
        Self {
            input: Some(input),
            output: BufReader::new(output).lines(),
            shutdown,
            relay,
            next_id: 100,
            heard: Vec::new(),
        }
    }

    pub fn to(url: &str) -> Self {
        Self::start(config(url))
    }

    /// A client with an open session.
    pub async fn greeted(url: &str) -> Self {
        let mut client = Self::to(url);
        client.greet().await;
        client
    }

    pub async fn greet(&mut self) {
        let answer = self.ask(&initialize(0)).await;
        assert!(answer["result"]["protocolVersion"].is_string(), "{answer}");
        self.say(&notification("notifications/initialized", &json!({}))).await;
    }

    pub async fn say(&mut self, message: &Value) {
        self.say_line(&message.to_string()).await;
    }

    pub async fn say_line(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        let writing = async {
            input.write_all(line.as_bytes()).await.unwrap();
            input.write_all(b"\n").await.unwrap();
        };
        tokio::time::timeout(PATIENCE, writing).await.expect("the relay reads on");
    }

    /// The next line; `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
        line.expect("the relay says something in time").unwrap()
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        let line = self.line().await.expect("the relay goes on");
        let message: Value = serde_json::from_str(&line).expect("nothing but JSON is said");
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        self.heard.push(message.clone());
        message
    }

    /// The next message that `is_it`; what comes before is passed over.
    pub async fn hear_until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.hear().await;
            if is_it(&message) {
                return message;
            }
        }
    }

    /// Sends a request and returns its answer; what comes before is passed over.
    pub async fn ask(&mut self, request: &Value) -> Value {
        self.say(request).await;
        self.answer(&request["id"]).await
    }

    pub async fn answer(&mut self, id: &Value) -> Value {
        self.hear_until(|message| message["id"] == *id && message.get("method").is_none()).await
    }

    pub async fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.next_id += 1;
        self.ask(&call(self.next_id, tool, arguments)).await
    }

    pub async fn call_modern(&mut self, tool: &str, arguments: &Value) -> Value {
        self.next_id += 1;
        self.ask(&modern(self.next_id, "tools/call", json!({ "name": tool, "arguments": arguments }))).await
    }

    /// Calls `tool` until `is_it` what it tells.
    pub async fn poll(&mut self, tool: &str, is_it: impl Fn(&Value) -> bool) {
        let begin = std::time::Instant::now();
        loop {
            let found = facts(&self.call_modern(tool, &json!({})).await);
            if is_it(&found) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "in vain: {found}");
            tokio::task::yield_now().await;
        }
    }

    /// Ends the input.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// Ends the input and waits for the relay's end; returns what it still said.
    pub async fn end(mut self) -> Vec<Value> {
        self.hang_up();
        let mut said = Vec::new();
        while let Some(line) = self.line().await {
            said.push(serde_json::from_str(&line).expect("nothing but JSON is said"));
        }
        self.ended().await;
        said
    }

    /// Waits for the relay's end.
    pub async fn ended(self) {
        let ended = tokio::time::timeout(PATIENCE, self.relay).await.expect("the relay ends");
        ended.expect("it does not panic").unwrap();
    }
}
