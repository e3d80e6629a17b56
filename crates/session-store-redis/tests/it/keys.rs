//! What is in Redis, and who may have put it there.

use std::time::{Duration, SystemTime};

use gateway_core::{ErrorKind, Secret, SessionStore, UsageChunk, UsageStore};
use session_store_redis::{RedisStore, RedisStoreConfig};

use crate::{Prefix, admin, record};

#[tokio::test]
async fn every_key_begins_with_the_prefix_and_ends_by_itself() {
    let prefix = Prefix::new();
    let store = prefix.open();
    store.create(record("sess_1", "x")).await.expect("created");
    let chunk = UsageChunk { source: "one".to_owned(), begins_at: SystemTime::now(), data: "counts".into() };
    store.keep(chunk).await.expect("kept");
    let mut admin = admin().await;
    let keys: Vec<String> =
        redis::cmd("KEYS").arg(format!("{}*", prefix.0)).query_async(&mut admin).await.expect("asked");
    assert_eq!(keys.len(), 5, "{keys:?}");
    for key in keys {
        let ttl: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut admin).await.expect("asked");
        // The indexes live as long as there is something in them.
        let lasts = key.ends_with(":index") || key.ends_with(":ends");
        assert_eq!(ttl > 0, !lasts, "{key} lives {ttl} ms");
    }
}

#[tokio::test]
async fn two_prefixes_are_two_stores() {
    let (one, other) = (Prefix::new(), Prefix::new());
    one.open().create(record("sess_1", "x")).await.expect("created");
    assert_eq!(SessionStore::load(&other.open(), "sess_1").await.expect("loaded"), None);
    assert_eq!(other.open().list("").await.expect("listed"), []);
}

#[tokio::test]
async fn a_revision_beyond_what_lua_can_count_is_exact() {
    let prefix = Prefix::new();
    let store = prefix.open();
    store.create(record("sess_1", "x")).await.expect("created");
    let revision = (1_u64 << 53) + 1;
    let mut set = redis::cmd("HSET");
    set.arg(format!("{}sess_1", prefix.0)).arg("r").arg(revision.to_string());
    set.exec_async(&mut admin().await).await.expect("set");
    let kept = SessionStore::load(&store, "sess_1").await.expect("loaded").expect("there");
    assert_eq!(kept.revision, revision);
    assert_eq!(store.save(kept).await.expect("saved"), revision + 1);
}

#[tokio::test]
async fn something_else_under_a_name_is_an_error_and_is_left_alone() {
    let prefix = Prefix::new();
    let store = prefix.open();
    let key = format!("{}sess_1", prefix.0);
    let mut admin = admin().await;
    redis::cmd("SET").arg(&key).arg("another program's").exec_async(&mut admin).await.expect("set");
    let error = SessionStore::load(&store, "sess_1").await.expect_err("no record");
    assert!(error.message().contains("something else is kept"), "{error}");
    store.create(record("sess_1", "x")).await.expect_err("no record");
    let kept: String = redis::cmd("GET").arg(&key).query_async(&mut admin).await.expect("asked");
    assert_eq!(kept, "another program's");
}

#[tokio::test]
async fn a_redis_that_is_not_there_or_wants_a_password_is_unavailable_and_none_is_shown() {
    for (url, word) in
        [("redis://:hunter2@127.0.0.1:1/", "efused"), ("redis://nobody:hunter2@127.0.0.1:6379/", "password")]
    {
        let store = RedisStore::new(RedisStoreConfig::new(Secret::new(url))).expect("a configuration");
        let error = SessionStore::load(&store, "sess_1").await.expect_err("not there");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains(word), "{word:?} is not in {error}");
        assert!(!format!("{error:?} {store:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_refused() {
    let config = || RedisStoreConfig::new(Secret::new("redis://127.0.0.1/"));
    for (config, word) in [
        (RedisStoreConfig { prefix: String::new(), ..config() }, "prefix"),
        (RedisStoreConfig { prefix: "a b".to_owned(), ..config() }, "prefix"),
        (RedisStoreConfig { usage_ttl: Duration::ZERO, ..config() }, "usage_ttl"),
        (RedisStoreConfig::new(Secret::new("postgres://u:hunter2@h")), "redis://"),
        (RedisStoreConfig::new(Secret::new("redis://u:hunter2@h:port")), "redis://"),
        (
            RedisStoreConfig {
                root_certificate: Some("none".to_owned()),
                ..RedisStoreConfig::new(Secret::new("rediss://h"))
            },
            "certificate",
        ),
    ] {
        let error = RedisStore::new(config).expect_err("cannot be used");
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(word), "{word:?} is not in {error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_no_record_hides_no_record_from_a_list() {
    let prefix = Prefix::new();
    let store = prefix.open();
    let mut admin = admin().await;
    for id in ["sess_1", "sess_2", "sess_3", "sess_4"] {
        store.create(record(id, "x")).await.expect("created");
    }
    let key = |id: &str| format!("{}{id}", prefix.0);
    redis::cmd("SET").arg(key("sess_1")).arg("another program's").exec_async(&mut admin).await.expect("set");
    redis::cmd("HSET").arg(key("sess_2")).arg("e").arg("soon").exec_async(&mut admin).await.expect("set");
    redis::cmd("HSET").arg(key("sess_3")).arg("r").arg("-1").exec_async(&mut admin).await.expect("set");
    let listed = store.list("sess_").await.expect("one key must not hide the others");
    assert_eq!(listed.iter().map(|record| &*record.id).collect::<Vec<_>>(), ["sess_4"]);
    assert_eq!(SessionStore::load(&store, "sess_2").await.expect_err("no record").kind(), ErrorKind::Unavailable);
}
