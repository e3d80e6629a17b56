//! Servers that say too much, or do not listen.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{ErrorKind, RawJson, Retry, ServerLimits, Transport, UpstreamRequest};
use transport_stdio::{StdioConfig, StdioTransport};

use crate::support::*;

#[tokio::test]
async fn a_twenty_megabyte_result_comes_whole() {
    let upstream = open(&transport(), odd(&[])).await;
    const SIZE: usize = 20 * 1024 * 1024;
    for _ in 0..2 {
        let params = format!(r#"{{"bytes":{SIZE}}}"#);
        let result = ask(&upstream, "big", &params).await.expect("an answer");
        assert_eq!(result.as_bytes().len(), SIZE + r#"{"text":""}"#.len());
    }
    within(upstream.close()).await;
}

#[tokio::test]
async fn a_message_over_the_limit_ends_that_connection_only() {
    let transport = transport();
    let heard = Arc::<Heard>::default();
    let limits = ServerLimits { max_message_bytes: 10_000, ..ServerLimits::default() };
    let connect = connecting_with(odd(&["helper"]), &heard, limits, None);
    let small = within(transport.connect(connect)).await.expect("it connects");
    let other = open(&transport, odd(&[])).await;
    ask(&small, "big", r#"{"bytes":9000}"#).await.expect("within the limit");
    let error = ask(&small, "big", r#"{"bytes":11000}"#).await.expect_err("over the limit");
    assert_eq!(error.kind(), ErrorKind::UpstreamFailed);
    assert!(error.message().contains("larger than 10000 bytes"), "{error}");
    assert_eq!(heard.closed.lock().expect("no panic").len(), 1);
    ask(&other, "echo", "{}").await.expect("the other is untouched");
    within(small.close()).await;
    assert!(!is_alive(group(&small)));
    within(other.close()).await;
}

#[tokio::test]
async fn noise_is_tolerated_within_bounds() {
    let upstream = open(&transport(), odd(&["banner"])).await;
    let noise = |lines: usize, text: &str| format!(r#"{{"lines":{lines},"text":"{text}"}}"#);
    for text in ["", "hello", r#"{\"level\":\"info\"}"#, "{", "[", "[1,2]", "\\u0000", "null"] {
        ask(&upstream, "noise", &noise(2_000, text)).await.expect("an answer");
    }
    let error = ask(&upstream, "noise", &noise(20_000, "blah")).await.expect_err("no server");
    assert_eq!(error.kind(), ErrorKind::UpstreamFailed);
    assert!(error.message().contains("not JSON-RPC"), "{error}");
    within(upstream.close()).await;
    assert!(!is_alive(group(&upstream)));
}

#[tokio::test]
async fn a_program_that_is_no_server_is_found_out() {
    let error = refusal(&transport(), shell("exec yes")).await;
    assert!(error.message().contains("not JSON-RPC"), "{error}");
    let error = refusal(&transport(), shell("exec cat /dev/zero")).await;
    assert!(error.message().contains("larger than"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_read_is_told_from_one_that_is_slow() {
    let transport = StdioTransport::new(StdioConfig {
        stdin_grace: Duration::from_millis(100),
        max_outbox_bytes: 1_000_000,
        ..StdioConfig::default()
    });
    let upstream = open(&transport, odd(&[])).await;
    ask(&upstream, "stop-reading", "{}").await.expect("an answer");
    let params = json(&format!(r#"{{"text": "{}"}}"#, "y".repeat(400_000)));
    let mut waiting = Vec::new();
    let error = loop {
        let upstream = Arc::clone(&upstream);
        let request = UpstreamRequest::new("echo", params.clone());
        let mut task = tokio::spawn(async move { upstream.request(request).await });
        match tokio::time::timeout(Duration::from_millis(100), &mut task).await {
            Err(_) => waiting.push(task),
            Ok(answer) => break answer.expect("no panic").expect_err("no room"),
        }
        assert!(waiting.len() < 10, "the outbox is bounded");
    };
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe));
    assert!(error.message().contains("does not read"), "{error}");
    within(upstream.close()).await;
    for task in waiting {
        let error = task.await.expect("no panic").expect_err("it is closed");
        assert_eq!(error.kind(), ErrorKind::UpstreamFailed);
    }
    let late = upstream.request(UpstreamRequest::new("echo", RawJson::empty_object())).await;
    assert_eq!(late.expect_err("it is closed").kind(), ErrorKind::Unavailable);
    assert!(!is_alive(group(&upstream)));
}
