//! Requests, answers and notifications on an open connection.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{ErrorKind, Listener, RawJson, Retry, Transport, UpstreamRequest};

use crate::support::*;

#[tokio::test]
async fn results_come_byte_for_byte() {
    let upstream = open(&transport(), odd(&[])).await;
    for result in [
        r#"{"z": 1.50e+3, "a" : [ 1 ], "z": 100000000000000000000001}"#,
        r#"{"content":[{"type":"hologram","\u00e9":null}],"_meta":{}}"#,
        "[]",
        r#""text""#,
    ] {
        let params = serde_json::json!({ "text": result }).to_string();
        assert_eq!(ask(&upstream, "raw", &params).await.expect("an answer").as_str(), result);
    }
    // Line ends in params are white space, and a line must have none.
    let echo = ask(&upstream, "echo", "{\n\"a\":\r\n1,\"b\":\"\\n\"}").await.expect("an answer");
    assert_eq!(echo.as_str(), r#"{"a": 1, "b": "\n"}"#);
    within(upstream.close()).await;
}

#[tokio::test]
async fn errors_of_the_server_are_told() {
    let upstream = open(&transport(), odd(&[])).await;
    for (code, kind) in
        [(-32602, ErrorKind::InvalidArguments), (-32601, ErrorKind::UpstreamFailed), (5, ErrorKind::UpstreamFailed)]
    {
        let params = format!(r#"{{"code":{code}}}"#);
        let error = ask(&upstream, "fail", &params).await.expect_err("an error");
        assert_eq!(error.kind(), kind);
        let details = error.details().expect("its object");
        assert_eq!(details.as_str(), format!(r#"{{"code": {code}, "message": "as you wish", "data": {{"kept": 1}}}}"#));
    }
    within(upstream.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_callers_get_their_own_answers() {
    let upstream = open(&transport(), odd(&[])).await;
    let callers: Vec<_> = (0..200)
        .map(|number| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move {
                let params = format!(r#"{{"of": 200, "number": {number}}}"#);
                let answer = ask(&upstream, "shuffle", &params).await.expect("an answer");
                assert_eq!(answer.as_str(), params);
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("its own answer");
    }
    within(upstream.close()).await;
}

#[tokio::test]
async fn cancelling_is_told_and_leaves_the_connection_good() {
    let upstream = open(&transport(), odd(&[])).await;
    for _ in 0..3 {
        let hanging = upstream.request(UpstreamRequest::new("hang", RawJson::empty_object()));
        let timed_out = tokio::time::timeout(Duration::from_millis(20), hanging).await;
        assert!(timed_out.is_err());
        let echo = ask(&upstream, "echo", r#"{"a": 1}"#).await.expect("an answer");
        assert_eq!(echo.as_str(), r#"{"a": 1}"#);
    }
    let heard = ask(&upstream, "heard", "{}").await.expect("an answer");
    let heard: serde_json::Value = heard.read().expect("JSON");
    let cancelled: Vec<_> = heard["heard"]
        .as_array()
        .expect("an array")
        .iter()
        .filter(|message| message["method"] == "notifications/cancelled")
        .map(|message| message["params"]["requestId"].as_i64().expect("a number"))
        .collect();
    // Each request has an id of its own: discover, initialize, hang, echo, hang, echo, hang.
    assert_eq!(cancelled, [3, 5, 7]);
    within(upstream.close()).await;
}

#[tokio::test]
async fn a_large_request_that_is_dropped_is_no_half_line() {
    let upstream = open(&transport(), odd(&[])).await;
    let params = format!(r#"{{"text": "{}"}}"#, "y".repeat(5_000_000));
    for _ in 0..3 {
        // Far more than a pipe holds: most of it waits when the future is dropped.
        let large = upstream.request(UpstreamRequest::new("hang", json(&params)));
        let timed_out = tokio::time::timeout(Duration::from_millis(1), large).await;
        assert!(timed_out.is_err());
    }
    let echo = ask(&upstream, "echo", r#"{"a": 1}"#).await.expect("an answer");
    assert_eq!(echo.as_str(), r#"{"a": 1}"#);
    within(upstream.close()).await;
}

#[tokio::test]
async fn notifications_come_in_order_and_before_the_result() {
    let heard = Arc::<Heard>::default();
    let transport = transport();
    let upstream = within(transport.connect(connecting(odd(&[]), &heard))).await.expect("it connects");
    let (listener, mut progress) = Listener::channel(100);
    let request = UpstreamRequest::new("progress", json(r#"{"steps": 50}"#));
    within(upstream.request(request.with_listener(listener))).await.expect("an answer");
    for step in 0..50 {
        let notification = progress.try_recv().expect("it came before the result");
        assert_eq!(notification.method, "notifications/progress");
        assert!(notification.params.as_str().ends_with(&format!(r#""progress":{step}}}"#)));
    }
    assert_eq!(*heard.notified.lock().expect("no panic"), ["notifications/tools/list_changed"]);
    ask(&upstream, "batch", "{}").await.expect("an answer in a batch");
    assert_eq!(heard.notified.lock().expect("no panic").last().expect("one"), "notifications/one");
    within(upstream.close()).await;
}

#[tokio::test]
async fn requests_of_the_server_are_answered() {
    let upstream = open(&transport(), odd(&[])).await;
    let check = async |method: &str, expected: &str| {
        let params = format!(r#"{{"method":"{method}"}}"#);
        let answer = ask(&upstream, "ask", &params).await.expect("an answer");
        let answer: serde_json::Value = answer.read().expect("JSON");
        assert_eq!(answer["id"], "of-mine");
        let told = if answer["error"].is_null() { &answer["result"] } else { &answer["error"]["code"] };
        assert_eq!(told.to_string(), expected);
    };
    check("ping", "{}").await;
    check("roots/list", r#"{"you-said":{"a":1}}"#).await;
    check("no/such/method", "-32601").await;
    check("break", "-32603").await;
    within(upstream.close()).await;
}

#[tokio::test]
async fn a_death_in_the_middle_is_told_to_everybody_once() {
    let check = async |flags: &[&str], method: &'static str, params: &str, expected: &str| {
        let heard = Arc::<Heard>::default();
        let transport = transport();
        let upstream = within(transport.connect(connecting(odd(flags), &heard))).await.expect("it connects");
        let hanging = (0..5).map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move { ask(&upstream, "hang", "{}").await })
        });
        let hanging: Vec<_> = hanging.collect();
        tokio::task::yield_now().await;
        let mut errors = vec![ask(&upstream, method, params).await.expect_err("it is dead")];
        for task in hanging {
            errors.push(task.await.expect("no panic").expect_err("it is dead"));
        }
        for error in errors {
            assert_eq!((error.kind(), error.retry()), (ErrorKind::UpstreamFailed, Retry::IfIdempotent));
            assert!(error.message().contains(expected), "{error}");
        }
        let late = ask(&upstream, "echo", "{}").await.expect_err("it is dead");
        assert_eq!((late.kind(), late.retry()), (ErrorKind::Unavailable, Retry::Safe));
        let group = group(&upstream);
        within(upstream.close()).await;
        assert!(!is_alive(group), "the helper must not survive");
        let reasons: BTreeSet<String> =
            heard.closed.lock().expect("no panic").iter().map(ToString::to_string).collect();
        assert_eq!(heard.closed.lock().expect("no panic").len(), 1, "{reasons:?}");
        within(transport.drained()).await;
    };
    check(&["helper"], "die", "{}", "signal 9 (SIGKILL)").await;
    check(&["helper"], "exit", r#"{"code":4,"words":"I am off"}"#, "exit status 4; its last words: I am off").await;
    check(&[], "leave-helper", "{}", "exit status 7").await;
    check(&[], "close-output", "{}", "closed its standard output").await;
}
