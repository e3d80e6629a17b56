//! Event streams: taking them up again, keeping them alive, giving them up.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Notification, RawJson};
use gateway_testkit::fakes::{Answer, FakeServer};
use http::Method;
use serve_mcp::{Expose, McpConfig};
use tokio::sync::Semaphore;

use crate::client::until;
use crate::client_http::send;
use crate::raw::{Session, ask_modern, told};
use crate::rig::{Rig, Setup};
use crate::sse::{Event, Events};
use crate::wire::{LEGACY, Message, member};

/// A server whose tool `steps` makes a step of progress for each permit, and is done after five.
struct Stepper {
    server: FakeServer,
    permits: Arc<Semaphore>,
}

impl Stepper {
    fn new() -> Self {
        let permits = Arc::new(Semaphore::new(0));
        let steps = Arc::clone(&permits);
        let run = Answer::new(move |_, listener| {
            let steps = Arc::clone(&steps);
            async move {
                for step in 1..=5 {
                    steps.acquire().await.unwrap().forget();
                    let params = RawJson::parse(format!(r#"{{"progressToken":1,"progress":{step}}}"#)).unwrap();
                    let method = "notifications/progress".to_owned();
                    assert!(listener.as_ref().is_none_or(|listener| listener.deliver(Notification { method, params })));
                }
                Ok(RawJson::parse(r#"{"content":[],"done":true}"#).unwrap())
            }
        });
        let server = FakeServer::new()
            .with_tool("steps", "Step by step", run)
            .with_tool("echo", "Repeats", Answer::echo())
            .with_tool("hang", "Never answers", Answer::hang());
        Self { server, permits }
    }

    async fn rig(&self, mcp: McpConfig) -> Rig {
        let mcp = McpConfig { expose: Expose::All, ..mcp };
        Rig::new(Setup { mcp, fakes: vec![("demo", self.server.clone())], ..Setup::default() }).await
    }
}

/// What an event says: the step, or that the call is done.
fn said(event: &Event) -> String {
    let message = Message::read(&event.data);
    match message.outcome {
        Some(outcome) => format!("{} of {}", outcome.unwrap(), message.id.unwrap()),
        None => member(&message.params, "progress").unwrap_or(message.raw),
    }
}

/// The next events, and the id of the last.
async fn read(events: &mut Events, count: usize) -> (Vec<String>, String) {
    let mut seen = Vec::new();
    let mut last = String::new();
    for _ in 0..count {
        let event = events.next().await.expect("one more event");
        last = event.id.clone().expect("an event of a stream that can be taken up has an id");
        seen.push(if event.data.is_empty() { "priming".to_owned() } else { said(&event) });
    }
    (seen, last)
}

async fn rest(mut events: Events) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(said(&event));
    }
    seen
}

const DONE: &str = r#"{"content":[],"done":true} of 9"#;

#[tokio::test(start_paused = true)]
async fn a_stream_that_broke_off_is_taken_up_again() {
    let stepper = Stepper::new();
    let rig = stepper.rig(McpConfig::default()).await;
    let session = Session::open(&rig).await;
    stepper.permits.add_permits(2);
    let mut events = session.call(9, "steps", "{}").await.events();
    let (seen, last) = read(&mut events, 3).await;
    assert_eq!(seen, ["priming", "1", "2"]);
    drop(events);

    // Meanwhile it goes on, and breaks off once more.
    stepper.permits.add_permits(2);
    let mut events = session.listen(Some(&last)).await.events();
    let (seen, last) = read(&mut events, 1).await;
    assert_eq!(seen, ["3"]);
    drop(events);
    stepper.permits.add_permits(1);
    let events = session.listen(Some(&last)).await.events();
    assert_eq!(rest(events).await, ["4", "5", DONE]);
    assert_eq!((stepper.server.calls(), stepper.server.cancelled()), (1, 0));

    // Whoever lost the end comes back for it; whoever lost everything comes back for everything.
    assert_eq!(rest(session.listen(Some(&last)).await.events()).await, ["4", "5", DONE]);
    let (stream, _) = last.split_once('-').unwrap();
    let all = rest(session.listen(Some(&format!("{stream}-0"))).await.events()).await;
    assert_eq!(all, ["1", "2", "3", "4", "5", DONE]);
    rig.close().await;
}

/// Older revisions know no event without data, but may come back as well.
#[tokio::test(start_paused = true)]
async fn only_the_newest_revision_is_primed() {
    let stepper = Stepper::new();
    let rig = stepper.rig(McpConfig::default()).await;
    for (version, expected) in [(LEGACY, "priming"), ("2025-06-18", "1"), ("2025-03-26", "1")] {
        let session = Session::open_at(&rig, "/mcp", version, None).await.unwrap();
        stepper.permits.add_permits(5);
        let mut events = session.call(9, "steps", "{}").await.events();
        assert_eq!(read(&mut events, 1).await.0, [expected], "{version}");
        rest(events).await;
    }
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_comes_back_for_is_cancelled() {
    let stepper = Stepper::new();
    let rig = stepper.rig(McpConfig { resume_window_ms: 5_000, ..McpConfig::default() }).await;
    let session = Session::open(&rig).await;
    stepper.permits.add_permits(1);
    let mut events = session.call(9, "steps", "{}").await.events();
    let (_, last) = read(&mut events, 2).await;
    drop(events);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(stepper.server.cancelled(), 0, "it may still be taken up");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stepper.server.cancelled(), 1);
    assert_eq!(told(session.listen(Some(&last)).await).await.unwrap_err().0, 400);
    assert_eq!(session.ping().await, 200);
    rig.close().await;
}

/// What a client says of a call counts while its stream is broken off, too.
#[tokio::test(start_paused = true)]
async fn a_call_is_cancelled_while_its_stream_is_broken_off() {
    let stepper = Stepper::new();
    let rig = stepper.rig(McpConfig { resume_window_ms: 3_600_000, ..McpConfig::default() }).await;
    for end in ["cancel", "delete"] {
        let session = Session::open(&rig).await;
        let before = stepper.server.cancelled();
        stepper.permits.add_permits(1);
        let mut events = session.call(9, "steps", "{}").await.events();
        let (_, last) = read(&mut events, 2).await;
        drop(events);
        if end == "cancel" {
            let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}"#;
            assert_eq!(session.post(cancel).await.status, 202);
            until("the end of the call", async || stepper.server.cancelled() == before + 1).await;
            // There is nothing to come back for.
            assert_eq!(told(session.listen(Some(&last)).await).await.unwrap_err().0, 400);
        } else {
            assert_eq!(session.delete().await, 204);
            assert_eq!(stepper.server.cancelled(), before + 1);
        }
    }
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn silent_streams_say_that_they_are_there() {
    let stepper = Stepper::new();
    let rig = stepper.rig(McpConfig { keep_alive_ms: 2_000, ..McpConfig::default() }).await;
    let session = Session::open(&rig).await;
    stepper.permits.add_permits(1);
    let listening = session.listen(None).await.events();
    let calling = session.call(9, "steps", "{}").await.events();
    let subscribed = ask_modern(&rig, "/mcp", &[], "subscriptions/listen", r#""notifications":{}"#).await.events();
    // These two have nothing to say yet.
    let silent = session.call(10, "hang", "{}").await.events();
    let modern = ask_modern(&rig, "/mcp", &[], "tools/call", r#""name":"hang","arguments":{}"#).await.events();
    for mut events in [listening, calling, subscribed, silent, modern] {
        for _ in 0..3 {
            while !events.next_block().await.unwrap().is_comment {}
        }
    }
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn there_is_one_stream_for_all_else() {
    let stepper = Stepper::new();
    let rig = stepper.rig(McpConfig::default()).await;
    let session = Session::open(&rig).await;
    let add = async |name: &str| {
        stepper.server.add_tool(name, "new", Answer::echo());
        stepper.server.announce();
    };
    let mut first = session.listen(None).await.events();
    let (_, primed) = read(&mut first, 1).await;
    let mut second = session.listen(None).await.events();
    assert_eq!(first.next().await, None, "the newer reader takes the stream over");
    read(&mut second, 1).await;
    add("one").await;
    let (seen, last) = read(&mut second, 1).await;
    assert!(seen[0].contains("notifications/tools/list_changed"), "{seen:?}");
    drop(second);
    // What happens without a reader is told to the next one, and what was lost on the way once more.
    add("two").await;
    let tools = async || send(&rig.http, Method::GET, "/mcp/tools", &[], "").await.text().await;
    until("the new tool", async || tools().await.contains("two")).await;
    let mut third = session.listen(Some(&last)).await.events();
    assert!(read(&mut third, 1).await.0[0].contains("notifications/tools/list_changed"));
    drop(third);
    let mut fourth = session.listen(Some(&primed)).await.events();
    assert_eq!(read(&mut fourth, 2).await.0.len(), 2);
    drop(fourth);
    for unknown in ["7-1", "x", "", "0", "0-x", "99999999999999999999-1"] {
        let (status, _) = told(session.listen(Some(unknown)).await).await.unwrap_err();
        assert_eq!(status, 400, "{unknown:?}");
    }
    let refused = session.send(Method::GET, &[("accept", "application/json")], "").await;
    assert_eq!(told(refused).await.unwrap_err().0, 406);
    rig.close().await;
}

/// Events of one session mean nothing in another.
#[tokio::test(start_paused = true)]
async fn a_stream_is_its_sessions_own() {
    let stepper = Stepper::new();
    let rig = stepper.rig(McpConfig::default()).await;
    let (owner, other) = (Session::open(&rig).await, Session::open(&rig).await);
    stepper.permits.add_permits(1);
    let mut events = owner.call(9, "steps", "{}").await.events();
    let (_, last) = read(&mut events, 2).await;
    assert_eq!(told(other.listen(Some(&last)).await).await.unwrap_err().0, 400);
    stepper.permits.add_permits(4);
    assert_eq!(rest(events).await, ["2", "3", "4", "5", DONE]);
    rig.close().await;
}
