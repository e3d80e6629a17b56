//! Input that nobody means well with.

use gateway_core::Era;
use http::Method;
use serde_json::Value;

use crate::client::until;
use crate::client_http::send;
use crate::pipe::Pipe;
use crate::raw::{ACCEPT, JSON, Session, ask_modern, modern, request, told};
use crate::rig::{Rig, Setup, Wire, reference};
use crate::sessions::demo;
use crate::wire::{Message, member};

async fn rig() -> Rig {
    Rig::new(Setup { fakes: vec![("demo", demo())], ..Setup::default() }).await
}

/// Ids as JSON, and whether a request may have them (JSON-RPC: a text or a number; MCP: no null).
fn ids() -> Vec<(String, bool)> {
    let long = format!("\"{}\"", "i".repeat(100_000));
    let good = ["0", "-1", "9223372036854775807", r#""""#, r#""7""#, r#""a\u0000\n\" b""#, "\"\u{1f600}\"", &long];
    let odd = ["null", "true", "[1]", r#"{"a":1}"#];
    let good = good.iter().map(|id| ((*id).to_owned(), true));
    good.chain(odd.iter().map(|id| ((*id).to_owned(), false))).collect()
}

#[tokio::test]
async fn ids_of_every_kind() {
    let rig = rig().await;
    let session = Session::open(&rig).await;
    let mut pipe = Pipe::legacy(&rig).await;
    for (id, is_good) in ids() {
        let ping = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let over_http = session.post(&ping).await.text().await;
        pipe.send(&ping).await;
        let over_stdio = pipe.line().await;
        for answer in [over_http, over_stdio] {
            let read: Value = serde_json::from_str(&answer).unwrap();
            let expected: Value = serde_json::from_str(&id).unwrap();
            match is_good {
                true => assert_eq!((&read["result"], &read["id"]), (&serde_json::json!({}), &expected), "{id:.80}"),
                false => {
                    assert_eq!((&read["error"]["code"], &read["id"]), (&Value::from(-32600), &Value::Null), "{id:.80}")
                }
            }
        }
    }
    rig.close().await;
}

/// A text and a number are two ids; a second request with the id of one under way is refused, the first goes on.
#[tokio::test]
async fn repeated_ids() {
    let servers = vec![(Wire::Http, reference("demo", Era::Legacy))];
    let rig = Rig::new(Setup { servers, ..Setup::default() }).await;
    let mut pipe = Pipe::legacy(&rig).await;
    let slow = |id: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"hang","arguments":{{}}}}}}"#)
    };
    pipe.send(&slow("5")).await;
    pipe.send(&slow(r#""5""#)).await;
    pipe.send(&request(5, "ping", "{}")).await;
    let refused = Message::read(&pipe.line().await);
    assert_eq!(member(&refused.outcome.unwrap().unwrap_err(), "code").as_deref(), Some("-32600"));
    let running = async |pipe: &mut Pipe, number: u64| {
        let call = r#"{"name":"cancelled","arguments":{}}"#;
        pipe.send(&request(100, "tools/call", call)).await;
        pipe.line().await.contains(&format!(r#"\"running\":{number}"#))
    };
    while !running(&mut pipe, 2).await {}
    pipe.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"5"}}"#).await;
    while !running(&mut pipe, 1).await {}
    pipe.end().await;
    rig.close().await;
}

#[tokio::test]
async fn deep_nesting() {
    let rig = rig().await;
    let session = Session::open(&rig).await;
    let mut pipe = Pipe::legacy(&rig).await;
    let deep =
        |depth: usize| format!(r#"{{"name":"echo","arguments":{{"a":{}1{}}}}}"#, "[".repeat(depth), "]".repeat(depth));
    let fine = request(1, "tools/call", &deep(50));
    told(session.post(&fine).await).await.unwrap();
    pipe.send(&fine).await;
    assert!(pipe.line().await.contains("\"result\""));
    for depth in [1_000, 100_000] {
        let bad = request(1, "tools/call", &deep(depth));
        let refused = session.post(&bad).await;
        assert!((400..500).contains(&refused.status), "{depth}: {refused:?}");
        told(refused).await.unwrap_err();
        pipe.send(&bad).await;
        assert!(pipe.line().await.contains("\"error\""), "{depth} over stdio");
        let id = format!(r#"{{"jsonrpc":"2.0","id":{}{},"method":"ping"}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(session.post(&id).await.status, 400);
        pipe.send(&id).await;
        assert!(pipe.line().await.contains("\"error\""));
    }
    assert_eq!(session.ping().await, 200);
    rig.close().await;
}

#[tokio::test]
async fn answers_that_nobody_asked_for() {
    let rig = rig().await;
    let (session, other) = (Session::open(&rig).await, Session::open(&rig).await);
    let answers = [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"x","result":null}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":9999999999999999999999,"error":5}"#,
        r#"{"jsonrpc":"2.0","id":{"a":[]},"result":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[1]}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#,
        r#"{"jsonrpc":"2.0","method":"\u0000\n","params":[]}"#,
    ];
    let mut pipe = Pipe::legacy(&rig).await;
    for answer in answers {
        assert_eq!(session.post(answer).await.status, 202, "{answer}");
        pipe.send(answer).await;
    }
    pipe.send(&request(1, "ping", "{}")).await;
    assert_eq!(pipe.line().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!((session.ping().await, other.ping().await), (200, 200));
    rig.close().await;
}

/// A question is answered by the session that was asked, and by it once.
#[tokio::test]
async fn a_question_is_not_answered_by_another_session() {
    let servers = vec![(Wire::Http, reference("demo", Era::Legacy))];
    let rig = Rig::new(Setup { servers, ..Setup::default() }).await;
    let (session, thief) = (Session::open(&rig).await, Session::open(&rig).await);
    let mut events = session.call(9, "ask", r#"{"method":"roots/list","params":{}}"#).await.events();
    let mut question = None;
    while question.is_none() {
        let event = events.next().await.unwrap();
        question = (!event.data.is_empty()).then(|| Message::read(&event.data));
    }
    let id = question.unwrap().id.unwrap();
    let answer = |who: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"roots":[],"by":"{who}"}}}}"#);
    for who in ["thief", "session", "late"] {
        let by = if who == "thief" { &thief } else { &session };
        assert_eq!(by.post(&answer(who)).await.status, 202);
    }
    let last = Message::read(&events.next().await.unwrap().data);
    assert!(last.raw.contains(r#"\"by\":\"session\""#), "{}", last.raw);
    rig.close().await;
}

#[tokio::test]
async fn floods_of_notifications() {
    let rig = rig().await;
    let mut pipe = Pipe::legacy(&rig).await;
    let noise = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let mut text = String::new();
    for _ in 0..20_000 {
        text.push_str(noise);
        text.push('\n');
    }
    pipe.send(text.trim_end()).await;
    pipe.send(&request(2, "ping", "{}")).await;
    assert_eq!(Message::read(&pipe.line().await).id.as_deref(), Some("2"));
    rig.close().await;
}

#[tokio::test]
async fn lines_that_are_no_messages() {
    let rig = rig().await;
    let mut pipe = Pipe::legacy(&rig).await;
    for (line, code) in [
        ("{", -32700),
        ("nonsense", -32700),
        ("[1", -32700),
        ("[]", -32600),
        ("5", -32600),
        ("{}", -32600),
        ("\u{feff}{}", -32700),
    ] {
        pipe.send(line).await;
        let answer: Value = serde_json::from_str(&pipe.line().await).unwrap();
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&Value::from(code), &Value::Null), "{line}");
    }
    pipe.send("\n  \r\n").await;
    let large =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":"{}"}}}}"#, "x".repeat(64 * 1024 * 1024));
    pipe.send(&large).await;
    assert!(pipe.line().await.contains("-32600"), "a line beyond the limit is refused, and the next is read");
    pipe.send(&request(3, "ping", "{}")).await;
    assert_eq!(Message::read(&pipe.line().await).id.as_deref(), Some("3"));
    rig.close().await;
}

