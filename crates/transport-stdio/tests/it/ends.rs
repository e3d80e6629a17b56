//! However it ends, nothing stays behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_core::{Command, ErrorKind, Transport};
use transport_stdio::StdioTransport;

use crate::support::*;

/// A wrapper whose helpers survive its own end, in front of the odd server.
fn wrapper(flags: &str) -> Command {
    let python = python();
    shell(&format!("exec 3<&0; sleep 600 & {python} {SERVER} {flags} <&3 & wait"))
}

#[tokio::test]
async fn closing_leaves_no_process_of_the_group() {
    let check = async |command: Command| {
        let transport = transport();
        let heard = Arc::<Heard>::default();
        let connect = connecting(command.clone(), &heard);
        let upstream = within(transport.connect(connect)).await.expect("it connects");
        let group = group(&upstream);
        assert!(is_alive(group));
        let hanging = tokio::spawn({
            let upstream = Arc::clone(&upstream);
            async move { ask(&upstream, "hang", "{}").await }
        });
        ask(&upstream, "echo", "{}").await.expect("an answer");
        // The second returns when the first is done, and so does a third.
        tokio::join!(within(upstream.close()), within(upstream.close()));
        assert!(!is_alive(group), "{command:?}");
        within(upstream.close()).await;
        assert!(hanging.await.expect("no panic").is_err());
        assert!(heard.closed.lock().expect("no panic").is_empty(), "closing is no accident");
        within(transport.drained()).await;
    };
    check(odd(&[])).await;
    check(odd(&["helper"])).await;
    check(odd(&["stubborn"])).await;
    check(odd(&["stubborn", "helper"])).await;
    check(wrapper("")).await;
    check(wrapper("stubborn")).await;
    check(shell(&format!("sleep 600 & exec {} {SERVER}", python()))).await;
}

#[tokio::test]
async fn a_good_server_ends_at_once() {
    let transport = transport();
    let upstream = open(&transport, odd(&[])).await;
    let start = Instant::now();
    within(upstream.close()).await;
    assert!(start.elapsed() < Duration::from_millis(450), "no grace is waited out");
}

#[tokio::test]
async fn an_upstream_that_is_dropped_ends_in_the_background() {
    for flags in [&[][..], &["stubborn", "helper"]] {
        let transport = transport();
        let upstream = open(&transport, odd(flags)).await;
        let group = group(&upstream);
        drop(upstream);
        within(transport.drained()).await;
        assert!(!is_alive(group));
    }
}

#[tokio::test]
async fn a_handshake_that_is_dropped_leaves_nothing() {
    for flags in [&["silent"][..], &["silent", "helper"], &["silent", "stubborn", "helper"]] {
        for wait in [0, 1, 100, 400] {
            let folder = Folder::new();
            let file = format!("starts={}", folder.path("starts"));
            let mut flags = flags.to_vec();
            flags.push(&file);
            let transport = transport();
            let connect = transport.connect(connecting(odd(&flags), &Arc::default()));
            let cut = tokio::time::timeout(Duration::from_millis(wait), connect).await;
            assert!(cut.is_err(), "it never answers");
            within(transport.drained()).await;
            assert!(folder.numbers("starts").into_iter().all(|group| !is_alive(group)));
            assert!(wait < 400 || !folder.numbers("starts").is_empty(), "it was started");
        }
    }
}

#[tokio::test]
async fn a_leader_that_ends_first_takes_its_helpers_along() {
    let transport = transport();
    let heard = Arc::<Heard>::default();
    // The server itself is a helper that holds all three pipes when its leader goes.
    let script = format!("exec 3<&0; {} {SERVER} <&3 & sleep 1", python());
    let connect = connecting(shell(&script), &heard);
    let upstream = within(transport.connect(connect)).await.expect("it connects");
    let error = ask(&upstream, "hang", "{}").await.expect_err("the leader is gone");
    assert_eq!(error.kind(), ErrorKind::UpstreamFailed);
    assert!(error.message().contains("exit status 0"), "{error}");
    within(upstream.close()).await;
    assert!(!is_alive(group(&upstream)));
    assert_eq!(heard.closed.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn a_question_that_is_never_answered_holds_nobody_up() {
    let transport = transport();
    let upstream = open(&transport, odd(&[])).await;
    let asking = tokio::spawn({
        let upstream = Arc::clone(&upstream);
        async move { ask(&upstream, "ask", r#"{"method":"think"}"#).await }
    });
    ask(&upstream, "echo", "{}").await.expect("an answer");
    within(upstream.close()).await;
    assert!(asking.await.expect("no panic").is_err());
    within(transport.drained()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_servers_start_and_end_side_by_side() {
    let transport = Arc::new(transport());
    let servers: Vec<_> = (0..30)
        .map(|number| {
            let transport = Arc::clone(&transport);
            tokio::spawn(async move {
                let upstream = open(&transport, odd(&[])).await;
                let params = format!(r#"{{"number": {number}}}"#);
                let answer = ask(&upstream, "echo", &params).await.expect("an answer");
                assert_eq!(answer.as_str(), params);
                let group = group(&upstream);
                if number % 2 == 0 {
                    within(upstream.close()).await;
                }
                group
            })
        })
        .collect();
    let mut groups = Vec::new();
    for server in servers {
        groups.push(server.await.expect("no panic"));
    }
    within(transport.drained()).await;
    groups.retain(|group| is_alive(*group));
    assert!(groups.is_empty(), "{groups:?}");
}

#[test]
fn a_runtime_that_is_dropped_leaves_nothing() {
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    let first = runtime();
    let transport: StdioTransport = transport();
    let upstream = first.block_on(open(&transport, odd(&["stubborn", "helper"])));
    let group = group(&upstream);
    assert!(is_alive(group));
    let hanging = first.spawn({
        let upstream = Arc::clone(&upstream);
        async move { ask(&upstream, "hang", "{}").await }
    });
    first.shutdown_background();
    runtime().block_on(async {
        assert!(hanging.await.is_err(), "it went with its runtime");
        // The runtime drops its tasks in its own time: a request that is written before is lost in the middle.
        let early = ask(&upstream, "echo", "{}").await.expect_err("nobody listens");
        assert!(matches!(early.kind(), ErrorKind::Unavailable | ErrorKind::UpstreamFailed), "{early:?}");
        eventually("the end of the group", || (!is_alive(group)).then_some(())).await;
        let late = ask(&upstream, "echo", "{}").await.expect_err("nobody listens");
        assert_eq!(late.kind(), ErrorKind::Unavailable);
        within(upstream.close()).await;
        within(transport.drained()).await;
    });
}

#[test]
fn a_thread_that_ends_takes_no_server_along() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let transport = transport();
    // A parent-death signal comes when the thread that forked ends.
    let upstream = std::thread::scope(|scope| {
        let connecting = scope.spawn(|| runtime.block_on(open(&transport, odd(&[]))));
        connecting.join().expect("no panic")
    });
    runtime.block_on(async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        ask(&upstream, "echo", "{}").await.expect("it lives");
        within(upstream.close()).await;
    });
}
