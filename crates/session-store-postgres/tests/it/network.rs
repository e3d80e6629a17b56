//! A network that fails.

use std::time::{Duration, Instant};

use gateway_core::{ErrorKind, RecordChange, SessionStore};
use gateway_testkit::fakes::FakeNetwork;
use session_store_postgres::{PostgresConfig, PostgresStore};
use tokio::sync::broadcast::Receiver;

use crate::{SERVER, Schema, record};

async fn through(network: &FakeNetwork, schema: &Schema) -> PostgresStore {
    let config = schema.config_through(&network.address().to_string());
    let timeout = Duration::from_secs(1);
    let config = PostgresConfig { statement_timeout: timeout, connect_timeout: timeout, ..config };
    PostgresStore::connect(config).await.expect("connected")
}

/// Waits until the store says that anything may be another.
async fn any(changes: &mut Receiver<RecordChange>) {
    let wait = async { while changes.recv().await.expect("the store is there") != RecordChange::Any {} };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("told that anything may be another");
}

/// Tries until it works.
async fn works_again(store: &PostgresStore) {
    let until = Instant::now() + Duration::from_secs(20);
    while let Err(error) = store.list("").await {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(Instant::now() < until, "it does not go on by itself: {error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_away_is_unavailable_quickly_and_goes_on_by_itself() {
    let schema = Schema::new();
    let network = FakeNetwork::to(SERVER).await;
    let store = through(&network, &schema).await;
    let mut changes = store.changes().expect("it tells");
    store.create(record("sess_1", "x")).await.expect("created");
    for silent in [false, true] {
        if silent {
            network.silence()
        } else {
            network.take_down()
        }
        for _ in 0..3 {
            let began = Instant::now();
            let error = SessionStore::load(&store, "sess_1").await.expect_err("it is away");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            assert!(began.elapsed() < Duration::from_secs(4), "it took {:?}", began.elapsed());
        }
        if silent {
            // What is silent for long enough is cut off by somebody.
            network.cut();
        }
        network.mend();
        works_again(&store).await;
        any(&mut changes).await;
        assert!(SessionStore::load(&store, "sess_1").await.expect("loaded").is_some());
    }
}

#[tokio::test]
async fn what_another_changed_meanwhile_is_told_of_afterwards() {
    let schema = Schema::new();
    let network = FakeNetwork::to(SERVER).await;
    let (here, there) = (through(&network, &schema).await, schema.open().await);
    let mut changes = here.changes().expect("it tells");
    network.take_down();
    there.create(record("sess_1", "x")).await.expect("created");
    network.mend();
    any(&mut changes).await;
    works_again(&here).await;
    assert!(SessionStore::load(&here, "sess_1").await.expect("loaded").is_some());
    // And after that of each record again.
    there.delete("sess_1").await.expect("deleted");
    let told = tokio::time::timeout(Duration::from_secs(5), changes.recv()).await.expect("told");
    assert_eq!(told.expect("the store is there"), RecordChange::One("sess_1".into()));
}

#[tokio::test]
async fn no_save_is_lost_or_done_twice_where_connections_break_in_the_middle() {
    let schema = Schema::new();
    let network = FakeNetwork::to(SERVER).await;
    let store = through(&network, &schema).await;
    store.create(record("sess_1", "")).await.expect("created");
    let mut unsure = 0;
    for number in 0..200_u64 {
        loop {
            works_again(&store).await;
            let Ok(Some(mut kept)) = SessionStore::load(&store, "sess_1").await else { continue };
            if kept.revision == number + 2 {
                // The save before broke off, and yet it was done.
                break;
            }
            assert_eq!(kept.revision, number + 1);
            kept.data = number.to_string().into();
            let cut = async {
                if number % 4 == 0 {
                    tokio::time::sleep(Duration::from_micros(number * 10)).await;
                    network.cut();
                }
            };
            match tokio::join!(store.save(kept), cut).0 {
                Ok(revision) => {
                    assert_eq!(revision, number + 2);
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Unavailable => unsure += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert!(unsure > 0, "no save was ever cut off");
    works_again(&store).await;
    let kept = schema.open().await;
    let kept = SessionStore::load(&kept, "sess_1").await.expect("loaded").expect("there");
    assert_eq!((kept.revision, kept.data.as_ref()), (201, b"199".as_slice()));
}
