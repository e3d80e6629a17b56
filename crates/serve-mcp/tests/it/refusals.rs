//! What the door refuses, with which status and code.

use gateway_core::Era;
use http::Method;
use serde_json::Value;

use crate::client_http::send;
use crate::raw::{ACCEPT, JSON, Session, ask_modern, modern, request, told};
use crate::rig::{Rig, Setup, Wire, reference};
use crate::sessions::demo;
use crate::wire::{LEGACY, MODERN};

const ORIGIN: (&str, &str) = ("origin", "http://evil.example");
const VERSION: (&str, &str) = ("mcp-protocol-version", MODERN);
const LIST: (&str, &str) = ("mcp-method", "tools/list");
const CALL: (&str, &str) = ("mcp-method", "tools/call");

async fn rig() -> Rig {
    Rig::new(Setup { fakes: vec![("demo", demo())], ..Setup::default() }).await
}

/// One request, and what must come of it.
struct Case {
    headers: &'static [(&'static str, &'static str)],
    body: String,
    status: u16,
    code: i64,
    /// The id of the answer, as JSON.
    id: &'static str,
}

fn case(
    headers: &'static [(&'static str, &'static str)],
    body: impl Into<String>,
    (status, code, id): (u16, i64, &'static str),
) -> Case {
    Case { headers, body: body.into(), status, code, id }
}

async fn check(rig: &Rig, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for Case { headers, body, status, code, id } in cases {
        let answer = send(&rig.http, Method::POST, "/mcp", headers, &body).await;
        let kind = answer.header("content-type").map(str::to_owned);
        let seen = answer.status;
        let text = answer.text().await;
        let read: Value = serde_json::from_str(&text).unwrap_or_default();
        let right = seen == status
            && kind.as_deref() == Some("application/json")
            && read["jsonrpc"] == "2.0"
            && read["error"]["code"] == code
            && read["error"]["message"].as_str().is_some_and(|message| !message.is_empty())
            && *id == *read["id"].to_string()
            && !text.contains('\n');
        if !right {
            wrong.push(format!("{headers:?} {body:.200}\n  expected {status} {code} {id}, got {seen} {text:.300}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_is_no_message() {
    let rig = rig().await;
    let cases = ["", "{", "nonsense", "{\"jsonrpc\":\"2.0\",", "\u{feff}{}", "{\"a\":1}}"]
        .map(|text| case(&[ACCEPT, JSON], text, (400, -32700, "null")));
    let others = [
        "5",
        "null",
        "{}",
        r#""x""#,
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":5}"#,
    ]
    .map(|text| case(&[ACCEPT, JSON], text, (400, -32600, "null")));
    check(&rig, cases.into_iter().chain(others).collect()).await;
    rig.close().await;
}

#[tokio::test]
async fn what_http_refuses() {
    let rig = rig().await;
    let list = || modern(7, "tools/list", "");
    check(
        &rig,
        vec![
            case(&[("accept", "text/html"), JSON, VERSION, LIST], list(), (406, -32600, "null")),
            case(&[("accept", "application/json;q=0"), JSON, VERSION, LIST], list(), (406, -32600, "null")),
            case(&[ACCEPT, ("content-type", "text/plain"), VERSION, LIST, ORIGIN], list(), (403, -32600, "null")),
            case(&[ACCEPT, JSON, VERSION, LIST, ORIGIN], list(), (403, -32600, "null")),
            case(&[ACCEPT, JSON, VERSION, LIST, ("origin", "null")], list(), (403, -32600, "null")),
            case(&[ACCEPT, JSON], request(1, "tools/list", "{}"), (400, -32600, "1")),
            case(&[ACCEPT, JSON, ("mcp-session-id", "nobody")], request(1, "tools/list", "{}"), (404, -32600, "1")),
            case(
                &[ACCEPT, JSON, ("mcp-session-id", "nobody")],
                r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                (404, -32600, "null"),
            ),
        ],
    )
    .await;
    for method in [Method::PUT, Method::PATCH, Method::OPTIONS] {
        let answer = send(&rig.http, method.clone(), "/mcp", &[ACCEPT], "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, GET, DELETE")), "{method}");
    }
    let evil = http::Request::builder().method(Method::POST).uri("/mcp").header("host", "evil.example");
    let evil = crate::raw::anything(&rig, evil.body(axum::body::Body::from(list())).unwrap()).await;
    let (status, error) = told(evil).await.unwrap_err();
    assert_eq!((status, &error["code"]), (403, &Value::from(-32600)));
    // A page on this machine may ask, and reads the headers that it needs.
    let page = [ACCEPT, JSON, VERSION, LIST, ("origin", "http://localhost:5173")];
    let answer = send(&rig.http, Method::POST, "/mcp", &page, &list()).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("http://localhost:5173")));
    let exposed = answer.header("access-control-expose-headers").unwrap_or_default().to_ascii_lowercase();
    assert!(exposed.contains("mcp-session-id"), "{exposed}");
    rig.close().await;
}

#[tokio::test]
async fn headers_that_contradict_the_body() {
    let rig = rig().await;
    let call = || modern(7, "tools/call", r#""name":"echo","arguments":{}"#);
    let list = || modern(7, "tools/list", "");
    let mismatch = (400, -32020, "7");
    check(
        &rig,
        vec![
            case(&[ACCEPT, JSON, VERSION], list(), mismatch),
            case(&[ACCEPT, JSON, VERSION, CALL], list(), mismatch),
            case(&[ACCEPT, JSON, VERSION, ("mcp-method", "TOOLS/LIST")], list(), mismatch),
            case(&[ACCEPT, JSON, LIST], list(), mismatch),
            case(&[ACCEPT, JSON, ("mcp-protocol-version", LEGACY), LIST], list(), mismatch),
            case(&[ACCEPT, JSON, VERSION, CALL], call(), mismatch),
            case(&[ACCEPT, JSON, VERSION, CALL, ("mcp-name", "hang")], call(), mismatch),
            case(&[ACCEPT, JSON, VERSION, CALL, ("mcp-name", "Echo")], call(), mismatch),
            case(&[ACCEPT, JSON, VERSION, CALL, ("mcp-name", "=?base64?!?=")], call(), mismatch),
            // Whoever stands before the gateway may go by the other one.
            case(
                &[ACCEPT, JSON, VERSION, CALL, ("mcp-name", "echo"), ("mcp-method", "tools/list")],
                call(),
                (400, -32600, "null"),
            ),
        ],
    )
    .await;
    for name in ["echo", "  echo ", "=?base64?ZWNobw==?="] {
        let answer =
            send(&rig.http, Method::POST, "/mcp", &[ACCEPT, JSON, VERSION, CALL, ("mcp-name", name)], &call()).await;
        told(answer).await.unwrap();
    }
    rig.close().await;
}

#[tokio::test]
async fn a_modern_request_that_lacks_something() {
    let rig = rig().await;
    let with = |meta: &str| request(7, "server/discover", &format!(r#"{{"_meta":{{{meta}}}}}"#));
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    let other =
        r#""io.modelcontextprotocol/protocolVersion":"v999.0.0","io.modelcontextprotocol/clientCapabilities":{}"#;
    const DISCOVER: (&str, &str) = ("mcp-method", "server/discover");
    const FAR: (&str, &str) = ("mcp-protocol-version", "v999.0.0");
    check(
        &rig,
        vec![
            case(&[ACCEPT, JSON, VERSION, DISCOVER], request(7, "server/discover", "{}"), (400, -32602, "7")),
            case(
                &[ACCEPT, JSON, VERSION, DISCOVER],
                r#"{"jsonrpc":"2.0","id":7,"method":"server/discover"}"#,
                (400, -32602, "7"),
            ),
            case(&[ACCEPT, JSON, VERSION, DISCOVER], request(7, "server/discover", "[1]"), (400, -32602, "7")),
            case(&[ACCEPT, JSON, VERSION, DISCOVER], with(""), (400, -32602, "7")),
            case(&[ACCEPT, JSON, VERSION, DISCOVER], with(version), (400, -32602, "7")),
            case(
                &[ACCEPT, JSON, VERSION, DISCOVER],
                with(&format!(r#"{version},"io.modelcontextprotocol/clientCapabilities":7"#)),
                (400, -32602, "7"),
            ),
            case(&[ACCEPT, JSON, FAR, DISCOVER], with(other), (400, -32022, "7")),
            case(&[ACCEPT, JSON, VERSION, DISCOVER], with(other), (400, -32020, "7")),
        ],
    )
    .await;
    let far = send(&rig.http, Method::POST, "/mcp", &[ACCEPT, JSON, FAR, DISCOVER], &with(other)).await;
    let (_, error) = told(far).await.unwrap_err();
    assert_eq!(
        (&error["data"]["requested"], &error["data"]["supported"][0]),
        (&Value::from("v999.0.0"), &Value::from(MODERN))
    );
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "x/y", ""]
    {
        let (status, error) = told(ask_modern(&rig, "/mcp", &[], method, "").await).await.unwrap_err();
        assert_eq!((status, &error["code"]), (404, &Value::from(-32601)), "{method}");
    }
    // Nobody can hear a subscription who reads no events.
    let deaf =
        ask_modern(&rig, "/mcp", &[("accept", "application/json")], "subscriptions/listen", r#""notifications":{}"#)
            .await;
    assert_eq!(told(deaf).await.unwrap_err().0, 406);
    for wrong in ["", r#""notifications":7"#, r#""notifications":{"resourceSubscriptions":7}"#] {
        let answer = ask_modern(&rig, "/mcp", &[], "subscriptions/listen", wrong).await;
        assert_eq!(told(answer).await.unwrap_err().1["code"], -32602, "{wrong}");
    }
    rig.close().await;
}

#[tokio::test]
async fn a_missing_capability_has_its_status() {
    let servers = vec![(Wire::Http, crate::rig::fixture("fixture", Era::Modern))];
    let rig = Rig::new(Setup { servers, ..Setup::default() }).await;
    let members = r#""name":"test_missing_capability","arguments":{}"#;
    let (status, error) = told(ask_modern(&rig, "/mcp", &[], "tools/call", members).await).await.unwrap_err();
    assert_eq!((status, &error["code"]), (400, &Value::from(-32021)));
    assert_eq!(error["data"]["requiredCapabilities"], serde_json::json!({ "sampling": {} }));
    rig.close().await;
}

#[tokio::test]
async fn a_legacy_session_that_goes_wrong() {
    let rig = Rig::new(Setup { servers: vec![(Wire::Http, reference("demo", Era::Legacy))], ..Setup::default() }).await;
    let session = Session::open(&rig).await;
    let odd = session.send(Method::POST, &[ACCEPT, VERSION], &request(1, "ping", "{}")).await;
    assert_eq!(told(odd).await.unwrap_err().0, 400, "a modern request without what one carries");
    for (method, params, code) in [
        ("server/discover", "{}", -32601),
        ("subscriptions/listen", r#"{"notifications":{}}"#, -32601),
        ("tools/call", "{}", -32602),
        ("tools/call", r#"{"name":7}"#, -32602),
        ("tools/call", "[]", -32602),
        ("logging/setLevel", r#"{"level":"loud"}"#, -32602),
        ("resources/read", "{}", -32602),
        ("resources/subscribe", r#"{"uri":""}"#, -32602),
        ("prompts/get", "{}", -32602),
        ("completion/complete", "{}", -32602),
        ("completion/complete", r#"{"ref":{"type":"ref/x"}}"#, -32602),
        ("tools/list", r#"{"cursor":"x"}"#, -32602),
        ("tools/list", r#"{"cursor":7}"#, -32602),
    ] {
        // What a legacy client sent wrong is answered, not refused.
        let (status, error) = told(session.post(&request(1, method, params)).await).await.unwrap_err();
        assert_eq!((status, error["code"].as_i64()), (200, Some(code)), "{method} {params}: {error}");
    }
    rig.close().await;
}
