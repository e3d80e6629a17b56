//! Calls of legacy servers that wait until their modern client comes back with its answers.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Error, ErrorKind, RawJson};
use gateway_testkit::fakes::{Answer, FakeServer};
use http::Method;
use serde_json::Value;
use serve_mcp::{Expose, McpConfig};

use crate::client::until;
use crate::raw::{ask_modern, told};
use crate::rig::{Rig, Setup};
use crate::sessions::Everybody;
use crate::wire::{member, quote};

/// A server that asks for the user's consent, and once more where the answer says `again`.
fn asker() -> FakeServer {
    let ask = Answer::new(|arguments: RawJson, listener| async move {
        let listener = listener.ok_or_else(|| Error::new(ErrorKind::Internal, "nobody to ask"))?;
        let params =
            RawJson::parse(r#"{"message":"May I?","requestedSchema":{"type":"object","properties":{}}}"#).unwrap();
        let mut answers = Vec::new();
        loop {
            let answer = listener.ask("elicitation/create", params.clone()).await?;
            let again = answer.as_str().contains("again");
            answers.push(answer.as_str().to_owned());
            if !again {
                break;
            }
        }
        let text = format!("{} got {}", arguments.as_str(), answers.join(" and "));
        let result = serde_json::json!({ "content": [{ "type": "text", "text": text }] });
        Ok(RawJson::from_value(&result).unwrap())
    });
    let twice = Answer::new(|_, listener| async move {
        let listener = listener.unwrap();
        let params =
            || RawJson::parse(r#"{"message":"?","requestedSchema":{"type":"object","properties":{}}}"#).unwrap();
        let (one, other) =
            tokio::join!(listener.ask("elicitation/create", params()), listener.ask("elicitation/create", params()));
        let text = format!("{} and {}", one?.as_str(), other?.as_str());
        let result = serde_json::json!({ "content": [{ "type": "text", "text": text }] });
        Ok(RawJson::from_value(&result).unwrap())
    });
    FakeServer::new().with_tool("ask", "", ask).with_tool("other", "", Answer::echo()).with_tool("twice", "", twice)
}

async fn rig(server: &FakeServer) -> Rig {
    let mcp = McpConfig { expose: Expose::All, input_window_ms: 60_000, ..McpConfig::default() };
    let (fakes, auth) = (vec![("demo", server.clone())], Arc::new(Everybody));
    Rig::new(Setup { mcp, fakes, auth, ..Setup::default() }).await
}

/// A call as `who` makes it, with these members beside the name.
async fn call(rig: &Rig, who: &str, tool: &str, members: &str) -> Result<Value, (u16, Value)> {
    let members = format!(r#""name":"{tool}",{members}"#);
    told(ask_modern(rig, "/mcp", &[("x-api-key", who)], "tools/call", &members).await).await
}

/// The state of a call that was asked something.
async fn asked(rig: &Rig, who: &str, arguments: &str) -> String {
    let result = call(rig, who, "ask", &format!(r#""arguments":{arguments}"#)).await.unwrap();
    assert_eq!(result["resultType"], "input_required", "{result}");
    assert_eq!(result["inputRequests"]["input-1"]["method"], "elicitation/create", "{result}");
    result["requestState"].as_str().unwrap().to_owned()
}

fn back(state: &str, arguments: &str, answer: &str) -> String {
    format!(r#""arguments":{arguments},"requestState":{},"inputResponses":{{"input-1":{answer}}}"#, quote(state))
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_with_the_answer() {
    let server = asker();
    let rig = rig(&server).await;
    let state = asked(&rig, "ann", r#"{"a":1.0}"#).await;
    let again =
        call(&rig, "ann", "ask", &back(&state, r#"{"a":1.0}"#, r#"{"action":"decline","x":"again"}"#)).await.unwrap();
    let second = again["requestState"].as_str().unwrap();
    assert_ne!(second, state);
    let done =
        call(&rig, "ann", "ask", &back(second, r#"{"a":1.0}"#, r#"{"action":"accept","n":1.50}"#)).await.unwrap();
    let expected = r#"{"a":1.0} got {"action":"decline","x":"again"} and {"action":"accept","n":1.50}"#;
    assert_eq!((done["content"][0]["text"].as_str(), done["resultType"].as_str()), (Some(expected), Some("complete")));
    assert_eq!((server.calls(), server.cancelled()), (1, 0), "one call, whatever the rounds");
    // A state is good for once.
    for used in [state.as_str(), second] {
        let (status, error) =
            call(&rig, "ann", "ask", &back(used, r#"{"a":1.0}"#, r#"{"action":"accept"}"#)).await.unwrap_err();
        assert_eq!((status, &error["code"]), (400, &Value::from(-32602)));
    }
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_only_for_its_own_caller_and_as_it_was() {
    let server = asker();
    let rig = rig(&server).await;
    let state = asked(&rig, "ann", r#"{"a":1}"#).await;
    let accept = r#"{"action":"accept"}"#;
    let tampered =
        [format!("{state}-TAMPERED"), state[..state.len() - 1].to_owned(), state.to_uppercase(), format!(" {state}")];
    for (who, tool, state, arguments) in [
        ("bob", "ask", state.as_str(), r#"{"a":1}"#),
        ("ann", "other", &state, r#"{"a":1}"#),
        ("ann", "ask", &state, r#"{"a":2}"#),
        ("ann", "ask", &tampered[0], r#"{"a":1}"#),
        ("ann", "ask", &tampered[1], r#"{"a":1}"#),
        ("ann", "ask", &tampered[2], r#"{"a":1}"#),
        ("ann", "ask", &tampered[3], r#"{"a":1}"#),
        ("ann", "ask", "", r#"{"a":1}"#),
        ("ann", "ask", "parked.", r#"{"a":1}"#),
    ] {
        let refused = call(&rig, who, tool, &back(state, arguments, accept)).await;
        assert_eq!(refused.unwrap_err().1["code"], -32602, "{who} {tool} {state} {arguments}");
    }
    let other = ask_modern(
        &rig,
        "/mcp?session=new",
        &[("x-api-key", "ann")],
        "tools/call",
        &format!(r#""name":"ask",{}"#, back(&state, r#"{"a":1}"#, accept)),
    )
    .await;
    assert!(told(other).await.is_err(), "another session of the gateway");
    // None of that has used it up.
    assert_eq!((server.calls(), server.cancelled()), (1, 0));
    call(&rig, "ann", "ask", &back(&state, r#"{"a":1}"#, accept)).await.unwrap();
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_asked_again() {
    let server = asker();
    let rig = rig(&server).await;
    let mut state = asked(&rig, "ann", "{}").await;
    let responses =
        ["null", "{}", "7", r#"{"input-1":null}"#, r#"{"input-1":"yes"}"#, r#"{"input-2":{"action":"accept"}}"#];
    for responses in responses {
        let members = format!(r#""arguments":{{}},"requestState":{},"inputResponses":{responses}"#, quote(&state));
        let again = call(&rig, "ann", "ask", &members).await.unwrap();
        assert_eq!(again["resultType"], "input_required", "{responses}: {again}");
        state = again["requestState"].as_str().unwrap().to_owned();
    }
    call(&rig, "ann", "ask", &back(&state, "{}", r#"{"action":"accept"}"#)).await.unwrap();
    assert_eq!(server.calls(), 1);
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn questions_side_by_side_are_answered_one_by_one_too() {
    let server = asker();
    let rig = rig(&server).await;
    let first = call(&rig, "ann", "twice", r#""arguments":{}"#).await.unwrap();
    assert_eq!(first["inputRequests"].as_object().unwrap().len(), 2, "{first}");
    let state = first["requestState"].as_str().unwrap();
    let members =
        format!(r#""arguments":{{}},"requestState":{},"inputResponses":{{"input-2":{{"n":2}}}}"#, quote(state));
    let second = call(&rig, "ann", "twice", &members).await.unwrap();
    let requests = second["inputRequests"].as_object().unwrap();
    let key = requests.keys().next().unwrap();
    assert_eq!((requests.len(), requests.len()), (1, 1));
    let state = quote(second["requestState"].as_str().unwrap());
    let members = format!(r#""arguments":{{}},"requestState":{state},"inputResponses":{{"{key}":{{"n":1}}}}"#);
    let done = call(&rig, "ann", "twice", &members).await.unwrap();
    assert_eq!(done["content"][0]["text"], r#"{"n":1} and {"n":2}"#);
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_comes_back_for_is_cancelled() {
    let server = asker();
    let rig = rig(&server).await;
    let state = asked(&rig, "ann", "{}").await;
    tokio::time::sleep(Duration::from_secs(58)).await;
    assert_eq!(server.cancelled(), 0);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(server.cancelled(), 1);
    let (_, error) = call(&rig, "ann", "ask", &back(&state, "{}", r#"{"action":"accept"}"#)).await.unwrap_err();
    assert_eq!(error["code"], -32602);
    rig.close().await;
}

/// The end of the gateway's door ends what waits.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_door_cancels_what_waits() {
    let server = asker();
    let rig = rig(&server).await;
    asked(&rig, "ann", "{}").await;
    rig.stop.cancel();
    until("the end of the call", async || server.cancelled() == 1).await;
    rig.close().await;
}

/// A client that can be asked nothing is not asked; the server hears why.
#[tokio::test(start_paused = true)]
async fn whoever_cannot_be_asked_is_not_parked() {
    let server = asker();
    let rig = rig(&server).await;
    let body =
        crate::raw::modern(7, "tools/call", r#""name":"ask","arguments":{}"#).replace(r#"{"elicitation":{}}"#, "{}");
    let headers = [
        crate::raw::ACCEPT,
        crate::raw::JSON,
        ("x-api-key", "ann"),
        ("mcp-protocol-version", crate::wire::MODERN),
        ("mcp-method", "tools/call"),
        ("mcp-name", "ask"),
    ];
    let answer = crate::client_http::send(&rig.http, Method::POST, "/mcp", &headers, &body).await.text().await;
    let error = member(&answer, "error").expect("the server gives up");
    assert!(error.contains("did not declare `elicitation`"), "{error}");
    rig.close().await;
}
