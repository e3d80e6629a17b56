//! The relay over HTTP.

use std::sync::Arc;
use std::time::Duration;

use auth_api_key::ApiKeyAuth;
use gateway_core::Secret;
use gateway_testkit::reference::ReferenceProcess;
use http_server::{HttpServer, HttpServerConfig, serve};
use serde_json::{Value, json};
use serve_relay::{RelayConfig, RelayDoor};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::{PATIENCE, call, config, facts, initialize, modern};
use crate::peer::{Peer, events, reply, result};

const BOTH: &str = "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n";

/// A running relay.
struct Door {
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Door {
    async fn to(url: &str) -> Self {
        Self::open(config(url), None).await
    }

    async fn open(config: RelayConfig, key: Option<&str>) -> Self {
        let auth = ApiKeyAuth::new(key.map(Secret::new));
        let server = HttpServer::new(HttpServerConfig::default(), Arc::new(RelayDoor::new(config, Arc::new(auth))));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, server, shutdown.clone(), Duration::from_secs(5)));
        Self { address, shutdown, serving }
    }

    /// Begins a request on a connection of its own.
    async fn send(&self, verb: &str, target: &str, headers: &str, body: &str) -> Conversation {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{verb} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length}{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // A refused body may not be read to its end.
        let _ = stream.write_all(body.as_bytes()).await;
        Conversation { stream, read: String::new() }
    }

    async fn ask(&self, verb: &str, target: &str, headers: &str, body: &str) -> Answer {
        self.send(verb, target, headers, body).await.answer().await
    }

    async fn post(&self, headers: &str, message: &Value) -> Answer {
        self.ask("POST", "/mcp", &format!("{BOTH}{headers}"), &message.to_string()).await
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.serving).await.expect("it ends").unwrap().unwrap();
    }
}

struct Conversation {
    stream: TcpStream,
    read: String,
}

impl Conversation {
    async fn until(&mut self, mark: &str) {
        while !self.read.contains(mark) {
            assert!(self.read_more().await, "the connection ended: {}", self.read);
        }
    }

    async fn read_more(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("in time").unwrap_or(0);
        self.read.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        read > 0
    }

    async fn answer(mut self) -> Answer {
        while self.read_more().await {}
        let (head, body) = self.read.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {}", self.read));
        let status = head[9..12].parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

#[tokio::test]
async fn a_session_passes() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let door = Door::to(server.url()).await;
    let opened = door.post("", &initialize(0)).await;
    let session =
        format!("Mcp-Session-Id: {}\r\nMCP-Protocol-Version: 2025-11-25\r\n", opened.header("mcp-session-id").unwrap());
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(door.post(&session, &initialized).await.status, 202);
    let mut stream = door.send("GET", "/mcp", &format!("Accept: text/event-stream\r\n{session}"), "").await;
    stream.until("text/event-stream").await;
    let answer = door.post(&session, &call(1, "headers", &json!({}))).await;
    let headers = facts(&answer.json());
    assert_eq!((answer.status, &headers["authorization"]), (200, &"Bearer k3y".into()));
    assert_eq!(headers["x-session-id"], "sess_1");
    assert!(headers["connection"].is_null(), "{headers}");
    door.post(&session, &call(2, "add_tool", &json!({ "name": "more" }))).await;
    stream.until("notifications/tools/list_changed").await;
    assert_eq!(door.ask("DELETE", "/mcp", &session, "").await.status, 200);
    assert_eq!(door.post(&session, &call(3, "odd", &json!({}))).await.status, 404);
    // Without end by itself, it ends well.
    door.shutdown.cancel();
    let rest = stream.answer().await;
    assert!(rest.body.ends_with("0\r\n\r\n"), "{rest:?}");
    door.stop().await;
}

#[tokio::test]
async fn the_other_era_passes() {
    let server = ReferenceProcess::http(&["--era", "modern"]);
    let door = Door::to(server.url()).await;
    let headers = |method: &str, name: &str| {
        format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\nMcp-Name: {name}\r\n")
    };
    let request = modern(1, "tools/call", json!({ "name": "big", "arguments": { "bytes": 1_000_000 } }));
    let answer = door.post(&headers("tools/call", "big"), &request).await;
    assert!(answer.body.len() == 1_000_000 + r#"{"jsonrpc":"2.0","id":1,"result":}"#.len(), "{}", answer.body.len());
    let refused = door.post(&headers("tools/call", "other"), &request).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &(-32020).into()));
    // A client that goes away cancels.
    let request = modern(2, "tools/call", json!({ "name": "hang" })).to_string();
    let hanging = door.send("POST", "/mcp", &format!("{BOTH}{}", headers("tools/call", "hang")), &request).await;
    let count = async |what: &str, wanted: u64| {
        let request = modern(3, "tools/call", json!({ "name": "cancelled" }));
        let polling = async {
            while facts(&door.post(&headers("tools/call", "cancelled"), &request).await.json())[what] != wanted {}
        };
        tokio::time::timeout(PATIENCE, polling).await.expect(what);
    };
    count("running", 1).await;
    drop(hanging);
    count("by_disconnect", 1).await;
    door.stop().await;
}

