//! The stdio door: one connection that nothing may hold up, and its end.

use gateway_testkit::fakes::{Answer, FakeServer};

use crate::client::until;
use crate::pipe::Pipe;
use crate::raw::{modern, request};
use crate::rig::{Rig, Setup};
use crate::sessions::demo;
use crate::wire::Message;

async fn rig(server: &FakeServer) -> Rig {
    Rig::new(Setup { fakes: vec![("demo", server.clone())], ..Setup::default() }).await
}

#[tokio::test]
async fn a_server_that_is_slow_to_watch_holds_up_nobody() {
    let slow = demo()
        .with_method("resources/list", Answer::result(r#"{"resources":[{"uri":"x:1","name":"one"}]}"#))
        .with_method("resources/subscribe", Answer::hang());
    let rig = rig(&slow).await;
    let mut pipe = Pipe::open(&rig);
    let watch = r#""notifications":{"resourceSubscriptions":["x:1"]}"#;
    pipe.send(&modern(1, "subscriptions/listen", watch)).await;
    pipe.send(&modern(2, "tools/list", "")).await;
    assert_eq!(Message::read(&pipe.line().await).id.as_deref(), Some("2"));
    pipe.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    until("the end of the subscription", async || slow.cancelled() == 1).await;
    pipe.end().await;
    rig.close().await;
}

#[tokio::test]
async fn at_the_end_of_input_answers_still_come() {
    let demo = demo().with_tool("slow", "Takes its time", Answer::echo().after(std::time::Duration::from_millis(50)));
    let rig = rig(&demo).await;
    let mut pipe = Pipe::legacy(&rig).await;
    pipe.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    for (id, tool) in [(1, "slow"), (2, "hang"), (3, "slow")] {
        pipe.send(&request(id, "tools/call", &format!(r#"{{"name":"{tool}","arguments":{{}}}}"#))).await;
    }
    pipe.shut().await;
    let mut answered: Vec<_> = pipe.rest().await.iter().filter_map(|line| Message::read(line).id).collect();
    answered.sort();
    assert_eq!(answered, ["1", "3"]);
    assert_eq!(demo.cancelled(), 1, "what does not end in time is cancelled");
    rig.close().await;
}

#[tokio::test]
async fn stopping_cancels_what_is_under_way() {
    let demo = demo();
    let rig = rig(&demo).await;
    let mut pipe = Pipe::legacy(&rig).await;
    pipe.send(&request(1, "tools/call", r#"{"name":"hang","arguments":{}}"#)).await;
    until("the call", async || demo.calls() == 1).await;
    rig.stop.cancel();
    assert_eq!(pipe.rest().await, [""; 0]);
    until("the end of the call", async || demo.cancelled() == 1 && pipe.has_ended()).await;
    rig.close().await;
}

#[tokio::test]
async fn a_client_that_greets_twice_begins_anew() {
    let demo = demo();
    let rig = rig(&demo).await;
    let mut pipe = Pipe::legacy(&rig).await;
    pipe.send(&request(1, "tools/call", r#"{"name":"hang","arguments":{}}"#)).await;
    until("the call", async || demo.calls() == 1).await;
    pipe.send(&request(2, "initialize", &crate::raw::initialize("2025-06-18"))).await;
    assert!(pipe.line().await.contains("2025-06-18"));
    until("the end of the call", async || demo.cancelled() == 1).await;
    pipe.send(&request(1, "ping", "{}")).await;
    assert_eq!(pipe.line().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    pipe.end().await;
    rig.close().await;
}

#[tokio::test]
async fn whoever_has_not_greeted_is_told() {
    let rig = rig(&demo()).await;
    let mut pipe = Pipe::open(&rig);
    pipe.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    pipe.send(&request(1, "tools/list", "{}")).await;
    let told = Message::read(&pipe.line().await);
    assert!(told.outcome.unwrap().unwrap_err().contains("initialize"));
    // Both eras may come over one pipe.
    pipe.send(&modern(2, "tools/list", "")).await;
    assert!(pipe.line().await.contains(r#""resultType":"complete""#));
    pipe.end().await;
    rig.close().await;
}
