//! Tools that are known before their servers are there, and telling others what there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{
    Error, ErrorKind, Gateway, Inventory, InventorySnapshot, KnownTool, NewSession, RawJson, Result, SearchRequest,
    ServerState, publish_inventory,
};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, builder, context, gateway, spec};
use tokio::time::{Instant, timeout};

use crate::support::{call, eventually};

fn known(server: &str, name: &str) -> KnownTool {
    let declaration = format!(r#"{{"name":"{name}","description":"{name} things","inputSchema":{{}},"x":1.0}}"#);
    KnownTool { server_uuid: spec(server).uuid(), declaration: RawJson::parse(declaration).expect("valid JSON") }
}

async fn names(gateway: &Gateway) -> Vec<String> {
    let context = context(gateway, None).await;
    gateway.tools(&context).iter().map(|entry| entry.qualified_name.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn known_tools_are_listed_and_found_before_their_server_is_there() {
    let never = FakeServer::new().with_failed_connects(&[None; 99]);
    let transport = FakeTransport::new().with_server("never", &never);
    let seeds = vec![known("never", "mend"), known("nobody", "lost"), known("never", "weld")];
    let gateway =
        builder(transport).with_servers(vec![spec("never")]).with_known_tools(seeds).start().await.expect("starts");
    assert_eq!(names(&gateway).await, ["never__mend", "never__weld"]);
    let own = context(&gateway, None).await;
    let raw = gateway.tools(&own)[0].tool.raw().as_str().to_owned();
    assert_eq!(raw, r#"{"name":"mend","description":"mend things","inputSchema":{},"x":1.0}"#);
    let wish = SearchRequest { query: "weld".to_owned(), limit: 5, servers: None, min_score: 0.0 };
    let found = gateway.search(&own, wish).await.expect("found");
    assert!(found.matches.iter().any(|found| found.tool.tool.name() == "weld"), "{found:?}");
    assert_eq!(gateway.servers(&own)[0].state, ServerState::Connecting);

    // A session's server shows them, too.
    let session = gateway.create_session(&own, NewSession::default()).await.expect("made");
    let own = context(&gateway, Some(&session.id)).await;
    assert_eq!(gateway.tools(&own).len(), 2);

    let begun = Instant::now();
    let error = call(&gateway, &own, "mend").await.expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(begun.elapsed() >= Duration::from_secs(29), "it waits for the connection: {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_a_server_tells_replaces_what_was_known() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo().after(Duration::from_secs(1)));
    let transport = FakeTransport::new().with_server("a", &server);
    // Nothing is connected before this test waits for something.
    let gateway = builder(transport)
        .with_servers(vec![spec("a")])
        .with_known_tools(vec![known("a", "old"), known("a", "echo")])
        .start()
        .await
        .expect("starts");
    assert_eq!(names(&gateway).await, ["a__old", "a__echo"]);
    let context = context(&gateway, None).await;
    // Meanwhile a call waits as for any server that starts, also of a tool that was not known.
    server.add_tool("new", "", Answer::echo());
    let (echoed, new) = tokio::join!(call(&gateway, &context, "echo"), call(&gateway, &context, "a__new"));
    echoed.expect("it waits for the connection");
    new.expect("it waits for the tools");
    assert_eq!(names(&gateway).await, ["a__echo", "a__new"]);

    let session = gateway.create_session(&context, NewSession::default()).await.expect("made");
    assert_eq!(session.servers[0].tools, ["echo", "new"]);
}

/// Remembers what it is told; may be away.
#[derive(Debug, Default)]
struct FakeInventory {
    published: Mutex<Vec<InventorySnapshot>>,
    withdrawn: Mutex<Vec<String>>,
    is_away: AtomicBool,
}

impl FakeInventory {
    fn of(&self, session: Option<&str>) -> Vec<InventorySnapshot> {
        let published = self.published.lock().expect("no panic");
        published.iter().filter(|snapshot| snapshot.session_id.as_deref() == session).cloned().collect()
    }

    fn tools_of(&self, session: Option<&str>) -> Vec<String> {
        let last = self.of(session).pop();
        last.iter().flat_map(|snapshot| snapshot.tools.iter()).map(|entry| entry.tool.name().to_owned()).collect()
    }

    fn there(&self) -> Result<()> {
        let is_away = self.is_away.load(Ordering::SeqCst);
        if is_away { Err(Error::new(ErrorKind::Unavailable, "the fake is away")) } else { Ok(()) }
    }
}

#[async_trait]
impl Inventory for FakeInventory {
    async fn publish(&self, snapshot: &InventorySnapshot) -> Result<()> {
        self.there()?;
        self.published.lock().expect("no panic").push(snapshot.clone());
        Ok(())
    }

    async fn withdraw(&self, session_id: &str) -> Result<()> {
        self.there()?;
        self.withdrawn.lock().expect("no panic").push(session_id.to_owned());
        Ok(())
    }

    async fn load(&self) -> Result<Vec<KnownTool>> {
        Ok(Vec::new())
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_are_published_when_they_change_and_withdrawn_when_they_end() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let inventory = Arc::new(FakeInventory::default());
    let publishing = tokio::spawn(publish_inventory(gateway.clone(), Arc::clone(&inventory) as Arc<dyn Inventory>));
    eventually("the default session is out", || inventory.tools_of(None) == ["echo"]).await;
    let first = inventory.of(None).remove(0);
    assert!(first.healthy && first.servers[0].1 == ServerState::Ready, "{first:?}");

    let begun = Instant::now();
    server.add_tool("more", "", Answer::echo());
    server.announce();
    eventually("a new tool is out", || inventory.tools_of(None) == ["echo", "more"]).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_ne!(inventory.of(None).pop().expect("is out").tools_hash, first.tools_hash);

    let context = context(&gateway, None).await;
    let session = gateway.create_session(&context, NewSession::default()).await.expect("made");
    eventually("a session is out", || inventory.tools_of(Some(&session.id)) == ["echo", "more"]).await;
    let (one, other) = (inventory.of(None).pop(), inventory.of(Some(&session.id)).pop());
    assert_eq!(one.map(|one| one.tools_hash), other.map(|other| other.tools_hash), "equal tools, equal number");
    gateway.delete_session(&context, &session.id).await.expect("deleted");
    eventually("it is withdrawn", || *inventory.withdrawn.lock().expect("no panic") == [session.id.clone()]).await;

    // Nothing changes any more: only the beat is left.
    let before = inventory.published.lock().expect("no panic").len();
    tokio::time::sleep(Duration::from_secs(61)).await;
    let beats = inventory.published.lock().expect("no panic").len() - before;
    assert!((3..=4).contains(&beats), "{beats} in a minute");

    gateway.shutdown().await;
    timeout(Duration::from_secs(1), publishing).await.expect("it ends with the gateway").expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn an_inventory_that_was_away_gets_everything() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let inventory = Arc::new(FakeInventory::default());
    inventory.is_away.store(true, Ordering::SeqCst);
    let publishing = publish_inventory(gateway.clone(), Arc::clone(&inventory) as Arc<dyn Inventory>);
    let check = async {
        let own = context(&gateway, None).await;
        let session = gateway.create_session(&own, NewSession::default()).await.expect("made");
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert!(inventory.of(None).is_empty());
        inventory.is_away.store(false, Ordering::SeqCst);
        eventually("all is out", || inventory.of(None).len() == 1 && inventory.of(Some(&session.id)).len() == 1).await;
    };
    tokio::select! {
        () = publishing => panic!("it goes on"),
        () = check => {}
    }
}
