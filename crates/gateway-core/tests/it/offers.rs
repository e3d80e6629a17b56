//! Prompts, resources, and what servers say and ask outside of any request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateway_core::{
    Context, EngineConfig, ErrorKind, Gateway, LogLevel, NewSession, Notification, OfferKind, Prefix, RawJson,
    SessionEvent, SessionEvents, Target,
};
use gateway_testkit::fakes::{Answer, FakeServer, context, gateway, gateway_with};

use crate::support::eventually;

const PROMPTS: &str = r#"{"prompts":[{"name":"ask","x-new":1.50}]}"#;
const RESOURCES: &str = r#"{"resources":[{"uri":"note://1","name":"one"},{"name":"no uri"},{"uri":"note://1"}]}"#;
const TEMPLATES: &str = r#"{"resourceTemplates":[{"uriTemplate":"note://{id}","name":"any"}]}"#;

/// A server with a prompt, a resource and a template.
fn notes() -> FakeServer {
    FakeServer::new()
        .with_tool("echo", "Echoes", Answer::echo())
        .with_method("prompts/list", Answer::result(PROMPTS))
        .with_method("resources/list", Answer::result(RESOURCES))
        .with_method("resources/templates/list", Answer::result(TEMPLATES))
        .with_method("resources/read", Answer::new(|params, _| std::future::ready(Ok(params))))
}

fn keys(gateway: &Gateway, context: &Context, kind: OfferKind) -> Vec<String> {
    gateway.offers(context, kind).iter().map(|entry| entry.key.to_string()).collect()
}

/// Counts the calls of a method.
fn counting(count: &Arc<AtomicUsize>) -> Answer {
    let count = Arc::clone(count);
    Answer::new(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(RawJson::empty_object()))
    })
}

async fn next(events: &mut SessionEvents) -> SessionEvent {
    tokio::time::timeout(Duration::from_secs(20), events.next()).await.expect("in time").expect("the session lives")
}

