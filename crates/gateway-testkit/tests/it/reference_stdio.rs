//! The reference server keeps its word over stdio: strict, and byte-exact.

use gateway_testkit::reference::{ODD_RESULT, Options, ServedEra, Server, TOOLS, serve_stdio};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};

pub(super) struct Client {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    input: WriteHalf<DuplexStream>,
}

impl Client {
    pub(super) fn new(options: Options) -> Self {
        let (near, far) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move {
            let (input, output) = tokio::io::split(far);
            serve_stdio(&Server::new(options), input, output).await
        });
        let (output, input) = tokio::io::split(near);
        Self { lines: BufReader::new(output).lines(), input }
    }

    pub(super) async fn greeted(options: Options) -> Self {
        Self::greeted_with(options, "{}").await
    }

    pub(super) async fn greeted_with(options: Options, capabilities: &str) -> Self {
        let mut client = Self::new(options);
        let rest = r#""protocolVersion":"2025-06-18","clientInfo":{"name":"t","version":"1"}"#;
        let params = format!(r#"{{"capabilities":{capabilities},{rest}}}"#);
        let answer = client.request("0", "initialize", &params).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
        client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        client
    }

    pub(super) async fn send(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("written");
    }

    pub(super) async fn line(&mut self) -> String {
        self.lines.next_line().await.expect("read").expect("a line")
    }

    pub(super) async fn request(&mut self, id: &str, method: &str, params: &str) -> Value {
        self.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)).await;
        serde_json::from_str(&self.line().await).expect("JSON")
    }

    pub(super) async fn call(&mut self, id: &str, tool: &str, arguments: &str) -> Value {
        self.request(id, "tools/call", &format!(r#"{{"name":"{tool}","arguments":{arguments}}}"#)).await
    }
}

#[tokio::test]
async fn the_odd_result_leaves_byte_for_byte() {
    let mut client = Client::greeted(Options::default()).await;
    client.send(r#"{"jsonrpc":"2.0","id":"é","method":"tools/call","params":{"name":"odd"}}"#).await;
    assert_eq!(client.line().await, format!(r#"{{"jsonrpc":"2.0","id":"é","result":{ODD_RESULT}}}"#));
}

#[tokio::test]
async fn handshake_and_ids_are_checked() {
    let mut client = Client::new(Options::default());
    let early = client.request("1", "tools/list", "{}").await;
    assert_eq!(early["error"]["message"], "the handshake is not done");
    assert_eq!(client.request("2", "ping", "{}").await["result"], json!({}));
    assert_eq!(client.request("3", "initialize", "{}").await["error"]["code"], -32602);

    let mut client = Client::greeted(Options::default()).await;
    for (line, expected) in [
        (r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#, "the id 0 was used before"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "`id` must be a string or an integer"),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, "`id` must be a string or an integer"),
        (r#"{"id":9,"method":"ping"}"#, "`jsonrpc` must be \"2.0\""),
        (r#"[{"jsonrpc":"2.0","id":9,"method":"ping"}]"#, "a batch is no message"),
        (r#"{"jsonrpc":"2.0","id":9,"method":"ping","params":[]}"#, "`params` must be an object"),
    ] {
        client.send(line).await;
        let answer: Value = serde_json::from_str(&client.line().await).expect("JSON");
        assert_eq!(answer["error"]["message"], expected, "{line}");
    }
}

#[tokio::test]
async fn cancelling_is_obeyed_and_counted() {
    let mut client = Client::greeted(Options::default()).await;
    client.send(r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"hang"}}"#).await;
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#).await;
    let mut id = 6;
    loop {
        let answer = client.call(&id.to_string(), "cancelled", "{}").await;
        assert_eq!(answer["id"], id, "the cancelled request is not answered");
        let text = answer["result"]["content"][0]["text"].as_str().expect("text").to_owned();
        if text == r#"{"cancelled":1,"by_notification":1,"by_disconnect":0,"running":0}"# {
            break;
        }
        id += 1;
    }
}

#[tokio::test]
async fn progress_comes_in_order_and_before_the_result() {
    let mut client = Client::greeted(Options::default()).await;
    let params = r#"{"name":"progress","arguments":{"steps":3},"_meta":{"progressToken":"p"}}"#;
    client.send(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)).await;
    for step in 1..=3 {
        let message: Value = serde_json::from_str(&client.line().await).expect("JSON");
        assert_eq!((&message["params"]["progress"], &message["params"]["progressToken"]), (&json!(step), &json!("p")));
    }
    assert!(client.line().await.contains(r#""id":1,"result""#));
}

#[tokio::test]
async fn tools_are_added_and_announced() {
    let mut client = Client::greeted(Options::default()).await;
    let announced = client.call("1", "add_tool", r#"{"name":"fresh"}"#).await;
    assert_eq!(announced["method"], "notifications/tools/list_changed");
    assert!(client.line().await.contains(r#""id":1,"result""#));
    assert_eq!(client.call("2", "fresh", r#"{"text":"x"}"#).await["result"]["content"][0]["text"], "x");
    let list = client.request("3", "tools/list", "{}").await;
    assert_eq!(list["result"]["tools"].as_array().expect("an array").len(), TOOLS.len() + 1);
}

#[tokio::test]
async fn questions_reach_the_client_and_its_answer_the_tool() {
    let mut client = Client::greeted(Options::default()).await;
    let question = client.call("1", "ask", r#"{"method":"roots/list"}"#).await;
    assert_eq!((&question["method"], &question["id"]), (&json!("roots/list"), &json!("ask-1")));
    client.send(r#"{"jsonrpc":"2.0","id":"ask-1","result":{"roots":[1.0]}}"#).await;
    let answer: Value = serde_json::from_str(&client.line().await).expect("JSON");
    assert_eq!(answer["result"]["content"][0]["text"], r#"{"result":{"roots":[1.0]}}"#);
}

#[tokio::test]
async fn big_results_have_the_size_that_was_asked_for() {
    let mut client = Client::greeted(Options::default()).await;
    client
        .send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"big","arguments":{"bytes":3000000}}}"#)
        .await;
    let line = client.line().await;
    assert_eq!(line.len(), 3_000_000 + r#"{"jsonrpc":"2.0","id":1,"result":}"#.len());
    assert_eq!(client.call("2", "big", r#"{"bytes":1}"#).await["error"]["code"], -32602);
}

#[tokio::test]
async fn the_modern_era_needs_no_handshake_and_checks_its_envelope() {
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let mut client = Client::new(Options { era: ServedEra::Modern, ..Options::default() });
    let described = client.request("1", "server/discover", &format!("{{{meta}}}")).await;
    assert_eq!(described["result"]["supportedVersions"], json!(["2026-07-28"]));
    let list = client.request("2", "tools/list", &format!("{{{meta}}}")).await;
    assert_eq!(list["result"]["resultType"], "complete");
    assert_eq!(client.request("3", "tools/list", "{}").await["error"]["code"], -32602);
    let other = meta.replace("2026-07-28", "2027-01-01");
    assert_eq!(client.request("4", "tools/list", &format!("{{{other}}}")).await["error"]["code"], -32022);

    let listen = format!(r#"{{"notifications":{{"toolsListChanged":true}},{meta}}}"#);
    let acknowledged = client.request("5", "subscriptions/listen", &listen).await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    let added = format!(r#"{{"name":"add_tool","arguments":{{"name":"n"}},{meta}}}"#);
    let announced = client.request("6", "tools/call", &added).await;
    assert_eq!(announced["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 5);
}

#[tokio::test]
async fn a_legacy_server_does_not_discover() {
    let meta = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}"#;
    let mut client = Client::new(Options::default());
    assert!(client.request("1", "server/discover", meta).await["error"].is_object());
}