#[tokio::test]
async fn answers_pass_piece_by_piece_and_queries_as_they_are() {
    let (sender, stream) = events();
    let stream = std::sync::Mutex::new(Some(stream));
    let peer = Peer::new(move |_| {
        let stream = stream.lock().unwrap().take().unwrap();
        async { stream }
    })
    .await;
    let door = Door::to(&peer.url()).await;
    let target = "/mcp?session=sess_2&expose=search";
    let mut conversation = door.send("POST", target, BOTH, &call(1, "x", &json!({})).to_string()).await;
    peer.wait_for("POST", "tools/call", 1).await;
    for word in ["data: 1\n\n", "data: 2\n\n", ": 3\n\n"] {
        sender.send(word).unwrap();
        conversation.until(word).await;
    }
    drop(sender);
    assert_eq!(conversation.answer().await.status, 200);
    assert_eq!(peer.seen("POST", "tools/call")[0].target, target);
    door.stop().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off() {
    let peer = Peer::new(async |_| {
        let (sender, reply) = events();
        sender.send("data: 1\n\n").unwrap();
        sender.send("break").unwrap();
        reply
    })
    .await;
    let door = Door::to(&peer.url()).await;
    let answer = door.post("", &call(1, "x", &json!({}))).await;
    assert!(answer.body.contains("data: 1") && !answer.body.ends_with("0\r\n\r\n"), "{answer:?}");
    door.stop().await;
}

#[tokio::test]
async fn only_holders_of_the_key_get_in_and_it_goes_no_further() {
    let peer = Peer::new(async |seen| {
        let credentials = format!(r#"["{}","{}"]"#, seen.header("authorization"), seen.header("x-api-key"));
        result(&seen, &credentials)
    })
    .await;
    let request = call(1, "x", &json!({}));
    let door = Door::open(config(&peer.url()), Some("here")).await;
    for headers in ["", "Authorization: Bearer k3y\r\n", "X-API-Key: her\r\n"] {
        let refused = door.post(headers, &request).await;
        assert_eq!((refused.status, &refused.json()["id"]), (401, &Value::Null), "{headers}");
        assert!(refused.header("www-authenticate").is_some());
    }
    for headers in ["Authorization: Bearer here\r\n", "X-API-Key: here\r\n"] {
        assert_eq!(door.post(headers, &request).await.json()["result"], json!(["Bearer k3y", ""]), "{headers}");
    }
    door.stop().await;
    // Without a key here, a client's own is for the gateway.
    let door = Door::to(&peer.url()).await;
    assert_eq!(door.post("", &request).await.json()["result"], json!(["Bearer k3y", ""]));
    assert_eq!(door.post("X-API-Key: own\r\n", &request).await.json()["result"], json!(["", "own"]));
    door.stop().await;
}

#[tokio::test]
async fn a_gateway_that_is_down_is_told_of() {
    let mut server = ReferenceProcess::http(&[]);
    let url = server.url().to_owned();
    server.kill();
    let door = Door::to(&url).await;
    let answer = door.post("", &initialize(0)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    let body = answer.json();
    assert_eq!((&body["jsonrpc"], &body["id"]), (&"2.0".into(), &Value::Null));
    assert!(body["error"]["message"].as_str().unwrap().contains("cannot reach the gateway at http://"), "{body}");
    door.stop().await;
}

#[tokio::test]
async fn what_does_not_belong_here_is_refused() {
    let peer = Peer::new(async |_| reply(200, "application/json", "{}")).await;
    let mut config = config(&peer.url());
    config.body.bytes = 1000;
    config.body.timeout_ms = 300;
    let door = Door::open(config, None).await;
    let long = "x".repeat(5000);
    assert_eq!(door.ask("GET", "/", "", "").await.status, 404);
    let other = door.ask("PUT", "/mcp", BOTH, "{}").await;
    assert_eq!((other.status, other.header("allow")), (405, Some("get, post, delete")));
    assert_eq!(door.ask("POST", "/mcp", "Content-Type: text/plain\r\n", "{}").await.status, 415);
    assert_eq!(door.ask("POST", "/mcp", &format!("{BOTH}Origin: https://evil.example\r\n"), "{}").await.status, 403);
    assert_eq!(door.ask("POST", "/mcp", BOTH, &long).await.status, 413);
    let chunked = format!("{BOTH}Transfer-Encoding: chunked\r\n");
    let mut sent = door.send("POST", "/mcp", &chunked, "").await;
    sent.stream.write_all(format!("1388\r\n{long}\r\n0\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(sent.answer().await.status, 413);
    let mut slow = door.send("POST", "/mcp", &chunked, "").await;
    slow.stream.write_all(b"1\r\n{\r\n").await.unwrap();
    assert_eq!(slow.answer().await.status, 408);
    assert_eq!(door.ask("POST", "/mcp", BOTH, "{}").await.status, 200);
    door.stop().await;
}
