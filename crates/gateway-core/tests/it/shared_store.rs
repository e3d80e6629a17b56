//! What several gateways over one store hear of each other, and what a restart keeps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use gateway_core::{
    Admission, Connect, Endpoint, ErrorKind, NewSession, RecordChange, Result, Secret, ServerSelector, ServerSpec,
    SessionStore, StoredSession, Transport, Upstream, Url,
};
use gateway_testkit::fakes::{FakeStore, context, spec};
use tokio::sync::Notify;

use crate::replicas::{echo, names, over, replica};
use crate::support::{call, eventually};

/// What others hear, they hear within this time.
const SOON: Duration = Duration::from_secs(1);

fn telling() -> Arc<FakeStore> {
    Arc::new(FakeStore::new().with_changes())
}

fn by_name(name: &str) -> ServerSelector {
    ServerSelector::Name(name.to_owned())
}

#[tokio::test]
async fn the_default_set_of_one_is_that_of_all_within_a_second() {
    let store = telling();
    let server = echo();
    let one = over(&store, vec![spec("a")], &server).start().await.expect("starts");
    let two = over(&store, vec![spec("a")], &server).start().await.expect("starts");
    let (on_one, on_two) = (context(&one, None).await, context(&two, None).await);
    two.settled().await;
    let before = server.connects();
    one.add_servers(&on_one, vec![spec("b")]).await.expect("added");
    let begun = Instant::now();
    eventually("the other has it", || names(&two, &on_two) == ["a", "b"]).await;
    eventually("the other connects it unasked", || server.connects() == before + 2).await;
    one.remove_server(&on_one, by_name("a")).await.expect("removed");
    eventually("the other has lost it", || names(&two, &on_two) == ["b"]).await;
    eventually("and has ended it", || server.closes() == 2).await;
    assert!(begun.elapsed() < SOON, "two changes took {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_is_waited_for_holds_up_nobody_elses_change() {
    let store = telling();
    let asked = Arc::new(Notify::new());
    let one = replica(&store).await;
    let two = over(&store, Vec::new(), &echo()).with_transport(Arc::new(Stuck(Arc::clone(&asked))));
    let two = two.start().await.expect("starts");
    let (on_one, on_two) = (context(&one, None).await, context(&two, None).await);
    let slow = ServerSpec::new("stuck", "slow", Endpoint::Url(Url::default())).expect("valid");
    let adding = tokio::spawn({
        let (two, on_two) = (two.clone(), on_two.clone());
        async move { two.add_servers(&on_two, vec![slow]).await }
    });
    asked.notified().await;
    let begun = Instant::now();
    one.add_servers(&on_one, vec![spec("b")]).await.expect("added");
    eventually("the other has it", || names(&two, &on_two) == ["b"]).await;
    assert!(begun.elapsed() < SOON && !adding.is_finished(), "it took {:?}", begun.elapsed());
    adding.abort();
    two.shutdown().await;
}

/// A transport that tells when it is asked for a connection, and never has one.
#[derive(Debug)]
struct Stuck(Arc<Notify>);

#[async_trait]
impl Transport for Stuck {
    fn name(&self) -> &str {
        "slow"
    }

    async fn connect(&self, _: Connect) -> Result<Arc<dyn Upstream>> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_session_that_one_deletes_ends_on_the_other() {
    let store = telling();
    let (server, elsewhere) = (echo(), echo());
    let one = over(&store, vec![spec("a")], &server).start().await.expect("starts");
    let two = over(&store, vec![spec("a")], &elsewhere).start().await.expect("starts");
    let (on_one, on_two) = (context(&one, None).await, context(&two, None).await);
    let session = one.create_session(&on_one, NewSession::default()).await.expect("made");
    let own_one = context(&one, Some(&session.id)).await;
    call(&one, &own_one, "echo").await.expect("used where it was made");
    let own_two = context(&two, Some(&session.id)).await;
    call(&two, &own_two, "echo").await.expect("used elsewhere");
    two.add_servers(&own_two, vec![spec("b")]).await.expect("added");
    eventually("the first has what the second added", || names(&one, &own_one) == ["a", "b"]).await;
    let mut events = one.listen(&own_one, 1, false);
    let closed = server.closes();
    two.delete_session(&on_two, &session.id).await.expect("deleted");
    let begun = Instant::now();
    eventually("its connection on the first is gone", || server.closes() == closed + 1).await;
    assert!(begun.elapsed() < SOON, "the end took {:?}", begun.elapsed());
    assert!(events.next().await.is_none(), "who listens hears its end");
    assert_eq!(one.session(&on_one, &session.id).await.expect_err("gone").kind(), ErrorKind::NotFound);
    assert_eq!((one.health().sessions, two.health().sessions), (0, 0));
}

#[tokio::test]
async fn what_callers_changed_outlives_a_restart() {
    let store = Arc::new(FakeStore::new());
    let file = || vec![spec("a"), spec("b")];
    let first = over(&store, file(), &echo()).start().await.expect("starts");
    let on_first = context(&first, None).await;
    first.add_servers(&on_first, vec![spec("d"), spec("c")]).await.expect("added");
    first.remove_server(&on_first, by_name("a")).await.expect("removed");
    first.remove_server(&on_first, by_name("d")).await.expect("removed");
    first.shutdown().await;
    let check = async |file: Vec<ServerSpec>, expected: &[&str]| {
        let gateway = over(&store, file, &echo()).start().await.expect("starts");
        gateway.settled().await;
        let context = context(&gateway, None).await;
        assert_eq!(names(&gateway, &context), expected);
        gateway
    };
    check(file(), &["b", "c"]).await;
    // An entry that changed is another one; a name in the file counts before one that was added.
    check(vec![spec("a").with_shared(true), spec("c").with_shared(true), spec("b")], &["a", "c", "b"]).await;
    let last = check(file(), &["b", "c"]).await;
    let on_last = context(&last, None).await;
    last.add_servers(&on_last, vec![spec("a")]).await.expect("what was removed may come back");
    check(file(), &["a", "b", "c"]).await;
}

#[tokio::test]
async fn all_changes_that_are_made_at_once_stay() {
    let store = telling();
    let gateways = [replica(&store).await, replica(&store).await, replica(&store).await, replica(&store).await];
    let all = ["b", "c", "d", "e"];
    let adding = gateways.iter().zip(all).map(|(gateway, name)| async move {
        let context = context(gateway, None).await;
        let report = gateway.add_servers(&context, vec![spec(name)]).await.expect("a report");
        assert_eq!(report.added.len(), 1, "{:?}", report.failed);
    });
    futures_util::future::join_all(adding).await;
    for gateway in &gateways {
        let context = context(gateway, None).await;
        let sorted = || {
            let mut names = names(gateway, &context);
            names.sort();
            names
        };
        eventually("all are everywhere", || sorted() == ["a", "b", "c", "d", "e"]).await;
    }
    let removing = gateways.iter().zip(all).map(|(gateway, name)| async move {
        let context = context(gateway, None).await;
        gateway.remove_server(&context, by_name(name)).await.expect("removed");
    });
    futures_util::future::join_all(removing).await;
    for gateway in &gateways {
        let context = context(gateway, None).await;
        eventually("all are gone everywhere", || names(gateway, &context) == ["a"]).await;
    }
}

#[tokio::test]
async fn nobody_starts_without_what_the_store_knows() {
    let store = Arc::new(FakeStore::new());
    store.set_unreachable(true);
    let error = over(&store, vec![spec("a")], &echo()).start().await.expect_err("the store is away");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("which servers callers added"), "{error}");
    store.set_unreachable(false);
    for (text, why) in [("not json", "is not what a gateway writes"), (r#"{"version":9}"#, "newer gateway")] {
        let expires_at = SystemTime::now() + Duration::from_secs(3600);
        let record = StoredSession { id: "global".to_owned(), revision: 3, expires_at, data: text.into() };
        store.put("global", Some(record.clone()));
        let error = over(&store, vec![spec("a")], &echo()).start().await.expect_err(text);
        assert!(error.message().contains(why), "{error}");
        assert_eq!(store.load("global").await.expect("reached"), Some(record), "nothing is overwritten");
    }
}

#[tokio::test]
async fn a_store_that_comes_back_is_believed() {
    let store = telling();
    let (one, two) = (replica(&store).await, replica(&store).await);
    let (on_one, on_two) = (context(&one, None).await, context(&two, None).await);
    store.set_silent(true);
    one.add_servers(&on_one, vec![spec("b")]).await.expect("added");
    store.set_unreachable(true);
    let asked = store.operations();
    store.tell(RecordChange::Any);
    eventually("it has been asked in vain", || store.operations() > asked).await;
    let error = two.add_servers(&on_two, vec![spec("c")]).await.expect_err("it cannot be kept");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(names(&two, &on_two), ["a"]);
    call(&two, &on_two, "a__echo").await.expect("calls need nothing from it");
    two.replace_servers(vec![spec("a"), spec("d")]).await;
    assert_eq!(names(&two, &on_two), ["a", "d"], "neither does the servers file");
    store.set_unreachable(false);
    // Told nothing more: it asks again by itself.
    eventually("the other has it after all", || names(&two, &on_two) == ["a", "d", "b"]).await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_left_alone_by_those_who_run() {
    let store = telling();
    let gateway = replica(&store).await;
    let default = context(&gateway, None).await;
    gateway.add_servers(&default, vec![spec("b")]).await.expect("added");
    let written = store.load("global").await.expect("reached").expect("there");
    let newer = StoredSession { revision: written.revision + 1, data: r#"{"version":2}"#.into(), ..written };
    store.put("global", Some(newer.clone()));
    store.tell(RecordChange::One("global".into()));
    let error = gateway.add_servers(&default, vec![spec("c")]).await.expect_err("not overwritten");
    assert!(error.message().contains("newer gateway"), "{error}");
    assert_eq!(names(&gateway, &default), ["a", "b"]);
    assert_eq!(store.load("global").await.expect("reached"), Some(newer));
}

#[tokio::test]
async fn a_store_that_lost_the_default_set_gets_it_again() {
    let store = telling();
    let gateway = replica(&store).await;
    let default = context(&gateway, None).await;
    gateway.add_servers(&default, vec![spec("b")]).await.expect("added");
    store.put("global", None);
    store.tell(RecordChange::Any);
    let restarted = async || {
        let gateway = replica(&store).await;
        let default = context(&gateway, None).await;
        names(&gateway, &default)
    };
    while store.load("global").await.expect("reached").is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(restarted().await, ["a", "b"]);
    gateway.remove_server(&default, by_name("b")).await.expect("goes on");
    assert_eq!(restarted().await, ["a"]);
}

#[tokio::test]
async fn what_one_writes_costs_it_one_look() {
    let store = telling();
    let gateway = replica(&store).await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    gateway.add_servers(&default, vec![spec("b")]).await.expect("added");
    context(&gateway, Some(&session.id)).await;
    // Longer than any burst is waited for; the clock of the test is the store's own use.
    let quiet = async || {
        let mut seen = store.operations();
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = store.operations();
            if now == seen {
                return now;
            }
            seen = now;
        }
    };
    let before = quiet().await;
    store.tell(RecordChange::One(session.id.as_str().into()));
    store.tell(RecordChange::One(session.id.as_str().into()));
    store.tell(RecordChange::One("sess_of_somebody_else".into()));
    store.tell(RecordChange::One("mcp_1".into()));
    eventually("it has looked", || store.operations() > before).await;
    assert_eq!(quiet().await, before + 1, "a burst is one look, and what does not live here none");
}

#[tokio::test]
async fn other_records_are_no_sessions() {
    let store = Arc::new(FakeStore::new());
    let gateway = replica(&store).await;
    let default = context(&gateway, None).await;
    gateway.add_servers(&default, vec![spec("b")]).await.expect("added");
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    let mut copied = store.load(&session.id).await.expect("reached").expect("there");
    copied.id = "mcp_1".to_owned();
    store.create(copied).await.expect("there is such a record");
    for id in ["global", "mcp_1", "sess", "", "sess_../x"] {
        let admission = Admission { session_id: Some(id.to_owned()), ..Admission::default() };
        assert_eq!(gateway.admit(admission).await.expect_err(id).kind(), ErrorKind::NotFound, "{id}");
        assert_eq!(gateway.delete_session(&default, id).await.expect_err(id).kind(), ErrorKind::NotFound, "{id}");
    }
    let records = gateway.door_records("mcp_");
    assert!(records.load("mcp_1").await.expect("reached").is_some());
    assert!(records.load(&session.id).await.expect("reached").is_none());
    assert!(!records.delete("global").await.expect("reached"));
    let stolen = store.load("global").await.expect("reached").expect("there");
    assert_eq!(records.save(stolen).await.expect_err("not its own").kind(), ErrorKind::Internal);
}

/// A server with a secret.
fn secret(name: &str, token: &'static str) -> ServerSpec {
    let headers = BTreeMap::from([("authorization".to_owned(), Secret::new(token))]);
    ServerSpec::new(name, "fake", Endpoint::Url(Url { headers, ..Url::default() })).expect("valid")
}

#[tokio::test]
async fn a_store_in_plain_sight_gets_no_secret() {
    let store = Arc::new(FakeStore::new().in_plain_sight().with_changes());
    let file = || vec![secret("a", "hush-1"), spec("b")];
    let one = over(&store, file(), &echo()).start().await.expect("starts");
    let two = over(&store, file(), &echo()).start().await.expect("starts");
    let on_one = context(&one, None).await;
    let session = one.create_session(&on_one, NewSession::default()).await.expect("made");
    for context in [&on_one, &context(&one, Some(&session.id)).await] {
        let report = one.add_servers(context, vec![secret("c", "hush-2"), spec("d")]).await.expect("a report");
        assert_eq!((report.added.len(), report.failed.len()), (1, 1));
        assert!(report.failed[0].1.contains("storage.encryption_key"), "{:?}", report.failed);
    }
    let own_two = context(&two, Some(&session.id)).await;
    assert_eq!(names(&two, &own_two), ["a", "b", "d"], "the file knows the rest");
    assert_eq!(two.servers(&own_two)[0].spec.uuid(), secret("a", "hush-1").uuid());
    // What stands in the file may be removed and added again.
    for own in [&own_two, &context(&two, None).await] {
        two.remove_server(own, by_name("a")).await.expect("removed");
        let report = two.add_servers(own, vec![secret("a", "hush-1")]).await.expect("a report");
        assert_eq!(report.added.len(), 1, "{:?}", report.failed);
    }
    assert!(!store.contains("hush") && store.contains("\"d\""));

    // The secret has been changed in the file; another replica's file has no such server.
    let three = over(&store, vec![secret("a", "hush-3")], &echo()).start().await.expect("starts");
    let own = context(&three, Some(&session.id)).await;
    let servers = three.servers(&own);
    assert_eq!(servers.iter().find(|server| server.spec.name() == "a").expect("there").spec.uuid(), file3().uuid());
    let four = over(&store, vec![spec("b")], &echo()).start().await.expect("starts");
    let own = context(&four, Some(&session.id)).await;
    assert_eq!(names(&four, &own), ["b", "d"]);
    four.add_servers(&own, vec![spec("e")]).await.expect("added");
    let five = over(&store, file(), &echo()).start().await.expect("starts");
    let own = context(&five, Some(&session.id)).await;
    let mut all = names(&five, &own);
    all.sort();
    assert_eq!(all, ["a", "b", "d", "e"], "what four did not know it has left in the record");
    assert!(!store.contains("hush"));
}

fn file3() -> ServerSpec {
    secret("a", "hush-3")
}

#[tokio::test]
async fn a_session_that_another_replica_uses_does_not_expire_here() {
    let store = Arc::new(FakeStore::new());
    let (one, two) = (replica(&store).await, replica(&store).await);
    let (on_one, on_two) = (context(&one, None).await, context(&two, None).await);
    let new = NewSession { ttl: Some(Duration::from_millis(600)), ..NewSession::default() };
    let session = one.create_session(&on_one, new).await.expect("made");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1_500) {
        two.session(&on_two, &session.id).await.expect("in use there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    one.session(&on_one, &session.id).await.expect("its time is not over");
    assert_eq!(one.sessions(&on_one).await.expect("listed").len(), 1);
}
