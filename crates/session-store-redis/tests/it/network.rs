//! A network that fails.

use std::time::{Duration, Instant};

use gateway_core::{ErrorKind, RecordChange, SessionStore};
use gateway_testkit::fakes::FakeNetwork;
use session_store_redis::{RedisStore, RedisStoreConfig};

use crate::{Prefix, SERVER, any, record, works_again};

fn through(network: &FakeNetwork, prefix: &Prefix) -> RedisStore {
    let config = prefix.config_through(&network.address().to_string());
    let timeout = Duration::from_secs(1);
    let config = RedisStoreConfig { connect_timeout: timeout, response_timeout: timeout, ..config };
    RedisStore::new(config).expect("a configuration")
}

#[tokio::test]
async fn what_is_away_is_unavailable_quickly_and_goes_on_by_itself() {
    let prefix = Prefix::new();
    let network = FakeNetwork::to(SERVER).await;
    let store = through(&network, &prefix);
    let mut changes = store.changes().expect("it tells");
    any(&mut changes).await;
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
        // All who ask at once share one attempt.
        let began = Instant::now();
        let asks = (0..20).map(|_| SessionStore::load(&store, "sess_1"));
        assert!(futures_util::future::join_all(asks).await.iter().all(Result::is_err));
        assert!(began.elapsed() < Duration::from_secs(4), "it took {:?}", began.elapsed());
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
    let prefix = Prefix::new();
    let network = FakeNetwork::to(SERVER).await;
    let (here, there) = (through(&network, &prefix), prefix.open());
    let mut changes = here.changes().expect("it tells");
    any(&mut changes).await;
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

/// A connection that was lost unnoticed is no reason to fail.
#[tokio::test]
async fn a_connection_that_was_cut_is_made_again_without_an_error() {
    let prefix = Prefix::new();
    let network = FakeNetwork::to(SERVER).await;
    let store = through(&network, &prefix);
    for number in 0..20 {
        let id = format!("sess_{number}");
        network.cut();
        store.create(record(&id, "x")).await.expect("created");
        network.cut();
        assert_eq!(store.save(record(&id, "y")).await.expect("saved"), 2);
        network.cut();
        assert_eq!(store.list(&id).await.expect("listed")[0].data, "y");
        network.cut();
        assert!(store.delete(&id).await.expect("deleted"));
    }
}

#[tokio::test]
async fn no_save_is_lost_or_done_twice_where_connections_break_in_the_middle() {
    let prefix = Prefix::new();
    let network = FakeNetwork::to(SERVER).await;
    let store = through(&network, &prefix);
    store.create(record("sess_1", "")).await.expect("created");
    for number in 0..300_u64 {
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
                if number % 2 == 0 {
                    tokio::time::sleep(Duration::from_micros(number * 5)).await;
                    network.cut();
                }
            };
            match tokio::join!(store.save(kept), cut).0 {
                Ok(revision) => {
                    assert_eq!(revision, number + 2);
                    break;
                }
                // Not a conflict with ourselves.
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
            }
        }
    }
    let kept = SessionStore::load(&prefix.open(), "sess_1").await.expect("loaded").expect("there");
    assert_eq!((kept.revision, kept.data.as_ref()), (301, b"299".as_slice()));
}
