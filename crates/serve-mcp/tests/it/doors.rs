//! Every door, one answer: the same calls through the REST door and the MCP door.

use std::sync::Arc;

use gateway_core::{Era, ErrorKind, ServerLimits};
use gateway_layers::DeadlineLayer;
use gateway_testkit::fakes::{Answer, FakeServer};
use http::Method;
use serde_json::Value;

use crate::client::{Ask, Client, until};
use crate::client_http::send;
use crate::rig::{Rig, Setup, Wire, reference};
use crate::wire::{member, quote};

/// What both doors must say.
#[derive(Clone, Copy)]
enum Expected {
    /// The tool ran.
    Result,
    /// The gateway's own refusal, of this kind.
    Kind(&'static str),
    /// The error object of the server, which REST shows as details of this kind.
    Passed(&'static str),
}

use Expected::{Kind, Passed, Result};

/// What is called, with which arguments, and what comes of it.
const CASES: &[(&str, &str, Expected)] = &[
    ("a__echo", r#"{"x":"caf\u00e9 \ud83d\ude00 日本 \u0000","n":1.50e+3}"#, Result),
    ("a__fail", "{}", Result),
    ("binary", "{}", Result),
    ("odd", "{}", Result),
    ("big", r#"{"bytes":1048576}"#, Result),
    ("empty", "{}", Result),
    ("nobody", "{}", Kind("not_found")),
    ("a__nobody", "{}", Kind("not_found")),
    ("with\u{7}control\n", "{}", Kind("not_found")),
    ("echo", "{}", Kind("conflict")),
    ("a__echo", "[1]", Kind("invalid_arguments")),
    ("a__echo", r#""text""#, Kind("invalid_arguments")),
    ("big", r#"{"bytes":"many"}"#, Passed("invalid_arguments")),
    ("rpc_error", r#"{"code":-32050,"message":"no","data":[1.0]}"#, Passed("upstream_failed")),
    ("rpc_error", r#"{"code":-32602,"message":"wrong","data":null}"#, Passed("invalid_arguments")),
    ("rpc_error", r#"{"code":-32601,"message":"what?"}"#, Kind("upstream_failed")),
    ("late", "{}", Kind("upstream_timeout")),
    ("full", "{}", Kind("rate_limited")),
    ("away", "{}", Kind("unavailable")),
    ("broken", "{}", Kind("internal")),
];

fn fakes() -> Vec<(&'static str, FakeServer)> {
    let binary = r#"{"content":[{"type":"image","data":"AAEC/w==","mimeType":"image/png"},{"type":"x-new","a":[ 1e2 ]}],"isError":false,"x":null}"#;
    let a = FakeServer::new()
        .with_tool("echo", "", Answer::echo())
        .with_tool("fail", "", Answer::result(r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#))
        .with_tool("binary", "", Answer::result(binary))
        .with_tool("empty", "", Answer::result("{ }"))
        .with_tool("late", "", Answer::hang())
        .with_tool("full", "", Answer::error(ErrorKind::RateLimited, "too much at once"))
        .with_tool("away", "", Answer::error(ErrorKind::Unavailable, "nobody there"))
        .with_tool("broken", "", Answer::error(ErrorKind::Internal, "our mistake"));
    vec![("a", a), ("b", FakeServer::new().with_tool("echo", "", Answer::echo()))]
}

async fn rig() -> Rig {
    let limits = ServerLimits { request_timeout_ms: 200, ..ServerLimits::default() };
    let (servers, fakes) = (vec![(Wire::Stdio, reference("demo", Era::Legacy))], fakes());
    Rig::new(Setup { servers, fakes, limits, layers: vec![Arc::new(DeadlineLayer::new())], ..Setup::default() }).await
}

/// A call through the REST door: its status and body.
async fn rest(rig: &Rig, session: &[(&str, &str)], tool: &str, arguments: &str) -> (u16, String) {
    let body = format!(r#"{{"tool_name":{},"args":{arguments}}}"#, quote(tool));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(session);
    let answer = send(&rig.http, Method::POST, "/mcp/execute", &headers, &body).await;
    (answer.status, answer.text().await)
}

/// Whether both doors said the same; what is wrong where not.
fn compare(
    expected: Expected,
    era: Era,
    rest: &(u16, String),
    mcp: &std::result::Result<String, String>,
) -> Option<String> {
    let (status, body) = rest;
    let read: Value = serde_json::from_str(body).unwrap();
    let is_same = match (expected, mcp) {
        (Result, Ok(mcp)) if *status == 200 => {
            let rest = member(&member(body, "result").unwrap(), "call_tool_result").unwrap();
            let comma = if rest == "{ }" { "" } else { "," };
            let stamped = format!(r#"{{"resultType":"complete"{comma}{}"#, &rest[1..]);
            *mcp == rest || (era == Era::Modern && *mcp == stamped)
        }
        (Kind(kind), Err(error)) => {
            let error: Value = serde_json::from_str(error).unwrap();
            // The REST door sees while it reads that arguments are no object, and says so in its own words.
            let is_same = error["message"] == read["error"] || kind == "invalid_arguments";
            let is_same = is_same && error["data"]["details"] == read["details"];
            is_same && read["kind"] == kind && error["data"]["kind"] == kind
        }
        (Passed(kind), Err(error)) => read["kind"] == kind && member(body, "details").as_deref() == Some(error),
        _ => false,
    };
    (!is_same).then(|| format!("REST {status} {:.300}\n  MCP {:.300}", body, format!("{mcp:?}")))
}

#[tokio::test]
async fn both_doors_give_the_same_answers() {
    let rig = rig().await;
    let mut wrong = Vec::new();
    for (era, wire) in [Era::Legacy, Era::Modern].into_iter().flat_map(|era| [(era, Wire::Http), (era, Wire::Stdio)]) {
        let client = Client::of(&rig, era, wire).await;
        for (tool, arguments, expected) in CASES {
            let rest = rest(&rig, &[], tool, arguments).await;
            let mcp = client.call(tool, arguments).await.outcome.unwrap();
            if let Some(difference) = compare(*expected, era, &rest, &mcp) {
                wrong.push(format!("{tool:?} {arguments} ({era:?}, {wire:?})\n  {difference}"));
            }
        }
    }
    rig.close().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_server_that_dies_in_the_call() {
    let ways =
        [(Era::Legacy, Wire::Http), (Era::Legacy, Wire::Stdio), (Era::Modern, Wire::Http), (Era::Modern, Wire::Stdio)];
    let servers = ["d", "d0", "d1", "d2", "d3"].map(|name| (Wire::Stdio, reference(name, Era::Legacy)));
    let rig = Rig::new(Setup { servers: servers.into(), ..Setup::default() }).await;
    let rest = rest(&rig, &[], "d__die", "{}").await;
    for (number, (era, wire)) in ways.into_iter().enumerate() {
        let client = Client::of(&rig, era, wire).await;
        let mcp = client.call(&format!("d{number}__die"), "{}").await.outcome.unwrap();
        assert_eq!(compare(Kind("upstream_failed"), era, &rest, &mcp), None, "{era:?} {wire:?}");
    }
    rig.close().await;
}

#[tokio::test]
async fn a_session_that_is_over_is_over_at_both_doors() {
    let rig = rig().await;
    let made = send(&rig.http, Method::POST, "/sessions/create", &[("content-type", "application/json")], "{}").await;
    let made: Value = serde_json::from_str(&made.text().await).unwrap();
    let id = made["session_id"].as_str().unwrap();
    let header = [("x-session-id", id)];
    let before = Client::at(&rig, Era::Legacy, &format!("/mcp?session={id}")).await;
    assert!(before.text("a__echo", r#"{"t":1}"#).await.contains("\"t\":1"));
    assert_eq!(rest(&rig, &header, "a__echo", "{}").await.0, 200);
    let gone = send(&rig.http, Method::DELETE, &format!("/sessions/{id}"), &[], "").await;
    assert_eq!(gone.status, 200);

    let (status, body) = rest(&rig, &header, "a__echo", "{}").await;
    assert_eq!((status, member(&body, "kind").as_deref()), (404, Some(r#""not_found""#)));
    let modern = Client::at(&rig, Era::Modern, &format!("/mcp?session={id}")).await;
    assert_eq!(modern.call("a__echo", "{}").await.error()["data"]["kind"], "not_found");
    // A legacy client is told by 404 that it must initialize again (2025-11-25, "Session Management").
    assert_eq!(before.call("a__echo", "{}").await.status, 404);
    rig.close().await;
}

#[tokio::test]
async fn whoever_goes_away_cancels_the_call_at_both_doors() {
    let servers = fakes();
    let a = servers[0].1.clone();
    let rig = Rig::new(Setup { fakes: servers, ..Setup::default() }).await;
    let asking = async |number: usize| until("the call", async || a.calls() == number).await;
    let http = rig.http.clone();
    let task = tokio::spawn(async move {
        send(&http, Method::POST, "/mcp/execute", &[("content-type", "application/json")], r#"{"tool_name":"late"}"#)
            .await
    });
    asking(1).await;
    task.abort();
    until("the end of the REST call", async || a.cancelled() == 1).await;
    for (number, era) in [Era::Legacy, Era::Modern].into_iter().enumerate() {
        let client = Client::of(&rig, era, Wire::Http).await;
        let (_, task) = client.begin(Ask::tool("late", "{}"));
        asking(number + 2).await;
        task.abort();
        until("the end of the MCP call", async || a.cancelled() == number + 2).await;
    }
    rig.close().await;
}
