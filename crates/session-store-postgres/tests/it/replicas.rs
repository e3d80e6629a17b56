//! Several gateways on one schema.

use std::sync::Arc;

use futures_util::future::join_all;
use gateway_core::{ErrorKind, SessionStore};
use session_store_postgres::PostgresStore;
use tokio::task::JoinSet;

use crate::{Schema, admin, record};

#[tokio::test]
async fn many_may_create_one_schema_at_once() {
    let schema = Schema::new();
    let opened = join_all((0..8).map(|_| PostgresStore::connect(schema.config()))).await;
    let stores: Vec<_> = opened.into_iter().map(|store| store.expect("opened")).collect();
    stores[0].create(record("sess_1", "x")).await.expect("created");
    for store in &stores {
        assert!(SessionStore::load(store, "sess_1").await.expect("loaded").is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_save_of_two_is_lost() {
    let schema = Schema::new();
    let stores = [Arc::new(schema.open().await), Arc::new(schema.open().await)];
    stores[0].create(record("sess_1", "0")).await.expect("created");
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let store = Arc::clone(&stores[number % 2]);
        tasks.spawn(async move {
            for _ in 0..10 {
                loop {
                    let mut kept = SessionStore::load(&*store, "sess_1").await.expect("loaded").expect("there");
                    let count: u32 = std::str::from_utf8(&kept.data).expect("digits").parse().expect("a number");
                    kept.data = (count + 1).to_string().into();
                    match store.save(kept).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
                    }
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
    let kept = SessionStore::load(&*stores[1], "sess_1").await.expect("loaded").expect("there");
    assert_eq!((kept.revision, kept.data.as_ref()), (81, b"80".as_slice()));
}

#[tokio::test]
async fn records_and_usage_outlive_the_gateway() {
    let schema = Schema::new();
    let store = schema.open().await;
    store.create(record("sess_1", "x")).await.expect("created");
    drop(store);
    let kept = SessionStore::load(&schema.open().await, "sess_1").await.expect("loaded").expect("there");
    assert_eq!(kept.data, "x");
}

#[tokio::test]
async fn connections_end_with_the_store() {
    let schema = Schema::new();
    let mut config = schema.config();
    let name = schema.0.clone();
    config.url = gateway_core::Secret::new(format!("{}?application_name={name}", config.url.expose()));
    let store = PostgresStore::connect(config).await.expect("connected");
    store.create(record("sess_1", "x")).await.expect("created");
    let (admin, _tasks) = admin().await;
    let count = async || -> i64 {
        let ask = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        admin.query_one(ask, &[&name]).await.expect("asked").get(0)
    };
    assert!(count().await >= 2, "one that listens, and one that works");
    drop(store);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while count().await > 0 {
        assert!(std::time::Instant::now() < until, "connections are left");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_any_more_is_given_up() {
    let schema = Schema::new();
    let config = schema.config();
    let url = gateway_core::Secret::new(format!("{}?application_name={}", config.url.expose(), schema.0));
    let timeout = std::time::Duration::from_millis(300);
    let config = session_store_postgres::PostgresConfig { url, statement_timeout: timeout, ..config };
    let store = PostgresStore::connect(config).await.expect("connected");
    store.create(record("sess_1", "x")).await.expect("created");
    let (mut admin, _tasks) = admin().await;
    let lock = admin.transaction().await.expect("begun");
    lock.batch_execute(&format!("LOCK TABLE {}.record IN ACCESS EXCLUSIVE MODE", schema.0)).await.expect("locked");
    for _ in 0..6 {
        let error = store.save(record("sess_1", "lost")).await.expect_err("it is locked");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let ask = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'";
    while lock.query_one(ask, &[&schema.0]).await.expect("asked").get::<_, i64>(0) > 0 {
        assert!(std::time::Instant::now() < until, "statements still wait for the lock");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    lock.rollback().await.expect("unlocked");
    let kept = SessionStore::load(&store, "sess_1").await.expect("loaded").expect("there");
    assert_eq!((kept.revision, kept.data.as_ref()), (1, b"x".as_slice()), "none of them was done");
    assert_eq!(store.save(kept).await.expect("saved"), 2);
}
