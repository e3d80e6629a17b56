//! What belongs to no request: lists that change, resources that are watched.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateway_core::Era;

use super::{Feature, Noted, Way, table};
use crate::client::{Ask, Client};
use crate::rig::PATIENCE;
use crate::told::subscription_of;
use crate::wire::{Message, member};

table! {
    new_tools_are_told => Feature::new(new_tools, "notifications/tools/list_changed, then the tool is there");
    new_prompts_are_told => Feature::new(new_prompts, "notifications/prompts/list_changed");
    watched_resources_are_told => Feature::new(watched, r#"notifications/resources/updated "test://watched-resource", then silence"#);
}

/// A change is told within a second.
const SOON: Duration = Duration::from_secs(1);

/// Lets a client hear what it wants to; a legacy one hears everything anyway. Gives the id of its subscription.
async fn subscribe(client: &Client, filter: &str) -> Option<String> {
    if client.era == Era::Legacy {
        return None;
    }
    let (id, acknowledged) = client.subscribe(&format!(r#"{{"notifications":{filter}}}"#)).await;
    assert_eq!(member(&acknowledged.params, "notifications").unwrap(), filter);
    Some(id)
}

/// Lets something change until it is heard: a server that has just been connected may not yet have heard that
/// the gateway wants to know.
async fn hear(client: &Client, change: impl AsyncFn(), is_it: impl Fn(&Message) -> bool) -> Message {
    let begun = std::time::Instant::now();
    loop {
        change().await;
        if let Ok(heard) = tokio::time::timeout(SOON, client.about.hears(&is_it)).await {
            return heard;
        }
        assert!(begun.elapsed() < PATIENCE, "no change is told");
    }
}

fn new_tools(client: Client, way: Way) -> Noted {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    Box::pin(async move {
        let subscription = subscribe(&client, r#"{"toolsListChanged":true}"#).await;
        let name = || format!("new_{:?}_{:?}_{}", way.client, way.door, NUMBER.load(Ordering::SeqCst)).to_lowercase();
        let add = async || {
            NUMBER.fetch_add(1, Ordering::SeqCst);
            client.call("add_tool", &format!(r#"{{"name":"{}"}}"#, name())).await.text();
        };
        let heard = hear(&client, add, |message| message.is("notifications/tools/list_changed")).await;
        assert_eq!(subscription_of(&heard), subscription, "{heard:?}");
        let list = client.ask(Ask::new("tools/list", "{}")).await.member("tools");
        let is_there = if list.contains(&name()) { "is there" } else { "is missing" };
        assert_eq!(client.text(&name(), r#"{"text":"hi"}"#).await, "hi");
        format!("{}, then the tool {is_there}", heard.method.unwrap())
    })
}

fn new_prompts(client: Client, _: Way) -> Noted {
    Box::pin(async move {
        subscribe(&client, r#"{"promptsListChanged":true}"#).await;
        let change = async || drop(client.text("test_trigger_prompt_change", "{}").await);
        let heard = hear(&client, change, |message| message.is("notifications/prompts/list_changed")).await;
        heard.method.unwrap()
    })
}

fn watched(client: Client, _: Way) -> Noted {
    Box::pin(async move {
        let about = r#"{"uri":"test://watched-resource"}"#;
        let subscription = subscribe(&client, r#"{"resourceSubscriptions":["test://watched-resource"]}"#).await;
        if client.era == Era::Legacy {
            assert_eq!(client.ask(Ask::new("resources/subscribe", about)).await.result(), "{}");
        }
        let change = async || drop(client.text("test_trigger_resource_update", "{}").await);
        let heard = hear(&client, change, |message| message.is("notifications/resources/updated")).await;
        assert_eq!(subscription_of(&heard), subscription, "{heard:?}");
        match &subscription {
            Some(id) => client.wire.unsubscribe(id).await,
            None => assert_eq!(client.ask(Ask::new("resources/unsubscribe", about)).await.result(), "{}"),
        }
        // Whatever was on its way has come when the answers to these have.
        client.text("echo", r#"{"text":"x"}"#).await;
        client.about.heard();
        change().await;
        client.text("echo", r#"{"text":"x"}"#).await;
        let silence = if client.about.heard().is_empty() { "silence" } else { "another" };
        format!("{} {}, then {silence}", heard.method.unwrap(), member(&heard.params, "uri").unwrap())
    })
}