#[tokio::test]
async fn names_with_control_characters() {
    let rig = rig().await;
    for name in [
        r#""a\u0000b""#,
        r#""a\nb\r\nX-Evil: 1""#,
        r#""\u001b[31m""#,
        r#""\ud83d\ude00""#,
        r#""..\/..\/x""#,
        r#""%00""#,
    ] {
        let text: String = serde_json::from_str(name).unwrap();
        let encoded = mcp_wire::header::encode_value(&text).into_owned();
        let body = modern(7, "tools/call", &format!(r#""name":{name},"arguments":{{}}"#));
        let headers = [
            ACCEPT,
            JSON,
            ("mcp-protocol-version", crate::wire::MODERN),
            ("mcp-method", "tools/call"),
            ("mcp-name", &encoded),
        ];
        let answer = send(&rig.http, Method::POST, "/mcp", &headers, &body).await;
        let (_, error) = told(answer).await.unwrap_err();
        let message = error["message"].as_str().unwrap();
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }
    for method in ["x\u{0}y", "x\ny", "\u{1b}[0m"] {
        let session = Session::open(&rig).await;
        let quoted = crate::wire::quote(method);
        let (_, error) =
            told(session.post(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":{quoted}}}"#)).await).await.unwrap_err();
        assert!(!error["message"].as_str().unwrap().chars().any(char::is_control), "{error}");
    }
    rig.close().await;
}

/// Names that are spelled with escapes mean the same, also to those who look for them.
#[tokio::test]
async fn escapes_hide_nothing() {
    let rig = rig().await;
    let meta = r#""_\u006deta":{"io.modelcontextprotocol/protocol\u0056ersion":"2026-07-28","io.modelcontextprotocol\/clientCapabilities":{}}"#;
    let body = request(7, "tools/list", &format!("{{{meta}}}"));
    let bare = send(&rig.http, Method::POST, "/mcp", &[ACCEPT, JSON], &body).await;
    assert_eq!(told(bare).await.unwrap_err().1["code"], -32020, "it is a modern request, and lacks its headers");
    let mut pipe = Pipe::open(&rig);
    pipe.send(&body).await;
    assert!(pipe.line().await.contains(r#""tools":["#));
    // Of repeated members the last one counts, for the header as for the call.
    for (header, tool) in [("hang", "echo"), ("nobody", "echo")] {
        let members = format!(r#""name":"{header}","uri":5,"name":"{tool}","arguments":{{}}"#);
        let right = ask_modern(&rig, "/mcp", &[("mcp-name", tool)], "tools/call", &members).await;
        told(right).await.unwrap();
        let wrong = ask_modern(&rig, "/mcp", &[("mcp-name", header)], "tools/call", &members).await;
        assert_eq!(told(wrong).await.unwrap_err().1["code"], -32020, "{header}");
    }
    rig.close().await;
}

/// A pipe whose other end reads nothing does not keep the door from ending.
#[tokio::test]
async fn a_client_that_reads_nothing() {
    let rig = rig().await;
    let mut pipe = Pipe::legacy(&rig).await;
    // More answers than pipes and queues take.
    let mut sent = 0;
    while pipe.try_send(&request(sent, "tools/list", "{}")).await {
        sent += 1;
        assert!(sent < 1_000_000, "answers are kept without end");
    }
    rig.stop.cancel();
    until("the end of the connection", async || pipe.has_ended()).await;
    rig.close().await;
}