#[tokio::test]
async fn offers_are_listed_and_lead_back_to_their_server() {
    let (one, two) = (notes(), notes());
    let config = EngineConfig { prefix: Prefix::OnCollision, ..EngineConfig::default() };
    let gateway = gateway_with(&[("one", &one), ("two", &two)], config, |builder| builder).await;
    let context = context(&gateway, None).await;
    assert_eq!(keys(&gateway, &context, OfferKind::Prompt), ["one__ask", "two__ask"]);
    assert_eq!(keys(&gateway, &context, OfferKind::Resource), ["one+note://1", "two+note://1"]);
    assert_eq!(
        gateway.offers(&context, OfferKind::Prompt)[0].declaration.raw().as_str(),
        r#"{"name":"ask","x-new":1.50}"#
    );
    let offered = gateway.locate(&context, &Target::Resource("two+note://7".to_owned())).expect("a template has it");
    assert_eq!((offered.server.spec().name(), offered.key.as_str()), ("two", "note://7"));
    let ambiguous = gateway.locate(&context, &Target::Resource("note://1".to_owned())).expect_err("both have it");
    assert_eq!(ambiguous.kind(), ErrorKind::Conflict);
    let params = RawJson::parse(r#"{"uri":"note://7"}"#).expect("JSON");
    let reply = gateway.relay(&context, &offered.server, "resources/read", params.clone()).await.expect("an answer");
    assert_eq!(reply.result, params);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_changed_list_is_read_again_and_said() {
    let count = Arc::new(AtomicUsize::new(0));
    let listed = Arc::clone(&count);
    let growing = Answer::new(move |_, _| {
        let count = listed.fetch_add(1, Ordering::SeqCst);
        let uris: Vec<_> = (0..=count).map(|n| serde_json::json!({"uri": format!("n:{n}")})).collect();
        std::future::ready(Ok(RawJson::from_value(&serde_json::json!({"resources": uris})).expect("JSON")))
    });
    let server = FakeServer::new().with_tool("echo", "Echoes", Answer::echo()).with_method("resources/list", growing);
    let gateway = gateway(&[("notes", &server)]).await;
    let context = context(&gateway, None).await;
    let (mut changes, before) = (gateway.changes(), gateway.list_marks(&context));
    assert_eq!(keys(&gateway, &context, OfferKind::Resource), ["notes+n:0"]);
    server.say("notifications/resources/list_changed", "{}");
    tokio::time::timeout(Duration::from_secs(20), changes.changed()).await.expect("in time").expect("it lives");
    let after = gateway.list_marks(&context);
    assert_eq!((before.tools, before.prompts), (after.tools, after.prompts));
    assert_ne!(before.resources, after.resources);
    assert_eq!(keys(&gateway, &context, OfferKind::Resource), ["notes+n:0", "notes+n:1"]);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_resource_is_watched_once_for_all_and_again_after_a_loss() {
    let (subscribed, unsubscribed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let server = notes()
        .with_method("resources/subscribe", counting(&subscribed))
        .with_method("resources/unsubscribe", counting(&unsubscribed));
    let gateway = gateway(&[("notes", &server)]).await;
    let context = context(&gateway, None).await;
    let mut events = gateway.listen(&context, 8, false);
    let offered = gateway.locate(&context, &Target::Resource("note://1".to_owned())).expect("listed");
    let first = gateway.watch_resource(&context, &offered).await.expect("watched");
    let second = gateway.watch_resource(&context, &offered).await.expect("watched");
    assert_eq!(subscribed.load(Ordering::SeqCst), 1);

    server.say("notifications/resources/updated", r#"{"uri":"note://1","x":1.0}"#);
    let SessionEvent::Notification { server: name, notification, .. } = next(&mut events).await else {
        panic!("a notification");
    };
    assert_eq!((&*name, notification.method.as_str()), ("notes", "notifications/resources/updated"));
    assert_eq!(notification.params.as_str(), r#"{"uri":"note://1","x":1.0}"#);

    server.kill();
    eventually("watched again", || subscribed.load(Ordering::SeqCst) == 2).await;
    drop(first);
    assert_eq!(unsubscribed.load(Ordering::SeqCst), 0, "somebody still watches");
    drop(second);
    eventually("unsubscribed", || unsubscribed.load(Ordering::SeqCst) == 1).await;
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_server_that_refuses_a_subscription_is_heard() {
    let server = notes();
    let gateway = gateway(&[("notes", &server)]).await;
    let context = context(&gateway, None).await;
    let offered = gateway.locate(&context, &Target::Resource("note://1".to_owned())).expect("listed");
    assert!(gateway.watch_resource(&context, &offered).await.is_err(), "the fake knows no subscriptions");
    gateway.shutdown().await;
}

#[tokio::test]
async fn only_the_one_client_of_a_session_is_asked() {
    let server = notes();
    let gateway = gateway(&[("notes", &server)]).await;
    let shared = context(&gateway, None).await;
    let ask = || {
        let events = server.events().pop().expect("a connection");
        async move { events.asked("roots/list", RawJson::empty_object()).await }
    };
    let mut own = gateway.listen(&shared, 8, true);
    let (answer, ()) = tokio::join!(ask(), async {
        let SessionEvent::Question(question) = next(&mut own).await else { panic!("a question") };
        question.answer(Ok(RawJson::parse(r#"{"roots":[]}"#).expect("JSON")));
    });
    assert_eq!(answer.expect("an answer").as_str(), r#"{"roots":[]}"#);

    let other = gateway.listen(&shared, 8, true);
    assert_eq!(ask().await.expect_err("two could be meant").kind(), ErrorKind::NotFound);
    drop(other);
    drop(own);
    let _deaf = gateway.listen(&shared, 8, false);
    assert_eq!(ask().await.expect_err("it does not answer").kind(), ErrorKind::NotFound);
    gateway.shutdown().await;
}

#[tokio::test]
async fn servers_hear_of_log_levels_and_of_roots() {
    let levels = Arc::<AtomicUsize>::default();
    let server = notes().with_method("logging/setLevel", counting(&levels));
    let gateway = gateway(&[("notes", &server)]).await;
    let context = context(&gateway, None).await;
    gateway.set_log_level(&context, LogLevel::Warning).await;
    gateway.set_log_level(&context, LogLevel::Error).await;
    assert_eq!(levels.load(Ordering::SeqCst), 1, "others may want the warnings");
    gateway.set_log_level(&context, LogLevel::Debug).await;
    assert_eq!(levels.load(Ordering::SeqCst), 2);
    server.kill();
    eventually("told again after a loss", || levels.load(Ordering::SeqCst) == 3).await;

    let changed =
        Notification { method: "notifications/roots/list_changed".to_owned(), params: RawJson::empty_object() };
    eventually("connected", || !server.events().is_empty()).await;
    gateway.notify_servers(&context, &changed).await;
    assert_eq!(server.heard().len(), 1);
    gateway.shutdown().await;
}

#[tokio::test]
async fn what_a_server_says_reaches_every_session_that_holds_it_and_no_other() {
    let server = notes();
    let gateway = gateway(&[("notes", &server)]).await;
    let shared = context(&gateway, None).await;
    let made = gateway.create_session(&shared, NewSession::default()).await.expect("made");
    let own = context(&gateway, Some(&made.id)).await;
    let (mut here, mut there) = (gateway.listen(&shared, 8, false), gateway.listen(&own, 8, false));
    server.say("notifications/message", r#"{"level":"info"}"#);
    assert!(matches!(next(&mut here).await, SessionEvent::Notification { .. }));
    gateway.delete_session(&shared, &made.id).await.expect("there");
    assert!(there.next().await.is_none(), "its own server was never started, and it has ended");
    gateway.shutdown().await;
}
