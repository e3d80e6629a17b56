//! What a server says besides answers.

use std::time::Duration;

use futures_util::future::join_all;
use gateway_core::{ClientProfile, Listener, Notification, RawJson};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::TransportCase;
use super::link::{Extras, Link, eventually, json, soon};
use crate::fakes::RecordedEvents;
use crate::suite::{Verdict, ensure, ensure_eq};

const CHANGED: &str = "notifications/tools/list_changed";
const PROGRESS: &str = "notifications/progress";

pub(super) async fn progress_arrives_in_order_before_the_result(case: TransportCase) -> Verdict {
    progress_is_complete(&case.open(&[]).await?).await
}

pub(super) async fn progress_of_a_modern_server_arrives_too(case: TransportCase) -> Verdict {
    progress_is_complete(&case.open(&["--era", "modern"]).await?).await
}

async fn progress_is_complete(link: &Link) -> Verdict {
    for _ in 0..5 {
        let (listener, mut receiver) = Listener::channel(500);
        let answer = link.heard_by(listener, "progress", r#"{"steps":100}"#).await;
        answer.map_err(|error| format!("progress failed: {error:?}"))?;
        // All of it is there when the result is.
        ensure_eq!(steps(&mut receiver)?, (1..=100).collect::<Vec<_>>(), "steps heard before the result");
    }
    Ok(())
}

pub(super) async fn each_listener_hears_its_own_request(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let link = &link;
    let calls = (1..=20_u64).map(|number| async move {
        let (listener, mut receiver) = Listener::channel(500);
        let arguments = format!(r#"{{"steps":{number},"pause_ms":1}}"#);
        let answer = link.heard_by(listener, "progress", &arguments).await;
        answer.map_err(|error| format!("progress failed: {error:?}"))?;
        ensure_eq!(steps(&mut receiver)?, (1..=number).collect::<Vec<_>>(), "steps heard of call {number}");
        Ok(())
    });
    soon("20 calls", join_all(calls)).await?.into_iter().collect()
}

pub(super) async fn without_a_listener_no_progress_is_asked_for(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    link.text("progress", r#"{"steps":3}"#).await?;
    // Whatever the server sent would have come before this answer.
    link.text("echo", r#"{"text":"x"}"#).await?;
    ensure_eq!(link.events.count(PROGRESS), 0, "progress that nobody asked for");
    Ok(())
}

pub(super) async fn a_listener_that_does_not_read_blocks_nobody(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let (listener, receiver) = Listener::channel(1);
    let answer = soon("a call whose listener does not read", link.heard_by(listener, "progress", r#"{"steps":2000}"#));
    answer.await?.map_err(|error| format!("progress failed: {error:?}"))?;
    drop(receiver);
    let (listener, receiver) = Listener::channel(1);
    drop(receiver);
    let answer = soon("a call whose listener is gone", link.heard_by(listener, "progress", r#"{"steps":50}"#));
    answer.await?.map_err(|error| format!("progress failed: {error:?}"))?;
    Ok(())
}

pub(super) async fn a_log_message_arrives(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let (listener, mut receiver) = Listener::channel(10);
    let answer = link.heard_by(listener, "log", r#"{"text":"caf\u00e9"}"#).await;
    answer.map_err(|error| format!("log failed: {error:?}"))?;
    // It is surely part of the only request under way.
    let by_listener: Vec<_> =
        std::iter::from_fn(|| receiver.try_recv().ok()).map(|heard| (heard.method, heard.params)).collect();
    let by_events = link.events.notified();
    ensure_eq!((by_listener.len(), by_events.len()), (1, 0), "messages heard by the listener and by the events");
    for (method, params) in by_listener {
        ensure_eq!(method, "notifications/message", "the method");
        let expected = r#"{"level":"info","logger":"reference","data":"caf\u00e9"}"#;
        ensure_eq!(params.as_str(), expected, "the message");
    }
    Ok(())
}

pub(super) async fn list_changed_reaches_the_events(case: TransportCase) -> Verdict {
    list_changed(&case.open(&[]).await?).await
}

pub(super) async fn list_changed_of_a_modern_server_reaches_the_events(case: TransportCase) -> Verdict {
    list_changed(&case.open(&["--era", "modern"]).await?).await
}

async fn list_changed(link: &Link) -> Verdict {
    // Over HTTP the stream for it may open a moment after the connection: a tool is added until it
    // is heard of.
    let number = std::sync::atomic::AtomicU64::new(0);
    eventually("a change of the tools is heard of", || async {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        link.text("add_tool", &format!(r#"{{"name":"added {number}"}}"#)).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(link.events.count(CHANGED) > 0)
    })
    .await
}

pub(super) async fn a_question_is_answered_by_the_events(case: TransportCase) -> Verdict {
    let answer = r#"{"roots":[{"uri":"file:\/\/x","n":1.50e+3}],"x-unknown":null}"#;
    let events = RecordedEvents::new().with_answer("roots/list", json(answer));
    let link = case.open_with(&[], Extras { events, ..Extras::default() }).await?;
    let question = r#"{"method":"roots/list","params":{"b":1.0,"a":[ ]}}"#;
    let text = soon("a question", link.text("ask", question)).await??;
    ensure_eq!(text, format!(r#"{{"result":{answer}}}"#), "what the server got");
    let asked = link.events.asked();
    let asked: Vec<_> = asked.iter().map(|(method, params)| (method.as_str(), params.as_str())).collect();
    ensure_eq!(asked, vec![("roots/list", r#"{"b":1.0,"a":[ ]}"#)], "what the events were asked");
    Ok(())
}

pub(super) async fn a_question_in_a_request_reaches_its_listener(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let answer = r#"{"roots":[],"x-unknown":1.50}"#;
    let profile = ClientProfile::new(RawJson::empty_object());
    let mut ends = Listener::conversation(&profile, false, 10);
    let question = r#"{"method":"roots/list","params":{"b":1.0}}"#;
    let asking = link.heard_by(ends.listener.clone(), "ask", question);
    let answering = async {
        let asked = ends.questions.recv().await?;
        let heard = (asked.method.clone(), asked.params.as_str().to_owned());
        asked.answer(Ok(json(answer)));
        Some(heard)
    };
    let (result, asked) = soon("a question", async { tokio::join!(asking, answering) }).await?;
    ensure_eq!(asked, Some(("roots/list".to_owned(), r#"{"b":1.0}"#.to_owned())), "what the listener was asked");
    let result = result.map_err(|error| format!("ask failed: {error:?}"))?;
    ensure!(result.as_str().contains(r#"\"x-unknown\":1.50"#), "the server got {}", result.as_str());
    ensure_eq!(link.events.asked().len(), 0, "questions that reached the events");
    Ok(())
}

pub(super) async fn a_question_that_nobody_answers_is_method_not_found(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let text = soon("a question", link.text("ask", r#"{"method":"no/such"}"#)).await??;
    ensure!(text.starts_with(r#"{"error":"#) && text.contains("-32601"), "the server got {text}");
    Ok(())
}

/// The steps that a listener heard, in order.
fn steps(receiver: &mut mpsc::Receiver<Notification>) -> Result<Vec<u64>, String> {
    #[derive(Deserialize)]
    struct Progress {
        progress: u64,
    }
    let mut steps = Vec::new();
    while let Ok(notification) = receiver.try_recv() {
        ensure_eq!(notification.method, PROGRESS, "the method of what was heard");
        let progress: Progress = notification.params.read().map_err(|error| format!("progress params: {error}"))?;
        ensure!(notification.params.as_str().contains(r#""x-unknown":1.0"#), "the params were changed");
        steps.push(progress.progress);
    }
    Ok(steps)
}
